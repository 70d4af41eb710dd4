##! Indicator_Match: an inside host used, or somebody who came to us is, what threat intelligence lists.
##!
##! The indicators are those of Zeek's Intel framework. Where a site gives it none, this costs a look at a flag for each
##! sighting. What frameworks/intel/seen hands to the framework is used; where it is not loaded, this hands over the
##! names, addresses, URLs and user agents of sightings, and in any case the parents of their names, for the framework
##! itself compares names as a whole.
##!
##! Of a cluster, the manager alone knows the sources of an indicator: it raises these notices.

@load base/frameworks/intel
@load ./main
@load ./visits
@load ./findings

module ReconWatch;

export {
	redef enum Intel::Where += {
		## In what a sighting of ReconWatch rests on.
		IN_SIGHTING,
	};

	## How sure the source is, 0 to 100 as in STIX 2.1: the column ``meta.confidence`` of an intel file.
	redef record Intel::MetaData += {
		confidence: count &optional;
	};

	## The confidence in an indicator whose source does not say it.
	option indicator_match_confidence: count = 50;

	## Also what an inside host has to do with an indicator outside of a sighting; else only what sightings rest on, and
	## what comes to assets of ours.
	option indicator_match_inside: bool = T;

	## Who had to do with something, as the node knows it that saw it.
	type Touch: record {
		ts: time;
		actor: addr;
		actor_role: set[string];
		## "lookup" if an inside host acts, "probe" if somebody comes to an asset of ours.
		direction: string;
		asset: string &optional;
		## More than a name resolved or a connection opened.
		spoke: bool;
		## It is the actor's own address that was handed over.
		client: bool;
		uid: string &optional;
		id: conn_id &optional;
	};

	redef record Intel::Seen += {
		## Filled in by the node that saw it; connections themselves are not sent to the manager.
		reconwatch: Touch &optional;
	};
}

## From HIGH on a confidence is high, below LOW it is low: the scale of STIX 2.1 appendix A.
const indicator_high = 70;
const indicator_low = 30;

## The technique of whoever is listed and comes to us: Active Scanning.
const indicator_probe_technique = "T1595";

const indicator_kinds: table[Intel::Type] of string = {
	[Intel::DOMAIN] = "domain",
	[Intel::ADDR] = "ip",
	[Intel::SUBNET] = "range",
	[Intel::URL] = "url",
	[Intel::SOFTWARE] = "agent",
};

const indicator_said: table[string] of string = {
	["domain"] = "domain",
	["ip"] = "address",
	["range"] = "range",
	["url"] = "URL",
	["agent"] = "user agent",
};

## How many indicators the framework holds on this node.
global indicators = 0;

## frameworks/intel/seen is loaded.
global others_hand_over = F;

hook Intel::indicator_inserted(indicator: string, kind: Intel::Type)
	{
	++indicators;
	}

hook Intel::indicator_removed(indicator: string, kind: Intel::Type)
	{
	if ( indicators > 0 )
		--indicators;
	}

event zeek_init()
	{
	others_hand_over = "SSL::IN_SERVER_NAME" in enum_names(Intel::Where);
	}

## Points by confidence alone; a low one never asks anybody to look.
function indicator_points(confidence: count, inside: bool, spoke: bool): int
	{
	if ( confidence < indicator_low )
		return +10;
	if ( ! inside )
		return spoke ? (confidence >= indicator_high ? +45 : +30) : +15;
	if ( confidence >= indicator_high )
		return spoke ? +60 : +50;
	return spoke ? +40 : +30;
	}

## What a connection is to us; unset if it is nothing.
function touch_of(c: connection, host: addr, has_host: bool, where: string): Touch
	{
	local orig = c$id$orig_h;
	local inside = is_inside(orig);
	local t = Touch($ts=network_time(), $actor=orig, $actor_role=inside ? roles_of(orig) : set("outside"),
	    $direction=inside ? "lookup" : "probe", $spoke=/^(DNS|Conn)::/ !in where, $client=has_host && host == orig,
	    $uid=c$uid, $id=c$id);
	if ( ! inside )
		t$asset = cat(c$id$resp_h);
	return t;
	}

hook Intel::seen_policy(s: Intel::Seen, found: bool)
	{
	if ( ! found || s?$reconwatch || ! s?$conn )
		return;
	local inside = is_inside(s$conn$id$orig_h);
	if ( inside ? indicator_match_inside : is_owned(s$conn$id$resp_h) )
		s$reconwatch = touch_of(s$conn, s?$host ? s$host : s$conn$id$orig_h, s?$host, cat(s$where));
	}

