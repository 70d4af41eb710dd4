##! What all of ReconWatch shares: what is ours and whom we trust, the log of sightings, and how notices are raised.
##!
##! A *lookup* goes from inside to an open technical database, a *probe* from outside to what we own. Workers see
##! both; what is counted of one party is counted on one node of a cluster, so that a threshold means the same whichever
##! worker saw what. docs/zeek.md describes the options.

@load base/frameworks/cluster
@load base/frameworks/notice

module ReconWatch;

export {
	redef enum Log::ID += { LOG };

	redef enum Notice::Type += {
		## An inside host used an open technical database; one a host, database and day.
		Database_Lookup,
		## A search names one of our domains, addresses, ranges, AS numbers or brands.
		Targeted_Search,
		## Volume or regularity says that a program searches.
		Bulk_Search,
		## Many databases in a short time: a tool.
		Enumeration_Sweep,
		## Certificate transparency logs, or a search over them, read in bulk.
		CT_Log_Scraping,
		## A prefix walked by reverse names, registries or address origins.
		Reverse_Sweep,
		## A client gives itself away as a reconnaissance tool.
		Recon_Tool,
		## An indicator of the Intel framework was touched by what a sighting rests on.
		Indicator_Match,
		## The crawler of a scan database collected from an asset of ours.
		Scanner_Crawl,
		## Many addresses of ours were tried by one source.
		Address_Scan,
		## Many ports of one address of ours were tried by one source.
		Port_Scan,
		## AXFR or IXFR of our zones from outside.
		Zone_Transfer,
		## Many names under our zones were asked for, most of them absent.
		DNS_Enumeration,
		## Many server names were tried on addresses of ours.
		Name_Probe,
		## Scanning clients, and paths that only scanners ask for, at web servers of ours.
		Service_Probe,
		## A bait was touched that only a database could have given away.
		Canary_Touched,
	};

	## Networks that are ours and that the world can reach. :zeek:see:`Site::local_nets` is not used: Zeek counts
	## documentation and private ranges as local, and a monitored network need not be one that is searched for.
	option owned_nets: set[subnet] = {};

	## Domains that are ours, lower-case A-labels without the root dot; each stands for all names under it.
	option owned_zones: set[string] = {};

	## Our AS numbers.
	option owned_asns: set[count] = {};

	## Our brands, lower-case, words joined by single blanks.
	option owned_brands: set[string] = {};

	## Name servers of ours that the world asks.
	option nameservers: set[subnet] = {};

	## Name servers of others that may transfer our zones.
	option secondaries: set[subnet] = {};

	## From where people of ours look things up; what is in :zeek:see:`ReconWatch::owned_nets` is inside too.
	option inside_nets: set[subnet] = { 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, 100.64.0.0/10, [fc00::]/7, [fe80::]/10 };

	## Hosts that are not one person's: who asks for others is not judged by how much it asks.
	option resolvers: set[subnet] = {};
	option proxies: set[subnet] = {};
	option nats: set[subnet] = {};
	option mail_servers: set[subnet] = {};
	option own_scanners: set[subnet] = {};
	option balancers: set[subnet] = {};

	## Clients are seen before resolvers and proxies: what those ask upstream is then told of nobody.
	option sees_clients: bool = F;

	## The sensor sees connections, not only DNS: then a name that was only resolved is no use of a database.
	option sees_connections: bool = T;

	## Why, when and for what a party is trusted.
	type Trust: record {
		reason: string;
		## The first moment; unset: from ever.
		since: time &optional;
		## The first moment no more; unset: without end.
		until: time &optional;
		lookups: bool &default=T;
		probes: bool &default=F;
	};

	## Who is trusted; the most specific network that holds at the time decides.
	option trusted: table[subnet] of Trust = {};

	## A bait that only a database could have given away.
	type Canary: record {
		## "name", "address" or "path".
		kind: string;
		## An A-label name, an address, or a path with its leading slash.
		value: string;
		## Where it was planted: the database that a touch of it points to.
		planted: string &optional;
		since: time &optional;
	};

	## Baits.
	option canaries: vector of Canary = vector();

	## One thing that one party did that means something: a row of reconwatch.log.
	type Info: record {
		## When the party acted: the query, the hello, the request, the connection's start.
		ts: time &log;
		uid: string &log &optional;
		id: conn_id &log &optional;
		## "lookup" or "probe".
		direction: string &log;
		## What showed it: "dns", "tls", "quic", "http", "whois" or "conn".
		kind: string &log;
		## Who acted.
		actor: addr &log;
		## Its roles: "host", or "resolver", "proxy", "nat", "mail", "scanner", "balancer"; "outside" of a probe.
		actor_role: set[string] &log;
		## Why the site trusts it.
		trusted: string &log &optional;
		## Id of the database (of a lookup) or of the crawler (of a probe) in the catalog.
		service: string &log &optional;
		## ATT&CK technique.
		technique: string &log;
		## Assets of ours that it names, each "kind:value": domain, ip, range, asn, brand.
		targets: vector of string &log &default=vector();
		## The name that was asked for, of the hello, of the request; of a connection the name that DNS gave its server.
		host: string &log &optional;
		## Of a DNS question, numeric.
		qtype: count &log &optional;
		## Of a request; ``uri`` as sent (of a probe as http.log has it, decoded once), with its credentials struck out.
		method: string &log &optional;
		uri: string &log &optional;
		user_agent: string &log &optional;
		status_code: count &log &optional;
		## The line sent to a WHOIS server.
		query: string &log &optional;
		## The reconnaissance client that it gives away.
		tool: string &log &optional;
		## The bait that was touched.
		canary: string &log &optional;
		## What DNS called the server of a hello or request that carries no name itself.
		server_name: string &log &optional;
		## Of a connection, for a port is logged as a number.
		proto: transport_proto &log &optional;
	};

	## Decides what is logged; break to leave a row out.
	global log_policy: Log::PolicyHook;

	## A row as it is written.
	global log_reconwatch: event(rec: Info);

	## Raised once for each row, on the one node that counts what the actor does.
	global sighted: event(rec: Info);

	## Log a sighting and have it counted. To be called on the node that saw it.
	global sight: function(rec: Info);

	## Whether this node counts what parties do: a proxy or the manager, or a Zeek without a cluster.
	global counts_here: function(): bool;

	## Have an event raised on the one node that counts what *key* does: a proxy, by rendezvous hashing, or the manager
	## if no proxy is there. To be called where :zeek:see:`ReconWatch::counts_here` is false.
	global hand_on: function(key: addr, ev: Cluster::Event);

	## What a notice is made of.
	type Finding: record {
		note: Notice::Type;
		## When the threshold was crossed.
		ts: time;
		actor: addr;
		actor_role: set[string];
		trusted: string &optional;
		## Ids of databases or crawlers, sorted.
		services: vector of string &default=vector();
		technique: string;
		## As in :zeek:see:`ReconWatch::Info`.
		targets: vector of string &default=vector();
		## What tells it from others of the same note, actor and day.
		key: string &default="";
		score: count;
		msg: string;
		uid: string &optional;
		id: conn_id &optional;
		## How much was counted.
		n: count &default=1;
	};

	## Asked of each finding before it becomes a notice: break to leave it out; its fields may be changed.
	global notice_policy: hook(f: Finding);

	## Raise a notice, once for each note, actor, services (and key) and UTC day.
	global raise_finding: function(f: Finding);

	## Whether a party is one of ours.
	global is_inside: function(a: addr): bool;

	## Whether an address is ours and open to the world.
	global is_owned: function(a: addr): bool;

	## The roles of an address on our side: {"host"} if it has none.
	global roles_of: function(a: addr): set[string];

	## Whether roles say that a party asks for others.
	global stands_for_others: function(roles: set[string]): bool;

	## Why a party is trusted at a time, if it is; "" otherwise.
	global trust_of: function(a: addr, at: time, direction: string): string;

	## A number and what it counts: "1 address", "3 addresses".
	global counted: function(n: count, one: string, many: string &default=""): string;

	## The start of the UTC day, or of another *width*, that holds a time.
	global window_start: function(at: time, width: interval &default=1day): time;
}

