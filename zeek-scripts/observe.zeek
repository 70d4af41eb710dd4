##! Lookups, as they are seen: DNS questions, hellos, requests, WHOIS lines, and connections to servers that only a DNS
##! answer named.

@load base/protocols/conn
@load base/protocols/dns
@load base/protocols/http
@load base/protocols/ssl
@load ./main
@load ./claims
@load ./credentials
@load ./names
@load ./targets
@load ./whois

module ReconWatch;

export {
	## A response to a question that was seen less than this before tells nothing more. Without its question, as a tap on
	## one direction sees it, it stands for the question that it repeats.
	option answer_life: interval = 60secs;

	## Questions for names of services that are remembered so long at most.
	option most_asked: count = 16384;
}

redef record HTTP::Info += {
	## The request's target as it was sent.
	reconwatch_target: string &optional;
};

type Hello: record {
	ts: time;
	kind: string;
	named: bool &default=F;
};

redef record connection += {
	reconwatch_hello: Hello &optional;
	## What DNS called the server when the connection began.
	reconwatch_server: string &optional;
};

## When questions for names of services were seen, by who asked, with what number, for what.
global seen_questions: table[string] of time &create_expire=2min;

function tell_lookup(c: connection, ts: time, kind: string, service: string, rec: Info)
	{
	rec$ts = ts;
	rec$uid = c$uid;
	rec$id = c$id;
	rec$kind = kind;
	rec$direction = "lookup";
	rec$actor = c$id$orig_h;
	rec$actor_role = roles_of(c$id$orig_h);
	rec$service = service;
	rec$technique = services[service]$technique;
	local why = trust_of(c$id$orig_h, ts, "lookup");
	if ( why != "" )
		rec$trusted = why;
	sight(rec);
	}

function blank(c: connection): Info
	{
	return Info($ts=network_time(), $direction="lookup", $kind="", $actor=c$id$orig_h, $actor_role=set(), $technique="");
	}

# ---------------------------------------------------------------- DNS

function question_key(c: connection, msg: dns_msg, query: string, qtype: count): string
	{
	return cat(c$id$orig_h, " ", c$id$orig_p, " ", c$id$resp_h, " ", msg$id, " ", qtype, " ", query);
	}

function tell_question(c: connection, msg: dns_msg, id: string, query: string, qtype: count)
	{
	if ( ! is_inside(c$id$orig_h) || msg$opcode == 1 || msg$opcode == 5 )
		return;
	if ( c$id$resp_p != 53/udp && c$id$resp_p != 53/tcp )
		return;
	local key = question_key(c, msg, query, qtype);
	if ( ! msg$QR )
		{
		if ( |seen_questions| < most_asked )
			seen_questions[key] = network_time();
		}
	else if ( key in seen_questions && network_time() - seen_questions[key] < answer_life )
		return;
	local rec = blank(c);
	rec$host = query;
	rec$qtype = qtype;
	if ( services[id]$asked_in_dns )
		rec$targets = targets_in(id, "dns", query);
	tell_lookup(c, network_time(), "dns", id, rec);
	}

event dns_request(c: connection, msg: dns_msg, query: string, qtype: count, qclass: count)
	{
	local id = by_name(query);
	if ( id != "" )
		tell_question(c, msg, id, query, qtype);
	}

event dns_query_reply(c: connection, msg: dns_msg, query: string, qtype: count, qclass: count)
	{
	local id = by_name(query);
	if ( id != "" )
		tell_question(c, msg, id, query, qtype);
	}

# ---------------------------------------------------------------- TLS and QUIC

## A Zeek without Spicy has no analyzer of QUIC; other hellos over UDP are those of DTLS.
function is_quic(c: connection): bool
	{
	for ( protocol in c$service )
		if ( protocol == "QUIC" || protocol == "SSL" && c$id$resp_p == 443/udp )
			return T;
@ifdef ( QUIC::finalize_quic )
	return c?$quic;
@else
	return F;
@endif
	}