function hand_over(rec: Info, kind: Intel::Type, text: string, client: bool)
	{
	local contact = Touch($ts=rec$ts, $actor=rec$actor, $actor_role=rec$actor_role, $direction=rec$direction,
	    $spoke=rec$kind != "dns" && rec$kind != "conn", $client=client);
	if ( rec?$id )
		contact$id = rec$id;
	if ( rec$direction == "probe" && rec?$id )
		contact$asset = cat(rec$id$resp_h);
	local s = Intel::Seen($where=IN_SIGHTING, $reconwatch=contact);
	if ( rec?$uid )
		{
		contact$uid = rec$uid;
		s$uid = rec$uid;
		}
	if ( kind == Intel::ADDR )
		s$host = to_addr(text);
	else
		{
		s$indicator = text;
		s$indicator_type = kind;
		}
	Intel::seen(s);
	}

# On the node that saw it: a proxy has no indicators.
event ReconWatch::log_reconwatch(rec: Info)
	{
	if ( indicators == 0 )
		return;
	local whole = ! others_hand_over || ! indicator_match_inside;
	if ( rec?$host )
		for ( number, name in with_parents(rec$host) )
			if ( number > 0 || whole )
				hand_over(rec, Intel::DOMAIN, name, F);
	if ( ! whole )
		return;
	if ( rec?$host && rec?$uri )
		hand_over(rec, Intel::URL, fmt("%s%s", rec$host, rec$uri), F);
	if ( rec?$user_agent )
		hand_over(rec, Intel::SOFTWARE, rec$user_agent, T);
	if ( rec?$id )
		{
		hand_over(rec, Intel::ADDR, cat(rec$id$orig_h), T);
		# Of a question the server is a resolver, not what was asked for.
		if ( rec$kind != "dns" )
			hand_over(rec, Intel::ADDR, cat(rec$id$resp_h), F);
		}
	}

function tell_indicator(t: Touch, kind: string, value: string, confidence: count, sources: set[string])
	{
	local inside = t$direction == "lookup";
	local listed = fmt("by %s, confidence %d", join_string_vec(sorted_strings(sources), ", "), confidence);
	local what = fmt("%s %s", indicator_said[kind], value);
	local msg: string;
	if ( inside )
		msg = fmt("%s %s the listed %s (%s)", t$actor, ! t$spoke && kind == "domain" ? "asked for" : "used", what, listed);
	else if ( t$client && kind != "agent" )
		msg = fmt("%s, %s, came to us (%s)", t$actor, kind == "ip" ? "listed itself" : fmt("in the listed %s", what), listed);
	else
		msg = fmt("%s came to us with the listed %s (%s)", t$actor, what, listed);

	local trust = trust_of(t$actor, t$ts, t$direction);
	local points = indicator_points(confidence, inside, t$spoke);
	if ( trust != "" )
		points -= 60;
	local f = Finding($note=Indicator_Match, $ts=t$ts, $actor=t$actor, $actor_role=t$actor_role,
	    $technique=inside ? "" : indicator_probe_technique, $score=points < 0 ? 0 : int_to_count(points), $msg=msg,
	    $key=fmt("%s %s %s", t$direction, kind, value));
	if ( trust != "" )
		f$trusted = trust;
	if ( t?$asset )
		f$targets = vector(fmt("ip:%s", t$asset));
	if ( t?$uid )
		f$uid = t$uid;
	if ( t?$id )
		f$id = t$id;
	tell(f, window_start(t$ts));
	}

event Intel::match(s: Intel::Seen, items: set[Intel::Item])
	{
	if ( ! s?$reconwatch )
		return;
	# Several sources may list one indicator: the surest of them counts.
	local surest: table[string, string] of count;
	local sources: table[string, string] of set[string];
	for ( item in items )
		{
		if ( item$indicator_type !in indicator_kinds )
			next;
		local kind = indicator_kinds[item$indicator_type];
		local confidence = item$meta?$confidence ? item$meta$confidence : indicator_match_confidence;
		if ( [kind, item$indicator] !in surest )
			{
			surest[kind, item$indicator] = confidence;
			sources[kind, item$indicator] = set();
			}
		if ( confidence > surest[kind, item$indicator] )
			surest[kind, item$indicator] = confidence;
		add sources[kind, item$indicator][item$meta$source];
		}
	for ( [what, value], sure in surest )
		tell_indicator(s$reconwatch, what, value, sure, sources[what, value]);
	}
