##! Zone_Transfer: one who is no secondary asks one of our servers for a whole zone (AXFR) or its changes (IXFR).
##!
##! A zone that was given is told again, with its score.

@load ./probing

module ReconWatch;

export {
	## The zone of ours that a name is in; "" if none.
	global zone_of: function(name: string): string;

	## The address of ours that a reverse name stands for; unset if it is none.
	global reversed: function(name: string): string;

	## The network of ours that a reverse zone lies in; "" if none.
	global reversed_net: function(zone: string): string;

	## A zone was asked for; counted on one node.
	global transfer_asked: event(at: time, actor: addr, server: addr, zone: string, served: bool, current: bool);
}

function zone_of(name: string): string
	{
	local rest = name;
	while ( rest != "" )
		{
		if ( rest in owned_zones )
			return rest;
		local parts = split_string1(rest, /\./);
		rest = |parts| == 2 ? parts[1] : "";
		}
	return "";
	}

function reversed(name: string): string
	{
	if ( ! ends_with(name, ".arpa") )
		return "";
	local a: addr;
	if ( /^[0-9]{1,3}(\.[0-9]{1,3}){3}\.in-addr\.arpa$/ in name || /^([0-9a-f]\.){32}ip6\.arpa$/ in name )
		a = ptr_name_to_addr(name);
	else
		return "";
	return a in owned_nets ? fmt("%s", a) : "";
	}

function reversed_net(zone: string): string
	{
	if ( /^([0-9]{1,3}\.){1,4}in-addr\.arpa$/ !in zone )
		return reversed(zone);
	local octets = split_string(zone, /\./);
	local text = "";
	local at = |octets| - 2;
	while ( at > 0 )
		{
		--at;
		text += text == "" ? octets[at] : "." + octets[at];
		}
	local asked = |octets| - 2;
	local i = asked;
	while ( i < 4 )
		{
		text += ".0";
		++i;
		}
	if ( ! is_valid_ip(text) )
		return "";
	local net = mask_addr(to_addr(text), 8 * asked);
	for ( owned in owned_nets )
		if ( subnet_to_addr(owned) in net || subnet_to_addr(net) in owned )
			return fmt("%s", owned);
	return "";
	}

event ReconWatch::transfer_asked(at: time, actor: addr, server: addr, zone: string, served: bool, current: bool)
	{
	local ours = zone_of(zone);
	local its_net = ours == "" && ends_with(zone, ".arpa") ? reversed_net(zone) : "";
	local score: count = served ? 70 : ours == "" && its_net == "" ? 10 : current ? 40 : 30;
	local asset = ours != "" ? ours : its_net;
	local msg = served ? fmt("%s was given the zone %s", actor, zone) : fmt("%s asked for the zone %s", actor, zone);
	tell_probe(Zone_Transfer, at, actor, asset, score, "T1590.002", msg, 1,
	           vector(fmt("domain:%s", zone)), vector());
	}

hook probed_by_dns(rec: DNS::Info)
	{
	if ( ! rec?$qtype || (rec$qtype != 252 && rec$qtype != 251) || ! rec?$query )
		return;
	local id = rec$id;
	if ( id$orig_h in secondaries )
		return;
	local zone = to_lower(rec$query);
	local records = rec?$answers ? |rec$answers| : 0;
	local current = rec$qtype == 251 && records == 1;
	local served = records > 0 && ! current && (! rec?$rcode || rec$rcode == 0);
	if ( is_news(fmt("transfer %s %s", id$orig_h, zone), rec$ts) )
		{
		local row = probe_row(rec$ts, rec$uid, id, "dns", "T1590.002");
		row$host = zone;
		row$qtype = rec$qtype;
		sight(row);
		}
	if ( ! is_news(fmt("transferred %s %s %s", id$orig_h, zone, served), rec$ts) )
		return;
	if ( counts_here() )
		event ReconWatch::transfer_asked(rec$ts, id$orig_h, id$resp_h, zone, served, current);
	else
		hand_on(id$orig_h, Cluster::make_event(ReconWatch::transfer_asked, rec$ts, id$orig_h, id$resp_h, zone, served,
		                                       current));
	}
