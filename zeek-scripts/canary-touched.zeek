##! Canary_Touched: somebody, inside or outside, used a bait that only a database could have given away.

@load ./probing
@load ./catalog
@load ./zone-transfer
@load base/protocols/quic

module ReconWatch;

export {
	## A bait was touched; counted on one node.
	global canary_touched: event(at: time, actor: addr, which: count, asked: bool, spoke: bool, crawler: string);

	## The sub-technique of the database that gave a bait away, by the words of where it was planted.
	global leak_of: function(planted: string): string;
}

global bait_names: table[string] of count;
global bait_addresses: table[addr] of count;
global bait_paths: table[string] of count;
## What was told of an actor and a bait, the highest score; when there are too many it begins anew.
global touched_score: table[string] of count &create_expire=1day;

function index_baits(baits: vector of Canary)
	{
	bait_names = table();
	bait_addresses = table();
	bait_paths = table();
	for ( i, bait in baits )
		{
		if ( bait$kind == "name" )
			bait_names[bait$value] = i;
		else if ( bait$kind == "address" && is_valid_ip(bait$value) )
			bait_addresses[to_addr(bait$value)] = i;
		else if ( bait$kind == "path" )
			bait_paths[bait$value] = i;
		}
	}

function baits_changed(id: string, baits: vector of Canary): vector of Canary
	{
	index_baits(baits);
	return baits;
	}

event zeek_init()
	{
	index_baits(canaries);
	Option::set_change_handler("ReconWatch::canaries", baits_changed);
	}

function leak_of(planted: string): string
	{
	local said = " " + gsub(to_lower(planted), /[^a-z0-9.]+/, " ") + " ";
	if ( / (certificate|ct |crt\.sh)/ in said )
		return "T1596.003";
	if ( / (whois|rdap|registr)/ in said )
		return "T1596.002";
	if ( / (scan|shodan|censys)/ in said )
		return "T1596.005";
	if ( / cdn / in said )
		return "T1596.004";
	if ( / (dns |ptr |reverse|zone)/ in said )
		return "T1596.001";
	return "T1596";
	}

event ReconWatch::canary_touched(at: time, actor: addr, which: count, asked: bool, spoke: bool, crawler: string)
	{
	if ( which >= |canaries| )
		return;
	local bait = canaries[which];
	local planted = bait?$planted ? bait$planted : "";
	local swept = bait$kind == "address" && ! spoke;
	local points: count;
	if ( is_inside(actor) )
		points = asked || swept ? 30 : 45;
	else
		points = asked || swept ? 40 : 70;
	if ( crawler != "" )
		points = points > 45 ? points - 45 : 0;
	local key = fmt("%s %s %s", bait$kind, bait$value, window_start(at));
	local whose = fmt("%s %s", actor, key);
	if ( whose in touched_score && touched_score[whose] >= points )
		return;
	if ( |touched_score| >= most_remembered )
		touched_score = table();
	touched_score[whose] = points;
	local kind = bait$kind == "name" ? "domain" : bait$kind == "address" ? "ip" : "path";
	tell_probe(Canary_Touched, at, actor, key, points, leak_of(planted),
	           fmt("%s %s the bait %s (%s)", actor, asked ? "asked for" : "used", bait$value,
	               planted == "" ? "nobody says where it was planted" : "planted: " + planted), 1,
	           vector(fmt("%s:%s", kind, bait$value)), vector());
	}

## *told* adds to the row what showed it.
function touch(at: time, uid: string, id: conn_id, kind: string, which: count, told: function(row: Info))
	{
	local bait = canaries[which];
	local actor = id$orig_h;
	if ( bait$kind == "address" && bait$value == fmt("%s", actor) )
		return;
	local asked = kind == "dns";
	local spoke = ! asked && kind != "conn";
	if ( ! is_news(fmt("bait %s %s %s %s", actor, bait$kind, bait$value, kind), at) )
		return;
	local row = probe_row(at, uid, id, kind, leak_of(bait?$planted ? bait$planted : ""));
	row$canary = bait$value;
	told(row);
	if ( is_inside(actor) )
		{
		row$direction = "lookup";
		row$actor_role = roles_of(actor);
		}
	sight(row);
	local crawler = is_sure_crawler(actor, "") ? crawler_of(actor) : "";
	if ( counts_here() )
		event ReconWatch::canary_touched(at, actor, which, asked, spoke, crawler);
	else
		hand_on(actor, Cluster::make_event(ReconWatch::canary_touched, at, actor, which, asked, spoke, crawler));
	}

function touch_what(at: time, uid: string, id: conn_id, kind: string, name: string, told: function(row: Info))
	{
	if ( name != "" )
		{
		local plain = to_lower(gsub(name, /\.+$|:[0-9]+$/, ""));
		if ( plain in bait_names )
			touch(at, uid, id, kind, bait_names[plain], told);
		}
	if ( id$resp_h in bait_addresses )
		touch(at, uid, id, kind, bait_addresses[id$resp_h], told);
	}

function touch_named(at: time, uid: string, id: conn_id, kind: string, name: string)
	{
	touch_what(at, uid, id, kind, name, function[name](row: Info) { if ( name != "" ) row$host = name; });
	}

event Conn::log_conn(rec: Conn::Info)
	{
	local id = rec$id;
	if ( |bait_addresses| == 0 || id$resp_h !in bait_addresses )
		return;
	local history = rec?$history ? rec$history : "";
	if ( rec$proto == udp || fate_of(id, rec$proto, history)$begun )
		touch(rec$ts, rec$uid, id, "conn", bait_addresses[id$resp_h], function[rec](row: Info) { row$proto = rec$proto; });
	}

event DNS::log_dns(rec: DNS::Info)
	{
	if ( |canaries| == 0 || ! rec?$query || rec$id$resp_p == 5353/udp || rec$id$resp_p == 137/udp || rec$id$resp_p == 5355/udp )
		return;
	touch_what(rec$ts, rec$uid, rec$id, "dns", rec$query, function[rec](row: Info)
		{
		row$host = rec$query;
		if ( rec?$qtype )
			row$qtype = rec$qtype;
		});
	}

event SSL::log_ssl(rec: SSL::Info)
	{
	if ( |canaries| > 0 )
		touch_named(rec$ts, rec$uid, rec$id, "tls", rec?$server_name ? rec$server_name : "");
	}

@ifdef ( QUIC::Info )
event QUIC::log_quic(rec: QUIC::Info)
	{
	if ( |canaries| > 0 )
		touch_named(rec$ts, rec$uid, rec$id, "quic", rec?$server_name ? rec$server_name : "");
	}
@endif

event HTTP::log_http(rec: HTTP::Info)
	{
	if ( |canaries| == 0 )
		return;
	local request = function[rec](row: Info) { add_request(row, rec); };
	touch_what(rec$ts, rec$uid, rec$id, "http", rec?$host ? rec$host : "", request);
	if ( |bait_paths| == 0 || ! rec?$uri )
		return;
	local path = split_string1(split_string1(rec$uri, /\?/)[0], /#/)[0];
	if ( path !in bait_paths )
		return;
	# The same path on strangers' servers is none of ours.
	if ( rec$id$resp_h in owned_nets || (rec?$host && zone_of(to_lower(rec$host)) != "") )
		touch(rec$ts, rec$uid, rec$id, "http", bait_paths[path], request);
	}
