##! What servers are called, by the DNS answers that a client was given: for connections that carry no name themselves.

@load base/protocols/dns
@load ./main
@load ./claims

module ReconWatch;

export {
	## The least time for which an answer is taken to be used, whatever its TTL: browsers keep it so long.
	option shortest_ttl: interval = 60secs;

	## Answers for other names after which an address names nobody: a large CDN's edge, a sinkhole, a captive portal.
	option crowd: count = 256;

	## Addresses of services, and names given, that are remembered at most.
	option most_names: count = 50000;

	## The name that DNS gave the server of a connection at a time; "" if none did.
	global name_given: function(client: addr, server: addr, p: port, at: time): string;

	## Whether a service's name was seen to give an address.
	global is_known_server: function(server: addr): bool;
}

type Given: record {
	name: string;
	till: time;
	## To whom; unset: to several.
	client: addr &optional;
};

function time_left(g: Given): interval
	{
	return g$till > network_time() ? g$till - network_time() : 0secs;
	}

global given_left: function(t: table[addr, addr] of Given, client: addr, server: addr): interval;
global anybody_left: function(t: table[addr] of Given, server: addr): interval;
global family_left: function(t: table[bool, addr] of Given, v6: bool, server: addr): interval;

global given: table[addr, addr] of Given &write_expire=1hr &expire_func=given_left;
global given_anybody: table[addr] of Given &write_expire=1hr &expire_func=anybody_left;
global given_family: table[bool, addr] of Given &write_expire=1hr &expire_func=family_left;

function given_left(t: table[addr, addr] of Given, client: addr, server: addr): interval
	{
	return time_left(t[client, server]);
	}

function anybody_left(t: table[addr] of Given, server: addr): interval
	{
	return time_left(t[server]);
	}

function family_left(t: table[bool, addr] of Given, v6: bool, server: addr): interval
	{
	return time_left(t[v6, server]);
	}

## Addresses of services, with how many answers gave them for other names.
global servers: table[addr] of count &read_expire=1day;

## Addresses that speak for nobody.
global crowded: set[addr] &create_expire=1day;

function is_known_server(server: addr): bool
	{
	return server in servers;
	}

function renewed(known: bool, before: Given, name: string, client: addr, till: time): Given
	{
	local g = Given($name=name, $till=till);
	if ( ! known || before$till < network_time() || (before?$client && before$client == client) )
		g$client = client;
	return g;
	}

function learn(client: addr, name: string, server: addr, ttl: interval)
	{
	local till = network_time() + (ttl > shortest_ttl ? ttl : shortest_ttl);
	local none = Given($name="", $till=till);
	local v6 = is_v6_addr(client);
	if ( |given| < most_names || [client, server] in given )
		given[client, server] = Given($name=name, $till=till, $client=client);
	if ( |given_anybody| < most_names || server in given_anybody )
		given_anybody[server] = renewed(server in given_anybody, server in given_anybody ? given_anybody[server] : none, name, client, till);
	local roles = roles_of(client);
	if ( "resolver" in roles || "proxy" in roles )
		return;
	if ( |given_family| < most_names || [v6, server] in given_family )
		given_family[v6, server] = renewed([v6, server] in given_family,
		    [v6, server] in given_family ? given_family[v6, server] : none, name, client, till);
	}

function name_given(client: addr, server: addr, p: port, at: time): string
	{
	if ( [client, server] in given && at <= given[client, server]$till )
		return given[client, server]$name;
	if ( p == 43/tcp )
		return server in given_anybody && at <= given_anybody[server]$till ? given_anybody[server]$name : "";
	local other = ! is_v6_addr(client);
	if ( [other, server] in given_family )
		{
		local g = given_family[other, server];
		if ( g?$client && at <= g$till )
			return g$name;
		}
	return "";
	}

function take_answer(c: connection, msg: dns_msg, ans: dns_answer, a: addr)
	{
	if ( ans$answer_type != DNS_ANS || ! msg$QR || c$id$resp_p != 53/udp && c$id$resp_p != 53/tcp )
		return;
	local name = c?$dns && c$dns?$query ? to_lower(c$dns$query) : to_lower(ans$query);
	local claimed = by_name(name) != "";
	if ( claimed )
		{
		if ( a !in crowded && a !in servers && |servers| < most_names )
			servers[a] = 0;
		}
	else if ( a in servers )
		{
		if ( ++servers[a] > crowd )
			{
			delete servers[a];
			add crowded[a];
			}
		}
	else
		return;
	learn(c$id$orig_h, name, a, ans$TTL);
	}

# Behind base/protocols/dns, which notes what was asked.
event dns_A_reply(c: connection, msg: dns_msg, ans: dns_answer, a: addr) &priority=2
	{
	take_answer(c, msg, ans, a);
	}

event dns_AAAA_reply(c: connection, msg: dns_msg, ans: dns_answer, a: addr) &priority=2
	{
	take_answer(c, msg, ans, a);
	}
