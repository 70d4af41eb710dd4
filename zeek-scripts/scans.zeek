##! Address_Scan and Port_Scan: many of our addresses, or many ports of one, tried by one source on one UTC day.
##!
##! A worker hands on the first contact of a source, address, port and kind only; the node of the source's /24 (IPv6: /48)
##! counts them. What no longer fits is told at the options.

@load ./probing
@load ./catalog

module ReconWatch;

export {
	## Distinct addresses of ours that one source tries a day without a conversation.
	option scan_addresses = 10;
	## Distinct addresses of ours a day, conversations included.
	option scan_visited = 64;
	## Sources of one /24 (IPv6: /48) that try different addresses for the same port: one plan.
	option scan_members = 4;
	## Distinct ports of one address that one source tries a day.
	option scan_ports = 15;

	## Sources that a node counts a day. When there are more, those of fewer than four contacts are forgotten, and if
	## that is not enough, new sources are not counted: a slow scan may then be missed.
	option most_scan_sources = 20000;
	## Contacts that are counted of one source a day; more make no difference but to what ports are still missed.
	option most_scan_contacts = 4096;

	## The first contact of a source with a port of one of our addresses; counted on one node.
	global contacted: event(at: time, actor: addr, server: addr, door: port, probing: bool, answered: bool);
}

## What one source did on one day.
type Seen: record {
	actors: set[addr];
	## Tried without a conversation, and all.
	tried: set[addr];
	met: set[addr];
	## Ports of each address that were tried.
	ports: table[addr] of set[port];
	contacts: count &default=0;
	## What was told: "address", and the addresses whose ports were scanned.
	told: set[string];
};

## What the sources of one network tried at one port.
type ScanPlan: record {
	by_source: table[addr] of set[addr];
	addresses: set[addr];
	## Contacts at which it is worth judging again.
	due: count &default=0;
	contacts: count &default=0;
};

global seen_sources: table[time, addr] of Seen &write_expire=25hrs;
global scan_plans: table[time, subnet, port] of ScanPlan &write_expire=25hrs;
## Where anybody was answered: a visit that fails there is no scan.
global open_doors: set[addr, port] &create_expire=1day;
## Addresses of ours that answered anybody.
global answering: set[addr] &create_expire=1day;

global known_contacts: set[addr, addr, port, bool, bool];
global known_day: time = double_to_time(0.0);

function around(a: addr): subnet
	{
	return mask_addr(a, is_v6_addr(a) ? 48 : 24);
	}

function forget_little()
	{
	local little: vector of time = vector();
	local whose: vector of addr = vector();
	for ( [day, source], seen in seen_sources )
		if ( seen$contacts < 4 )
			{
			little += day;
			whose += source;
			}
	for ( i, day in little )
		delete seen_sources[day, whose[i]];
	}

function tell_scan(note: Notice::Type, at: time, source: addr, seen: Seen, key: string, points: count, msg: string,
                   n: count, targets: vector of string)
	{
	local actor = source;
	if ( |seen$actors| == 1 )
		for ( a in seen$actors )
			actor = a;
	tell_probe(note, at, actor, key, points, "T1595.001", fmt("%s %s", actor, msg), n, targets, vector());
	}

function targets_of(addresses: set[addr]): vector of string
	{
	local targets: vector of string = vector();
	for ( a in addresses )
		{
		if ( |targets| >= 20 )
			break;
		targets += fmt("ip:%s", a);
		}
	return sort(targets, strcmp);
	}

## Judge the neighbours of one port: who tries most by himself is none of them.
function judge_plan(at: time, net: subnet, door: port, plan: ScanPlan)
	{
	local times: table[addr] of count = table() &default=0;
	local total = 0;
	local left: table[addr] of count;
	for ( source, tried in plan$by_source )
		{
		local alone = 0;
		for ( a in tried )
			{
			if ( [a, door] in open_doors )
				next;
			++alone;
			++total;
			times[a] = times[a] + 1;
			}
		if ( alone > 0 )
			left[source] = alone;
		}
	while ( |left| >= scan_members && 2 * total > 3 * |times| )
		{
		local busiest = 0;
		local who = 0.0.0.0;
		for ( near, many in left )
			if ( many > busiest )
				{
				busiest = many;
				who = near;
				}
		delete left[who];
		total = total - busiest;
		for ( a in plan$by_source[who] )
			if ( a in times )
				{
				if ( times[a] == 1 )
					delete times[a];
				else
					times[a] = times[a] - 1;
				}
		}
	if ( |left| < scan_members || |times| < scan_addresses )
		return;
	local actor = subnet_to_addr(net);
	local points: count = 15 + 15;
	tell_probe(Address_Scan, at, actor, "plan", points, "T1595.001",
	           fmt("%d sources of %s tried %d addresses of ours (%s)", |left|, net, |times|, door), |times|,
	           targets_of(plan$addresses), vector());
	}

