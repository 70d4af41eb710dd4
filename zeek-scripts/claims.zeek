##! Which service a name, a request or a port belongs to. The longest claim wins: a path over a host, a longer suffix
##! over a shorter one.

@load ./main
@load ./service

module ReconWatch;

export {
	## The service whose host this is, whatever is asked of it; "" for busy hosts and for everybody else.
	## *name* is lower-case.
	global by_name: function(name: string): string;

	## The service that a request in clear text goes to: by path on a busy host, else by host.
	global by_url: function(host: string, uri: string): string;

	## The client that a text gives away by one of some phrases; "" if none does.
	global tool_of: function(text: string, phrases: vector of Phrase): string;
}

## Longer names are none (RFC 1035 section 2.3.4).
const longest_name = 253;

## Names are asked for again and again. Kept for a moment only, since the options may change.
const most_claims = 20000;
global claims: table[string] of string &create_expire=1min;

function is_left_out(name: string, service: Service): bool
	{
	for ( host in service$not_hosts )
		if ( host[0] == "=" ? name == host[1:] : name == host || ends_with(name, "." + host) )
			return T;
	return F;
	}

function claim_of(name: string): string
	{
	if ( |name| > longest_name )
		return "";
	if ( ends_with(name, ".") )
		name = name[:-1];
	local id = "";
	local exact = "=" + name;
	if ( exact in hosts )
		id = hosts[exact];
	else
		{
		local parent = name;
		while ( T )
			{
			if ( parent in hosts )
				{
				id = hosts[parent];
				break;
				}
			local dot = find_str(parent, ".");
			if ( dot < 0 )
				return "";
			parent = parent[dot + 1:];
			}
		}
	if ( id !in services || is_left_out(name, services[id]) )
		return "";
	return id;
	}

function by_name(name: string): string
	{
	if ( name in claims )
		return claims[name];
	if ( |claims| >= most_claims )
		clear_table(claims);
	local id = claim_of(name);
	claims[name] = id;
	return id;
	}

function by_url(host: string, uri: string): string
	{
	if ( host in paths )
		for ( _, claim in paths[host] )
			if ( starts_with(uri, claim$prefix) && claim$service in services )
				return claim$service;
	return by_name(host);
	}

function forget_claims(id: string, value: any): any
	{
	clear_table(claims);
	return value;
	}

event zeek_init()
	{
	Option::set_change_handler("ReconWatch::hosts", forget_claims);
	Option::set_change_handler("ReconWatch::services", forget_claims);
	}

## Of a longer text only the beginning is read: its sender chooses it.
const longest_said = 1024;

function tool_of(text: string, phrases: vector of Phrase): string
	{
	local padded = " " + sub_bytes(text, 1, longest_said) + " ";
	local first: int = -1;
	local tool = "";
	for ( _, phrase in phrases )
		{
		if ( phrase$form !in padded )
			next;
		local at: int = |split_string1(padded, phrase$form)[0]| + (phrase$bordered ? 1 : 0);
		if ( first >= 0 && at >= first )
			next;
		first = at;
		tool = phrase$tool;
		}
	return tool;
	}
