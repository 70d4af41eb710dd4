##! DNS_Enumeration: our zones searched for what they hold, by a dictionary, address by address, record by record.
##!
##! That a source is a resolver, which relays what others ask, is seen by what else it asks; then the score is 20 at
##! most. What is known of that grows over the day, so a score can be higher than reconwatch's at the day's end. Of NSEC
##! walks the questions are seen, not the hyphen form that only an answer with NSEC records gives away.

@load ./probing
@load ./catalog
@load ./zone-transfer

module ReconWatch;

export {
	## Distinct absent labels just below a zone within an hour.
	option enumeration_names = 50;
	## Share of the names of that hour that are absent.
	option enumeration_absent = 0.7;
	## Share of them in the order of the alphabet.
	option enumeration_order = 0.8;
	## Words that only lists of guesses hold together, where the order is another.
	option enumeration_guesses = 20;
	## Sources that share one list in order.
	option enumeration_sources = 4;
	## Names that serve only to be told the next one (NSEC).
	option enumeration_walk = 8;
	## Distinct addresses of a prefix of 256 within an hour.
	option enumeration_share = 64;
	## Addresses asked about one after the other.
	option enumeration_run = 16;

	## Sources, each with a zone or prefix, that a node counts a day; of more nothing is counted.
	option most_enumerators = 20000;
	## Names that are kept of each; of more nothing is counted.
	option most_enumerated = 4096;

	## Words that only lists of guesses hold side by side.
	option guessed_labels: set[string] = {
		"adserver", "alpha", "apache", "awstats", "bbs", "beta", "beta2", "cdn1", "cdn2", "chat", "cpanel", "cvs", "demo",
		"demo2", "dns1", "dns2", "dns3", "dns4", "forum", "forums", "ftp1", "ftp2", "gallery", "imap1", "img1", "img2",
		"irc", "jabber", "mail1", "mail2", "mail3", "mail4", "media1", "mssql", "mx1", "mx2", "mx3", "mx4", "mysql",
		"new", "news2", "ns3", "ns4", "ns5", "ns6", "old", "old2", "phpmyadmin", "pop1", "pop2", "pop3", "radio",
		"relay1", "relay2", "secure1", "secure2", "shop1", "smtp1", "smtp2", "smtp3", "sql", "static1", "stats",
		"streaming", "svn", "temp", "tv", "v6", "video", "vps", "vps1", "wap", "webdisk", "webstats", "whm", "www1",
		"www2", "www3", "www4", "www5"
	};

	## A question that can be part of an enumeration. *about*: our zone, a prefix of ours, or "server"; *what*: "absent"
	## and "present" names, "chained" ones, "mark"s, "leak"s, "octet"s. Counted on one node.
	global enumerated: event(at: time, actor: addr, about: string, what: string, name: string);

	## As :zeek:see:`ReconWatch::enumerated`, of absent names, on the node of the zone: what all sources ask together.
	global enumerated_by_all: event(at: time, actor: addr, zone: string, label: string);
}

## A name and when it was first asked for.
type FirstAsked: record {
	ts: time;
	name: string;
	source: addr;
};

type Enumerated: record {
	absent: vector of FirstAsked;
	known: set[string];
	## When names that exist were first asked for.
	present: table[string] of time;
	chained: set[string];
	marks: set[string];
	leaks: set[string];
	hours: set[count];
	octets: vector of FirstAsked;
	octets_known: set[count];
	octet_hours: set[count, count];
	again: set[count];
	run: count &default=0;
	last_octet: count &default=0;
	due: count &default=0;
	score: count &default=0;
};

global enumerators: table[time, addr, string] of Enumerated &write_expire=25hrs;
global lists: table[time, string] of Enumerated &write_expire=25hrs;

const outside_ends = set("com", "net", "org", "info", "biz", "edu", "gov", "io", "local", "lan", "home", "internal",
                         "arpa");
const chaos_names = set("version.bind", "version.server", "hostname.bind", "id.server", "authors.bind", "version.pdns");

function new_enumerated(): Enumerated
	{
	return Enumerated($absent=vector(), $known=set(), $present=table(), $chained=set(), $marks=set(), $leaks=set(),
	                  $hours=set(), $octets=vector(), $octets_known=set(), $octet_hours=set(), $again=set());
	}

## The first of those within an hour before the last one.
function hour_begins(firsts: vector of FirstAsked): count
	{
	local last = firsts[|firsts| - 1]$ts;
	local low: count = 0;
	while ( firsts[low]$ts < last - 1hr )
		++low;
	return low;
	}

