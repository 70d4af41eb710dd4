##! What is known of open technical databases: the shape of the data in catalog/, all of it options.

module ReconWatch;

export {
	## A parameter of a request, by which it names its target.
	type Parameter: record {
		## Lower-case.
		name: string;
		## As ``path`` of :zeek:see:`ReconWatch::Query`.
		value: vector of string;
	};

	## One form in which a query names its target: docs/catalog.md.
	type Query: record {
		## "http", "whois" or "dns".
		layer: string;
		## Text, kind of a placeholder, text, kind, ..., text.
		path: vector of string;
		parameters: vector of Parameter &default=vector();
	};

	## One open technical database.
	type Service: record {
		name: string;
		## ATT&CK technique.
		technique: string;
		## A bare visit says much.
		strong: bool &default=F;
		## A visit says nothing by itself, and is counted only.
		ordinary: bool &default=F;
		## Its queries are DNS queries: to resolve a name under it is the lookup itself.
		asked_in_dns: bool &default=F;
		## Of certificate transparency: "log", or "search" over logs.
		ct: string &default="";
		## Names below its own that are something else.
		not_hosts: set[string] &default=set();
		## The forms of its queries, those that say most first.
		queries: vector of Query &default=vector();
	};

	## A service's claim of a part of a busy host.
	type PathClaim: record {
		prefix: string;
		service: string;
	};

	## What a client says of itself.
	type Phrase: record {
		## Searched in the text with a blank before and behind it.
		form: pattern;
		## Empty: what administrators use all day.
		tool: string;
		## It begins with the character before the phrase.
		bordered: bool &default=F;
	};

	## Services by id.
	option services: table[string] of Service = {
		["reverse-dns"] = Service($name="reverse DNS", $technique="T1596.001", $ordinary=T, $asked_in_dns=T,
		    $queries=vector(Query($layer="dns", $path=vector("", "reversed", ".in-addr.arpa")),
		                    Query($layer="dns", $path=vector("", "reversed", ".ip6.arpa")))),
	};

	## Ids of services by host name, lower-case A-labels; a name stands for all below it, ``=name`` for itself only.
	option hosts: table[string] of string = {};

	## Parts of busy hosts, by host; the longest prefix first.
	option paths: table[string] of vector of PathClaim = {};

	## Services that any server of others on this port is, if nobody else claims it.
	option ports: table[port] of string = {};

	## Parameters that carry credentials at a host and below it, letters and digits only.
	option secrets: table[string] of set[string] = {};

	## Paths that carry credentials at a host and below it: ``{secret}`` stands for the segment that does.
	option secret_paths: table[string] of vector of string = {};

	## Clients by user agent, the longest text first.
	option tool_agents: vector of Phrase = vector();

	## Clients by what their WHOIS lines hold, the longest text first.
	option tool_whois: vector of Phrase = vector();

	## Zones of ours with letters beyond ASCII as people write them, to their A-labels.
	option zone_spellings: table[string] of string = {};
}