event zeek_init() &priority=5
	{
	Log::create_stream(LOG, Log::Stream($columns=Info, $path="reconwatch", $ev=log_reconwatch, $policy=log_policy));
	}

function counts_here(): bool
	{
	return ! Cluster::is_enabled() || Cluster::local_node_type() != Cluster::WORKER;
	}

function hand_on(key: addr, ev: Cluster::Event)
	{
	if ( ! Cluster::publish_hrw(Cluster::proxy_pool, key, ev) )
		Cluster::publish(Cluster::manager_topic, ev);
	}

## By which address a row is handed on: that of its actor. A resolver's or proxy's view of a lookup belongs to the client
## for whom it asks, which is known only where both are seen: then lookups, which are rare, are all counted on one node.
function counting_key(rec: Info): addr
	{
	if ( rec$direction == "lookup" && ! sees_clients && |resolvers| + |proxies| > 0 )
		return 0.0.0.0;
	return rec$actor;
	}

function sight(rec: Info)
	{
	Log::write(LOG, rec);
	if ( counts_here() )
		event ReconWatch::sighted(rec);
	else
		hand_on(counting_key(rec), Cluster::make_event(ReconWatch::sighted, rec));
	}

## Scores from which the first and the second line are asked to look, as reconwatch counts them.
const investigate = 30;
const escalate = 60;