## The share of names asked before one that also comes later in the alphabet.
function order_of(firsts: vector of FirstAsked, low: count): double
	{
	local n = |firsts| - low;
	local lag: count = n / 10;
	lag = lag < 8 ? 8 : lag > 64 ? 64 : lag;
	local pairs = 0;
	local rising = 0;
	local i = low;
	while ( i + lag < |firsts| )
		{
		if ( firsts[i]$ts < firsts[i + lag]$ts )
			{
			++pairs;
			if ( strcmp(firsts[i]$name, firsts[i + lag]$name) < 0 )
				++rising;
			}
		++i;
		}
	if ( pairs == 0 || 2 * pairs < n )
		return 0.0;
	return (rising + 0.0) / pairs;
	}

function is_dictionary(it: Enumerated): bool
	{
	local low = hour_begins(it$absent);
	local n = |it$absent| - low;
	if ( n < enumeration_names )
		return F;
	local others = 0;
	for ( _, ts in it$present )
		if ( ts >= it$absent[low]$ts )
			++others;
	if ( (n + 0.0) / (n + others) < enumeration_absent )
		return F;
	if ( order_of(it$absent, low) >= enumeration_order )
		return T;
	local guesses = 0;
	local i = low;
	while ( i < |it$absent| )
		{
		if ( it$absent[i]$name in guessed_labels )
			++guesses;
		++i;
		}
	return guesses >= enumeration_guesses;
	}

function tell_enumeration(at: time, actor: addr, it: Enumerated, about: string, points: count, did: string, n: count,
                          target: vector of string)
	{
	local score = points;
	if ( |it$leaks| >= 3 || |it$hours| >= 4 || |it$again| >= 4 )
		score = score > 20 ? 20 : score;
	if ( score <= it$score )
		return;
	it$score = score;
	tell_probe(DNS_Enumeration, at, actor, about, score, "T1590.002", fmt("%s %s", actor, did), n, target, vector());
	}

function judge_names(at: time, actor: addr, it: Enumerated, zone: string)
	{
	local points: count = 0;
	local did = fmt("asked for everything that %s has (ANY)", zone);
	local n: count = |it$marks|;
	if ( |it$chained| >= enumeration_walk )
		{
		points += 35;
		n = |it$chained|;
		did = fmt("walked %s by %d names", zone, n);
		}
	if ( |it$absent| >= enumeration_names && |it$absent| >= it$due && is_dictionary(it) )
		{
		it$due = |it$absent| * 5 / 4 + 1;
		n = |it$absent| + |it$present|;
		did = fmt("tried %d names under %s, %d of which do not exist", n, zone, |it$absent|);
		points += points > 0 ? 10 : 35;
		if ( |it$present| > 0 )
			points += 5;
		}
	if ( |it$marks| > 0 )
		points += points > 0 ? 5 : 10;
	if ( points > 0 )
		tell_enumeration(at, actor, it, zone, points, did, n, vector(fmt("domain:%s", zone)));
	}

function take_octet(at: time, actor: addr, it: Enumerated, prefix: string, octet: count)
	{
	local hour = double_to_count(floor((at - window_start(at)) / 1hr));
	if ( octet in it$octets_known )
		{
		if ( [octet, hour] !in it$octet_hours )
			{
			add it$octet_hours[octet, hour];
			add it$again[octet];
			}
		return;
		}
	add it$octets_known[octet];
	add it$octet_hours[octet, hour];
	local apart = octet > it$last_octet ? octet - it$last_octet : it$last_octet - octet;
	it$run = it$run > 0 && apart <= 3 ? it$run + 1 : 1;
	it$last_octet = octet;
	it$octets += FirstAsked($ts=at, $name="", $source=actor);
	local n = |it$octets| - hour_begins(it$octets);
	if ( n >= enumeration_share || it$run >= enumeration_run )
		tell_enumeration(at, actor, it, prefix, 35, fmt("asked for the names of %d addresses of %s", |it$octets|, prefix),
		                 |it$octets|, vector(fmt("range:%s", prefix)));
	}

event ReconWatch::enumerated(at: time, actor: addr, about: string, what: string, name: string)
	{
	local day = window_start(at);
	local source = source_of(actor);
	if ( [day, source, about] !in enumerators )
		{
		if ( |enumerators| >= most_enumerators )
			return;
		enumerators[day, source, about] = new_enumerated();
		}
	local it = enumerators[day, source, about];
	switch ( what )
		{
		case "octet":
			take_octet(at, actor, it, about, to_count(name));
			return;
		case "absent":
			if ( name in it$known || |it$absent| >= most_enumerated )
				return;
			add it$known[name];
			it$absent += FirstAsked($ts=at, $name=name, $source=source);
			break;
		case "present":
			add it$hours[double_to_count(floor((at - day) / 1hr))];
			if ( name !in it$present && |it$present| < most_enumerated )
				it$present[name] = at;
			return;
		case "leak":
			if ( |it$leaks| < 16 )
				add it$leaks[name];
			return;
		case "chained":
			if ( |it$chained| < most_enumerated )
				add it$chained[name];
			break;
		case "mark":
			add it$marks[name];
			break;
		}
	if ( about == "server" )
		tell_enumeration(at, actor, it, about, 10, fmt("asked our name server for %s", join_string_set(it$marks, ", ")),
		                 |it$marks|, vector());
	else
		judge_names(at, actor, it, about);
	}

