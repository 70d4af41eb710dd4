##! What all probe behaviours share: crawlers, how a contact ended, how a probe finding is told, what is remembered.
##!
##! Behaviours read the rows that Zeek logs of connections, names, hellos and requests (the events of these logs): they
##! hold what the Python detectors read, and cost nothing where nobody probes. A log stream that a site switches off
##! (Log::disable_stream) tells nothing; one that is only filtered does.

@load base/protocols/conn
@load base/protocols/dns
@load base/protocols/http
@load base/protocols/quic
@load base/protocols/ssl
@load ./main
@load ./credentials

module ReconWatch;

export {
	## One operator's crawlers.
	type Crawler: record {
		name: string;
		operator: string;
		## "database", "survey" or "on-demand".
		kind: string;
		## Ids of the databases that it fills.
		databases: vector of string &default=vector();
		## Most of its addresses are in clouds and change hands: sure only if its agent agrees.
		rented: bool &default=F;
	};

	## What a user agent holds.
	type Agent: record {
		## Searched in the agent with a blank before and behind it.
		form: pattern;
		## Id of a crawler, or name of a client; empty: what everybody uses.
		who: string;
		## It tries the words of a list.
		words: bool &default=F;
	};

	## Something that scanners look for at web servers.
	type Sought: record {
		what: string;
		## Only a scanner asks for it.
		strong: bool &default=F;
		## The client that alone asks for it.
		tool: string &default="";
		## That client tries the words of a list.
		words: bool &default=F;
	};

	## Crawlers by id.
	option crawlers: table[string] of Crawler = {};
	## Whose addresses these are; the most specific network decides.
	option crawler_nets: table[subnet] of string = {};
	## Reverse names, whole labels or with one "*"; kept for scripts of a site: nothing here resolves names.
	option crawler_names: table[string] of string = {};
	## What crawlers say of themselves, the longest first.
	option crawler_agents: vector of Agent = vector();
	## What scanners look for, by id.
	option sought: table[string] of Sought = {};
	## Whole paths, lower-case.
	option sought_paths: table[string] of set[string] = {};
	## Beginnings of paths, lower-case.
	option sought_beginnings: table[string] of string = {};
	## Clients that scan, the longest text first.
	option scanning_agents: vector of Agent = vector();

	## Rows of probes that a node remembers as written, and first contacts that a worker remembers as handed on: when
	## there are more, it forgets all and begins anew. A row is then written, or a contact handed on, again.
	option most_remembered = 100000;

	## The crawler that an address is listed for; "" if none.
	global crawler_of: function(a: addr): string;

	## Whether an address is surely a crawler's: what it does is told as Scanner_Crawl alone.
	global is_sure_crawler: function(a: addr, agent: string): bool;

	## The first of :zeek:see:`ReconWatch::crawler_agents` that a user agent holds.
	global crawler_by_agent: function(text: string): Agent;

	## The first of :zeek:see:`ReconWatch::scanning_agents` that a user agent holds.
	global client_by_agent: function(text: string): Agent;

	## How a connection went, in the words of reconwatch.
	type Fate: record {
		## It is something that its client began, and no reply.
		begun: bool;
		## It was no conversation.
		probing: bool;
		## Something came back.
		answered: bool;
		## More was said than its opening.
		conversed: bool;
	};

	## What became of a connection.
	global fate_of: function(id: conn_id, proto: transport_proto, history: string): Fate;

	## Whether an address asks for others, so that what it does is not one party's.
	global forwards: function(a: addr): bool;

	## Who is counted as one: an address, of IPv6 its /64.
	global source_of: function(a: addr): addr;

	## Whether a row is to be written: not twice a day for one key.
	global is_news: function(key: string, at: time): bool;

	## Raise a finding of a probe; again only when its verdict rises.
	global tell_probe: function(note: Notice::Type, at: time, actor: addr, key: string, score: count, technique: string,
	                            msg: string, n: count, targets: vector of string, services: vector of string);

	## A row of an actor outside.
	global probe_row: function(at: time, uid: string, id: conn_id, kind: string, technique: string): Info;

	## A connection that somebody outside began to an address of ours.
	global probed_by_conn: hook(rec: Conn::Info, fate: Fate);
	## A DNS question from outside to a server of ours.
	global probed_by_dns: hook(rec: DNS::Info);
	## A hello from outside to an address of ours.
	global probed_by_hello: hook(at: time, id: conn_id, name: string);
	## A request from outside to an address of ours.
	global probed_by_http: hook(rec: HTTP::Info);

	## The most specific of our networks that holds an address, as text.
	global asset_of: function(a: addr): string;

	## A node for what is counted of many sources together.
	global node_key: function(what: string): addr;
}