function verdict_of(score: count): string
	{
	return score >= escalate ? "escalate" : score >= investigate ? "investigate" : "monitor";
	}

function raise_finding(f: Finding)
	{
	if ( ! hook notice_policy(f) )
		return;
	local day = strftime("%Y-%m-%d", window_start(f$ts));
	local services = join_string_vec(f$services, ",");
	local n = Notice::Info(
	    $ts=f$ts, $note=f$note, $msg=f$msg, $src=f$actor, $n=f$n, $suppress_for=1day,
	    $sub=fmt("technique=%s score=%d verdict=%s services=%s targets=%s", f$technique, f$score,
	             verdict_of(f$score), services, join_string_vec(f$targets, ",")),
	    $identifier=fmt("%s %s %s %s", f$actor, services, f$key, day));
	if ( f?$uid )
		n$uid = f$uid;
	if ( f?$id )
		n$id = f$id;
	NOTICE(n);
	}

function is_owned(a: addr): bool
	{
	return a in owned_nets;
	}

function is_inside(a: addr): bool
	{
	return a in inside_nets || a in owned_nets;
	}

function roles_of(a: addr): set[string]
	{
	local roles: set[string] = set();
	if ( a in resolvers )
		add roles["resolver"];
	if ( a in proxies )
		add roles["proxy"];
	if ( a in nats )
		add roles["nat"];
	if ( a in mail_servers )
		add roles["mail"];
	if ( a in own_scanners )
		add roles["scanner"];
	if ( a in balancers )
		add roles["balancer"];
	if ( |roles| == 0 )
		add roles["host"];
	return roles;
	}

function stands_for_others(roles: set[string]): bool
	{
	return "resolver" in roles || "proxy" in roles || "nat" in roles;
	}

function trust_of(a: addr, at: time, direction: string): string
	{
	local width: count = 0;
	local found = F;
	local reason = "";
	for ( _, who in matching_subnets(addr_to_subnet(a), trusted) )
		{
		local trust = trusted[who];
		if ( trust?$since && at < trust$since )
			next;
		if ( trust?$until && at >= trust$until )
			next;
		if ( direction == "lookup" ? ! trust$lookups : ! trust$probes )
			next;
		if ( ! found || subnet_width(who) > width )
			{
			found = T;
			width = subnet_width(who);
			reason = trust$reason;
			}
		}
	return reason;
	}

## The last day that was asked for: nearly all that is asked is of one day.
global day_start = double_to_time(0.0);

function window_start(at: time, width: interval): time
	{
	if ( width == 1day && at >= day_start && at - day_start < 1day )
		return day_start;
	local seconds = time_to_double(at);
	local step = interval_to_double(width);
	local start = double_to_time(floor(seconds / step) * step);
	if ( width == 1day )
		day_start = start;
	return start;
	}

function counted(n: count, one: string, many: string): string
	{
	return fmt("%d %s", n, n == 1 ? one : many == "" ? one + "s" : many);
	}