event ReconWatch::enumerated_by_all(at: time, actor: addr, zone: string, label: string)
	{
	local day = window_start(at);
	if ( [day, zone] !in lists )
		lists[day, zone] = new_enumerated();
	local it = lists[day, zone];
	if ( label in it$known || |it$absent| >= most_enumerated )
		return;
	add it$known[label];
	it$absent += FirstAsked($ts=at, $name=label, $source=source_of(actor));
	if ( |it$absent| < enumeration_names || |it$absent| < it$due )
		return;
	it$due = |it$absent| + 8;
	local low = hour_begins(it$absent);
	local n = |it$absent| - low;
	if ( n < enumeration_names )
		return;
	local by: table[addr] of count = table() &default=0;
	local most = 0;
	local i = low;
	while ( i < |it$absent| )
		{
		local who = it$absent[i]$source;
		by[who] = by[who] + 1;
		if ( by[who] > most )
			most = by[who];
		++i;
		}
	if ( |by| < enumeration_sources || 2 * most > n || order_of(it$absent, low) < enumeration_order )
		return;
	local first = "";
	for ( each in by )
		if ( first == "" || strcmp(fmt("%s", each), first) < 0 )
			first = fmt("%s", each);
	if ( it$score > 0 )
		return;
	it$score = 35;
	tell_probe(DNS_Enumeration, at, to_addr(first), fmt("* %s", zone), 35, "T1590.002",
	           fmt("%d sources together tried %d names under %s that do not exist", |by|, n, zone), n,
	           vector(fmt("domain:%s", zone)), vector());
	}

function enumerate(rec: DNS::Info, about: string, what: string, name: string)
	{
	local actor = rec$id$orig_h;
	if ( counts_here() )
		event ReconWatch::enumerated(rec$ts, actor, about, what, name);
	else
		hand_on(source_of(actor), Cluster::make_event(ReconWatch::enumerated, rec$ts, actor, about, what, name));
	}

hook probed_by_dns(rec: DNS::Info)
	{
	local id = rec$id;
	if ( ! rec?$query || id$orig_h in secondaries || forwards(id$orig_h) )
		return;
	if ( id$resp_p == 137/udp || id$resp_p == 5353/udp || id$resp_p == 5355/udp )
		return;
	local name = to_lower(rec$query);
	local qtype = rec?$qtype ? rec$qtype : 0;
	local zone = zone_of(name);
	if ( zone == "" )
		{
		if ( name in chaos_names )
			{
			if ( ! is_sure_crawler(id$orig_h, "") )
				enumerate(rec, "server", "mark", name);
			return;
			}
		local ip = qtype == 12 ? reversed(name) : "";
		if ( ip == "" )
			return;
		local a = to_addr(ip);
		local words = addr_to_counts(a);
		local prefix = fmt("%s", mask_addr(a, is_v6_addr(a) ? 120 : 24));
		local octet = words[|words| - 1] % 256;
		enumerate(rec, prefix, "octet", fmt("%d", octet));
		return;
		}
	local label = |name| > |zone| ? name[0:|name| - |zone| - 1] : "";
	local rcode = rec?$rcode ? rec$rcode : 65535;
	local records = rec?$answers ? |rec$answers| : 0;
	if ( qtype == 255 && name == zone )
		{
		enumerate(rec, zone, "mark", "ANY");
		return;
		}
	if ( qtype == 47 || qtype == 50 || /\x00|\\x00/ in name )
		{
		enumerate(rec, zone, "chained", name);
		return;
		}
	if ( rcode != 0 && rcode != 3 )
		return;
	if ( rcode == 3 && records == 0 && label != "" && "." !in label && label[0] != "_" )
		{
		enumerate(rec, zone, "absent", label);
		if ( trust_of(id$orig_h, rec$ts, "probe") == "" )
			{
			if ( counts_here() )
				event ReconWatch::enumerated_by_all(rec$ts, id$orig_h, zone, label);
			else
				hand_on(node_key(zone), Cluster::make_event(ReconWatch::enumerated_by_all, rec$ts, id$orig_h, zone, label));
			}
		}
	else if ( label != "" && (rcode == 0 || records > 0) )
		enumerate(rec, zone, "present", name);
	else if ( label != "" )
		{
		local parts = split_string(label, /\./);
		if ( parts[|parts| - 1] in outside_ends )
			enumerate(rec, zone, "leak", label);
		}
	}