## What of trust a score loses.
const trusted_points = 60;

## Ports that servers answer from over UDP: DNS, NTP, QUIC, and those that amplify floods; and all below 1024.
const replying: set[port] = { 1434/udp, 1900/udp, 3283/udp, 3478/udp, 3702/udp, 5353/udp, 5683/udp, 10001/udp,
                              11211/udp };

const reply_fate = Fate($begun=F, $probing=F, $answered=F, $conversed=F);

global probe_rows: set[string];
global probe_rows_day: time = double_to_time(0.0);

function crawler_of(a: addr): string
	{
	return a in crawler_nets ? crawler_nets[a] : "";
	}

## What was found of texts that come again and again; changed options hold for them five minutes later.
const most_cached = 4096;
global crawlers_by_agent: table[string] of Agent &create_expire=5min;
global clients_by_agent: table[string] of Agent &create_expire=5min;

function agent_of(agents: vector of Agent, text: string): Agent
	{
	local padded = " " + text + " ";
	for ( _, agent in agents )
		if ( agent$form in padded )
			return agent;
	return Agent($form=/$^/, $who="");
	}

function crawler_by_agent(text: string): Agent
	{
	# Its sender chooses how long it is.
	local said = |text| > 1024 ? sub_bytes(text, 1, 1024) : text;
	if ( said !in crawlers_by_agent )
		{
		if ( |crawlers_by_agent| >= most_cached )
			crawlers_by_agent = table();
		crawlers_by_agent[said] = agent_of(crawler_agents, said);
		}
	return crawlers_by_agent[said];
	}

function client_by_agent(text: string): Agent
	{
	local said = |text| > 1024 ? sub_bytes(text, 1, 1024) : text;
	if ( said !in clients_by_agent )
		{
		if ( |clients_by_agent| >= most_cached )
			clients_by_agent = table();
		clients_by_agent[said] = agent_of(scanning_agents, said);
		}
	return clients_by_agent[said];
	}

function is_sure_crawler(a: addr, agent: string): bool
	{
	local id = crawler_of(a);
	if ( id == "" || id !in crawlers )
		return F;
	return ! crawlers[id]$rented || (agent != "" && crawler_by_agent(agent)$who == id);
	}

function fate_of(id: conn_id, proto: transport_proto, history: string): Fate
	{
	local answered: bool;
	if ( proto == tcp )
		{
		local flipped = "s" in history && "H" in history;
		if ( ! flipped && "S" !in history )
			return reply_fate;
		answered = flipped || "h" in history;
		local established = flipped ? /[adf]/ in history : answered && /[ADF]/ in history;
		local spoke = flipped ? "d" in history : "D" in history;
		return Fate($begun=T, $probing=! spoke, $answered=answered, $conversed=spoke || established);
		}
	if ( proto == udp )
		{
		answered = "d" in history;
		local from = port_to_count(id$orig_p);
		local to = port_to_count(id$resp_p);
		if ( (from < 1024 || id$orig_p in replying) && to >= 1024 && from != to )
			return reply_fate;
		if ( answered && to >= 32768 && from >= 1024 )
			return reply_fate;
		return Fate($begun=T, $probing=! answered, $answered=answered, $conversed=answered);
		}
	# Of ICMP the type stands in the place of the port: echo requests.
	if ( proto == icmp && (id$orig_p == 8/icmp || id$orig_p == 128/icmp) )
		return Fate($begun=T, $probing=T, $answered=F, $conversed=F);
	return reply_fate;
	}

function forwards(a: addr): bool
	{
	return a in resolvers || a in proxies || a in nats || a in balancers;
	}

function source_of(a: addr): addr
	{
	return is_v6_addr(a) ? subnet_to_addr(mask_addr(a, 64)) : a;
	}

