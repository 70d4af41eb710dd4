##! Name_Probe: many server names tried on our addresses, or our addresses visited without any.
##!
##! Names that are used on (by an uptime check, by people behind one address) are tried by nobody: whether they are shows
##! later only, so a source with many names is judged :zeek:see:`ReconWatch::name_probe_wait` after it reached the
##! threshold, or when Zeek ends. A Host behind another name in the hello is seen nowhere in Zeek: it decrypts nothing.

@load ./probing
@load ./catalog
@load ./zone-transfer
@load base/protocols/quic

module ReconWatch;

export {
	## Names first tried within one hour and not used on.
	option name_probe_names = 8;
	## Names in one day, used on or not.
	option name_probe_day = 40;
	## Addresses of ours that are visited without a name in one day.
	option name_probe_addresses = 5;
	## How long names may still turn out to be used on: three half hours, and a half.
	option name_probe_wait = 2hrs;
	## Sources that a node counts a day; of more nothing is counted.
	option most_name_sources = 20000;
	## Names that are kept of a source; longer lists say no more.
	option most_tried_names = 1000;

	## A source used a name (or none) on an address of ours; counted on one node.
	global name_used: event(at: time, actor: addr, server: addr, name: string, excused: bool);
	## Judge what a source tried.
	global judge_names_tried: event(day: time, source: addr);
}

## One name as one source used it.
type TriedName: record {
	first: time;
	slots: set[count];
};

type NamesTried: record {
	actors: set[addr];
	names: table[string] of TriedName;
	excused: set[string];
	bare: set[addr];
	servers: set[addr];
	due: bool &default=F;
	score: count &default=0;
};

global names_tried: table[time, addr] of NamesTried &write_expire=25hrs;
## What a worker handed on already: source, server, name and half hour.
global names_known: set[string];
global names_slot: count = 0;

const mail_ports = set(25/tcp, 110/tcp, 143/tcp, 465/tcp, 587/tcp, 993/tcp, 995/tcp);

## The most names that were first tried within *width*.
function most_within(firsts: vector of time, width: interval): count
	{
	sort(firsts, function(a: time, b: time): int { return a < b ? -1 : a > b ? 1 : 0; });
	local most: count = 0;
	local start: count = 0;
	for ( i, ts in firsts )
		{
		while ( ts - firsts[start] > width )
			++start;
		if ( i + 1 - start > most )
			most = i + 1 - start;
		}
	return most;
	}

function tell_names(at: time, source: addr, it: NamesTried, score: count, technique: string, did: string, n: count,
                    servers: set[addr])
	{
	if ( score <= it$score )
		return;
	it$score = score;
	local actor = source;
	if ( |it$actors| == 1 )
		for ( a in it$actors )
			actor = a;
	local targets: vector of string = vector();
	for ( server in servers )
		if ( |targets| < 20 )
			targets += fmt("ip:%s", server);
	tell_probe(Name_Probe, at, actor, fmt("%s", source), score, technique, fmt("%s %s", actor, did), n,
	           sort(targets, strcmp), vector());
	}

function judge_tried(at: time, source: addr, it: NamesTried)
	{
	local all: vector of time = vector();
	local fresh: vector of time = vector();
	local strange = 0;
	for ( name, tried in it$names )
		{
		if ( name in it$excused )
			next;
		all += tried$first;
		if ( |tried$slots| < 3 )
			fresh += tried$first;
		if ( zone_of(name) == "" )
			++strange;
		}
	local many = |all| >= name_probe_day;
	if ( ! many && most_within(fresh, 1hr) < name_probe_names )
		return;
	local names = many ? all : fresh;
	local points: count = 20;
	local burst = most_within(names, 1min) >= name_probe_names;
	if ( burst )
		points += 15;
	if ( many && (burst || |names| >= 2 * |it$servers|) )
		points += 15;
	if ( strange >= 3 && strange < |names| )
		points += 10;
	tell_names(at, source, it, points, "T1595.003",
	           fmt("tried %s on %s of ours", counted(|names|, "name"), counted(|it$servers|, "address", "addresses")), |names|, it$servers);
	}