function take_plan(at: time, day: time, source: addr, server: addr, door: port)
	{
	local net = around(source);
	if ( [day, net, door] !in scan_plans )
		{
		if ( |scan_plans| >= most_scan_sources )
			return;
		scan_plans[day, net, door] = ScanPlan($by_source=table(), $addresses=set());
		}
	local plan = scan_plans[day, net, door];
	if ( plan$contacts >= most_scan_contacts )
		return;
	if ( source !in plan$by_source )
		plan$by_source[source] = set();
	add plan$by_source[source][server];
	add plan$addresses[server];
	++plan$contacts;
	if ( |plan$by_source| < scan_members || |plan$addresses| < scan_addresses || plan$contacts < plan$due )
		return;
	plan$due = plan$contacts + plan$contacts / 8 + 1;
	judge_plan(at, net, door, plan);
	}

event ReconWatch::contacted(at: time, actor: addr, server: addr, door: port, probing: bool, answered: bool)
	{
	if ( answered && |open_doors| < most_remembered )
		{
		add open_doors[server, door];
		add answering[server];
		}
	if ( forwards(actor) )
		return;
	local day = window_start(at);
	local source = source_of(actor);
	if ( [day, source] !in seen_sources )
		{
		if ( |seen_sources| >= most_scan_sources )
			forget_little();
		if ( |seen_sources| >= most_scan_sources )
			return;
		seen_sources[day, source] = Seen($actors=set(), $tried=set(), $met=set(), $ports=table(), $told=set());
		}
	local seen = seen_sources[day, source];
	if ( seen$contacts >= most_scan_contacts )
		return;
	++seen$contacts;
	if ( |seen$actors| < 256 )
		add seen$actors[actor];
	add seen$met[server];
	if ( probing )
		{
		add seen$tried[server];
		if ( server !in seen$ports )
			seen$ports[server] = set();
		add seen$ports[server][door];
		take_plan(at, day, source, server, door);
		if ( |seen$ports[server]| >= scan_ports && fmt("%s", server) !in seen$told )
			{
			add seen$told[fmt("%s", server)];
			tell_scan(Port_Scan, at, source, seen, fmt("%s", server), 20,
			          fmt("tried %d ports of %s", |seen$ports[server]|, server), |seen$ports[server]|,
			          vector(fmt("ip:%s", server)));
			}
		}
	if ( "address" !in seen$told && (|seen$tried| >= scan_addresses || |seen$met| >= scan_visited) )
		{
		add seen$told["address"];
		local dark = 0;
		for ( a in seen$tried )
			if ( a !in answering )
				++dark;
		local points: count = 2 * dark >= |seen$tried| && dark > 0 ? 25 : 15;
		tell_scan(Address_Scan, at, source, seen, "address", points, fmt("tried %d addresses of ours", |seen$met|),
		          |seen$met|, targets_of(seen$met));
		}
	}

hook probed_by_conn(rec: Conn::Info, fate: Fate)
	{
	local id = rec$id;
	local day = known_day;
	if ( rec$ts - known_day >= 1day )
		day = window_start(rec$ts);
	if ( day > known_day || |known_contacts| >= most_remembered )
		{
		known_contacts = set();
		known_day = day;
		}
	local door = rec$proto == icmp ? 0/icmp : id$resp_p;
	if ( [id$orig_h, id$resp_h, door, fate$probing, fate$answered] in known_contacts )
		return;
	add known_contacts[id$orig_h, id$resp_h, door, fate$probing, fate$answered];
	if ( is_sure_crawler(id$orig_h, "") )
		return;
	if ( counts_here() )
		event ReconWatch::contacted(rec$ts, id$orig_h, id$resp_h, door, fate$probing, fate$answered);
	else
		hand_on(subnet_to_addr(around(id$orig_h)), Cluster::make_event(ReconWatch::contacted, rec$ts, id$orig_h, id$resp_h,
		                                                             door, fate$probing, fate$answered));
	}