function hello_kind(c: connection): string
	{
	return get_port_transport_proto(c$id$resp_p) == tcp ? "tls" : is_quic(c) ? "quic" : "";
	}

event ssl_client_hello(c: connection, version: count, record_version: count, possible_ts: time, client_random: string, session_id: string, ciphers: index_vec, comp_methods: index_vec)
	{
	if ( ! c?$reconwatch_hello && is_known_server(c$id$resp_h) )
		c$reconwatch_hello = Hello($ts=network_time(), $kind=hello_kind(c));
	}

event ssl_extension_server_name(c: connection, is_client: bool, names: string_vec)
	{
	if ( ! is_client || |names| == 0 )
		return;
	local name = to_lower(names[0]);
	if ( c?$reconwatch_hello && c$reconwatch_hello$named )
		return;
	local id = by_name(name);
	if ( id == "" && ! c?$reconwatch_hello && ! is_known_server(c$id$resp_h) )
		return;
	c$reconwatch_hello = Hello($ts=network_time(), $kind=hello_kind(c), $named=T);
	if ( id == "" || c$reconwatch_hello$kind == "" || ! is_inside(c$id$orig_h) )
		return;
	local rec = blank(c);
	rec$host = name;
	tell_lookup(c, network_time(), c$reconwatch_hello$kind, id, rec);
	}

function tell_nameless_hello(c: connection)
	{
	local hello = c$reconwatch_hello;
	if ( hello$named || hello$kind == "" || ! is_inside(c$id$orig_h) )
		return;
	local name = name_given(c$id$orig_h, c$id$resp_h, c$id$resp_p, hello$ts);
	local id = name == "" ? "" : by_name(name);
	if ( id == "" )
		return;
	local rec = blank(c);
	rec$server_name = name;
	tell_lookup(c, hello$ts, hello$kind, id, rec);
	}

# ---------------------------------------------------------------- HTTP

## Authorities come again and again.
global bare_hosts: table[string] of string;

function bare_host_of(authority: string): string
	{
	local at = rfind_str(authority, "@");
	local host = to_lower(strip(at < 0 ? authority : authority[at + 1:]));
	if ( starts_with(host, "[") )
		return split_string1(host[1:], /\]/)[0];
	local colon = find_str(host, ":");
	if ( colon >= 0 && colon == rfind_str(host, ":") )
		host = gsub(host, /:[0-9]*$/, "");
	return ends_with(host, ".") ? gsub(host, /\.+$/, "") : host;
	}

## The host of an authority: no user, port, brackets or root dot; lower-case (RFC 3986 section 3.2).
function bare_host(authority: string): string
	{
	if ( authority in bare_hosts )
		return bare_hosts[authority];
	if ( |bare_hosts| >= most_claims )
		bare_hosts = table();
	local host = bare_host_of(authority);
	if ( |authority| <= longest_name )
		bare_hosts[authority] = host;
	return host;
	}

event http_request(c: connection, method: string, original_URI: string, unescaped_URI: string, version: string)
	{
	if ( c?$http )
		c$http$reconwatch_target = original_URI;
	}

function tell_connect(c: connection, host: string)
	{
	local id = by_name(host);
	if ( id == "" || ! is_inside(c$id$orig_h) )
		return;
	local rec = blank(c);
	rec$host = host;
	rec$method = "CONNECT";
	tell_lookup(c, c$http$ts, "tls", id, rec);
	}