event ReconWatch::judge_names_tried(day: time, source: addr)
	{
	if ( [day, source] !in names_tried )
		return;
	local it = names_tried[day, source];
	it$due = F;
	local last = day;
	for ( _, tried in it$names )
		if ( tried$first > last )
			last = tried$first;
	judge_tried(last, source, it);
	}

event ReconWatch::name_used(at: time, actor: addr, server: addr, name: string, excused: bool)
	{
	local day = window_start(at);
	local source = source_of(actor);
	if ( [day, source] !in names_tried )
		{
		if ( |names_tried| >= most_name_sources )
			return;
		names_tried[day, source] = NamesTried($actors=set(), $names=table(), $excused=set(), $bare=set(), $servers=set());
		}
	local it = names_tried[day, source];
	if ( |it$actors| < 256 )
		add it$actors[actor];
	if ( name == "" )
		{
		if ( |it$bare| < 256 )
			add it$bare[server];
		if ( |it$bare| >= name_probe_addresses )
			tell_names(at, source, it, 15, "T1595.001", fmt("visited %s of ours without a name", counted(|it$bare|, "address", "addresses")),
			           |it$bare|, it$bare);
		return;
		}
	if ( excused )
		{
		if ( |it$excused| < most_tried_names )
			add it$excused[name];
		return;
		}
	if ( |it$servers| < 256 )
		add it$servers[server];
	local slot = double_to_count(floor((at - day) / 30min));
	if ( name !in it$names )
		{
		if ( |it$names| >= most_tried_names )
			return;
		it$names[name] = TriedName($first=at, $slots=set());
		if ( |it$names| == name_probe_day )
			judge_tried(at, source, it);
		}
	if ( |it$names[name]$slots| < 3 )
		add it$names[name]$slots[slot];
	if ( ! it$due && it$score == 0 && |it$names| >= name_probe_names )
		{
		it$due = T;
		schedule name_probe_wait { ReconWatch::judge_names_tried(day, source) };
		}
	}

function use_name(at: time, id: conn_id, said: string, uri: string, agent: string)
	{
	if ( id$resp_p in mail_ports )
		return;
	if ( forwards(id$orig_h) || id$orig_h in mail_servers )
		return;
	local name = to_lower(|said| > 253 ? sub_bytes(said, 1, 253) : said);
	if ( ends_with(name, ".") )
		name = gsub(name, /\.+$/, "");
	if ( /^(\[?[0-9a-f]*:[0-9a-f:.]*\]?|[0-9]+(\.[0-9]+){3})$/ in name )
		name = "";
	local excused = starts_with(uri, "/.well-known/acme-challenge/");
	local slot = double_to_count(floor(time_to_double(at) / 1800.0));
	if ( slot > names_slot || |names_known| >= most_remembered )
		{
		names_known = set();
		names_slot = slot;
		}
	local use = fmt("%s %s %s %s", id$orig_h, id$resp_h, name, excused);
	if ( use in names_known )
		return;
	if ( is_sure_crawler(id$orig_h, agent) )
		return;
	add names_known[use];
	if ( counts_here() )
		event ReconWatch::name_used(at, id$orig_h, id$resp_h, name, excused);
	else
		hand_on(source_of(id$orig_h), Cluster::make_event(ReconWatch::name_used, at, id$orig_h, id$resp_h, name, excused));
	}

hook probed_by_hello(at: time, id: conn_id, name: string)
	{
	use_name(at, id, name, "", "");
	}

hook probed_by_http(rec: HTTP::Info)
	{
	use_name(rec$ts, rec$id, rec?$host ? (":" in rec$host ? gsub(rec$host, /:[0-9]+$/, "") : rec$host) : "", rec$uri,
	         rec?$user_agent ? rec$user_agent : "");
	}