function is_news(key: string, at: time): bool
	{
	local day = window_start(at);
	if ( day > probe_rows_day || |probe_rows| >= most_remembered )
		{
		probe_rows = set();
		probe_rows_day = day;
		}
	local dated = fmt("%s %f", key, time_to_double(day));
	if ( dated in probe_rows )
		return F;
	add probe_rows[dated];
	return T;
	}

function tell_probe(note: Notice::Type, at: time, actor: addr, key: string, score: count, technique: string, msg: string,
                    n: count, targets: vector of string, services: vector of string)
	{
	local why = trust_of(actor, at, "probe");
	local points: count = why == "" ? score : score > trusted_points ? score - trusted_points : 0;
	local level = points >= 60 ? "escalate" : points >= 30 ? "investigate" : "monitor";
	local f = Finding($note=note, $ts=at, $actor=actor, $actor_role=set("outside"), $services=services,
	                  $technique=technique, $targets=targets, $key=fmt("%s %s", key, level), $score=points, $msg=msg,
	                  $n=n);
	if ( why != "" )
		f$trusted = why;
	raise_finding(f);
	}

function probe_row(at: time, uid: string, id: conn_id, kind: string, technique: string): Info
	{
	local rec = Info($ts=at, $uid=uid, $id=id, $direction="probe", $kind=kind, $actor=id$orig_h,
	                 $actor_role=set("outside"), $technique=technique);
	local why = trust_of(id$orig_h, at, "probe");
	if ( why != "" )
		rec$trusted = why;
	if ( is_owned(id$resp_h) )
		rec$targets += fmt("ip:%s", id$resp_h);
	return rec;
	}

## Adds a request, as http.log has it, to a row; its credentials are struck out.
function add_request(row: Info, rec: HTTP::Info)
	{
	if ( rec?$host )
		row$host = rec$host;
	if ( rec?$method )
		row$method = rec$method;
	if ( rec?$uri )
		row$uri = struck_out(to_lower(rec?$host ? rec$host : ""), rec$uri);
	if ( rec?$user_agent )
		row$user_agent = rec$user_agent;
	if ( rec?$status_code )
		row$status_code = rec$status_code;
	}

function node_key(what: string): addr
	{
	return count_to_v4_addr(fnv1a32(what));
	}

function asset_of(a: addr): string
	{
	local width: count = 0;
	local asset = "";
	for ( _, net in matching_subnets(addr_to_subnet(a), owned_nets) )
		if ( asset == "" || subnet_width(net) > width )
			{
			asset = fmt("%s", net);
			width = subnet_width(net);
			}
	return asset;
	}

## Whoever asks for each row looks first whether it came to us at all: most do not, and a call costs more than the look.
function from_outside(id: conn_id): bool
	{
	return id$resp_h in owned_nets && id$orig_h !in inside_nets && id$orig_h !in owned_nets;
	}

event Conn::log_conn(rec: Conn::Info)
	{
	if ( rec$id$resp_h !in owned_nets || ! from_outside(rec$id) )
		return;
	local fate = fate_of(rec$id, rec$proto, rec?$history ? rec$history : "");
	if ( fate$begun )
		hook probed_by_conn(rec, fate);
	}

event DNS::log_dns(rec: DNS::Info)
	{
	if ( rec$id$resp_h in owned_nets && from_outside(rec$id) )
		hook probed_by_dns(rec);
	}

event SSL::log_ssl(rec: SSL::Info)
	{
	if ( rec$id$resp_h in owned_nets && from_outside(rec$id) )
		hook probed_by_hello(rec$ts, rec$id, rec?$server_name ? rec$server_name : "");
	}

@ifdef ( QUIC::Info )
event QUIC::log_quic(rec: QUIC::Info)
	{
	if ( rec$id$resp_h in owned_nets && from_outside(rec$id) )
		hook probed_by_hello(rec$ts, rec$id, rec?$server_name ? rec$server_name : "");
	}
@endif

event HTTP::log_http(rec: HTTP::Info)
	{
	if ( rec$id$resp_h in owned_nets && from_outside(rec$id) && rec?$method && rec?$uri && rec$method != "CONNECT" && rec$method != "PRI" )
		hook probed_by_http(rec);
	}