## A request whose head is whole, or as far as it came.
function tell_request(c: connection)
	{
	if ( ! c?$http || ! c$http?$reconwatch_target || ! c$http?$method )
		return;
	local target = c$http$reconwatch_target;
	delete c$http$reconwatch_target;
	local host = c$http?$host ? c$http$host : "";
	# The preface of HTTP/2, for which Zeek has no analyzer: the connection is told by its address.
	if ( c$http$method == "PRI" )
		return;
	if ( c$http$method == "CONNECT" )
		{
		tell_connect(c, bare_host(starts_with(target, "/") ? host : split_string1(target, /[ \t]/)[0]));
		return;
		}
	local uri = target;
	if ( ! starts_with(target, "/") && /^[A-Za-z][A-Za-z0-9+.\-]*:\/\// in target )
		{
		local rest = split_string1(target, /:\/\//)[1];
		host = split_string1(rest, /[\/?#]/)[0];
		uri = rest[|host|:];
		if ( ! starts_with(uri, "/") )
			uri = "/" + uri;
		}
	host = bare_host(host);
	local name = host;
	if ( name == "" && is_known_server(c$id$resp_h) )
		name = name_given(c$id$orig_h, c$id$resp_h, c$id$resp_p, c$http$ts);
	local id = name == "" ? "" : by_url(name, uri);
	if ( id == "" || ! is_inside(c$id$orig_h) )
		return;
	local rec = blank(c);
	if ( host != "" )
		rec$host = host;
	else
		rec$server_name = name;
	rec$method = c$http$method;
	rec$uri = struck_out(host, uri);
	rec$targets = targets_in(id, "http", rec$uri);
	if ( c$http?$user_agent )
		{
		rec$user_agent = c$http$user_agent;
		local tool = tool_of(c$http$user_agent, tool_agents);
		if ( tool != "" )
			rec$tool = tool;
		}
	if ( c$http?$status_code )
		rec$status_code = c$http$status_code;
	tell_lookup(c, c$http$ts, "http", id, rec);
	}

event http_message_done(c: connection, is_orig: bool, stat: http_message_stat) &priority=2
	{
	if ( is_orig && is_inside(c$id$orig_h) )
		tell_request(c);
	}

# ---------------------------------------------------------------- WHOIS, and servers by address

function by_address(c: connection, name: string): string
	{
	local id = name == "" ? "" : by_name(name);
	if ( id == "" && c$id$resp_p in ports && ! is_inside(c$id$resp_h) )
		id = ports[c$id$resp_p];
	return id in services ? id : "";
	}

event ReconWatch::whois_line(c: connection, at: time, line: string)
	{
	if ( ! is_inside(c$id$orig_h) )
		return;
	local name = name_given(c$id$orig_h, c$id$resp_h, c$id$resp_p, at);
	local id = by_address(c, name);
	if ( id == "" )
		return;
	local rec = blank(c);
	if ( name != "" )
		rec$host = name;
	rec$query = line;
	rec$targets = targets_in(id, "whois", line);
	local tool = tool_of(line, tool_whois);
	if ( tool != "" )
		rec$tool = tool;
	tell_lookup(c, at, "whois", id, rec);
	}

event connection_established(c: connection)
	{
	if ( c$id$resp_h in servers || c$id$resp_p in ports )
		c$reconwatch_server = name_given(c$id$orig_h, c$id$resp_h, c$id$resp_p, c$start_time);
	}

## Connections of these protocols have a record of their own that says the name: an address never overrides it.
const named_by_themselves: set[string] = { "ssl", "http", "quic", "dns" };

function is_named_by_itself(c: connection): bool
	{
	for ( protocol in c$service )
		if ( to_lower(protocol) in named_by_themselves )
			return T;
	return F;
	}

event connection_state_remove(c: connection)
	{
	if ( c?$reconwatch_hello )
		tell_nameless_hello(c);
	local name = "";
	if ( c?$reconwatch_server )
		{
		# Its handshake was completed.
		if ( ! ("S" in c$history && "h" in c$history && /[AD]/ in c$history) )
			return;
		name = c$reconwatch_server;
		}
	else if ( c$id$resp_p == 443/udp && c$id$resp_h in servers )
		name = name_given(c$id$orig_h, c$id$resp_h, c$id$resp_p, c$start_time);
	else
		return;
	if ( ! is_inside(c$id$orig_h) || (c$id$resp_p !in ports && is_named_by_itself(c)) )
		return;
	local id = by_address(c, name);
	if ( id == "" )
		return;
	local rec = blank(c);
	if ( name != "" )
		rec$host = name;
	rec$proto = get_port_transport_proto(c$id$resp_p);
	tell_lookup(c, c$start_time, "conn", id, rec);
	}
