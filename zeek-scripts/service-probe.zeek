##! Service_Probe: scanning clients, and paths that only scanners ask for, at web servers of ours.

@load ./probing
@load ./catalog

module ReconWatch;

export {
	## Kinds of things that people ask for too: nobody asks for so many of them a day.
	option service_weak = 3;
	## Kinds of things that only scanners ask for, from which it is no rain that falls on everybody.
	option service_strong = 3;
	## Sources that a node counts a day; of more nothing is counted.
	option most_service_sources = 20000;

	## What a request asks for that scanners ask for.
	global sought_by: function(uri: string): set[string];

	## A request that gives a scanner away; counted on one node.
	global service_probed: event(at: time, actor: addr, server: addr, tool: string, words: bool, ids: set[string]);
}

type ServicesAsked: record {
	tools: set[string];
	strong: set[string];
	weak: set[string];
	servers: set[addr];
	level: count &default=0;
	requests: count &default=0;
};

global service_sources: table[time, addr] of ServicesAsked &write_expire=25hrs;

## What was found of requests that come again and again; changed options hold for them five minutes later.
global sought_cache: table[string] of set[string] &create_expire=5min;

function find_sought(cut: string): set[string]
	{
	local found: set[string] = set();
	local whole = to_lower(split_string1(cut, /#/)[0]);
	local parts = split_string1(whole, /\?/);
	local path = gsub(parts[0], /\/\/+/, "/");
	whole = |parts| == 2 ? path + "?" + parts[1] : path;
	local bare = gsub(path, /\/+$/, "");
	if ( path in sought_paths )
		found = copy(sought_paths[path]);
	else if ( bare in sought_paths )
		found = copy(sought_paths[bare]);
	else if ( whole in sought_paths )
		found = copy(sought_paths[whole]);
	for ( beginning, id in sought_beginnings )
		if ( starts_with(whole, beginning) )
			add found[id];
	return found;
	}

function sought_by(uri: string): set[string]
	{
	# Its sender chooses how long it is; Zeek has undone its escapes.
	local cut = |uri| > 1024 ? sub_bytes(uri, 1, 1024) : uri;
	if ( cut !in sought_cache )
		{
		if ( |sought_cache| >= most_cached )
			sought_cache = table();
		sought_cache[cut] = find_sought(cut);
		}
	return sought_cache[cut];
	}

function in_order(ids: set[string]): string
	{
	local all: vector of string = vector();
	for ( id in ids )
		all += id;
	return join_string_vec(sort(all, strcmp), ",");
	}

event ReconWatch::service_probed(at: time, actor: addr, server: addr, tool: string, words: bool, ids: set[string])
	{
	local day = window_start(at);
	local source = source_of(actor);
	if ( [day, source] !in service_sources )
		{
		if ( |service_sources| >= most_service_sources )
			return;
		service_sources[day, source] = ServicesAsked($tools=set(), $strong=set(), $weak=set(), $servers=set());
		}
	local it = service_sources[day, source];
	++it$requests;
	if ( |it$servers| < 256 )
		add it$servers[server];
	if ( tool != "" )
		add it$tools[tool];
	for ( id in ids )
		if ( id in sought )
			{
			if ( sought[id]$strong )
				add it$strong[id];
			else
				add it$weak[id];
			}
	local points: count = 0;
	if ( |it$tools| > 0 )
		points += 25;
	if ( |it$strong| > 0 )
		points += |it$strong| < service_strong ? 20 : 35;
	if ( |it$weak| >= service_weak )
		points += |it$weak| < 2 * service_weak ? 10 : 20;
	if ( points <= it$level )
		return;
	it$level = points;
	local looked: vector of string = vector();
	for ( id in it$strong )
		looked += sought[id]$what;
	for ( id in it$weak )
		looked += sought[id]$what;
	local targets: vector of string = vector();
	for ( a in it$servers )
		targets += fmt("ip:%s", a);
	local with = |it$tools| > 0 ? fmt(" with %s", join_string_set(it$tools, ", ")) : "";
	tell_probe(Service_Probe, at, actor, fmt("%s", source), points, words ? "T1595.003" : "T1595.002",
	           fmt("%s probed %s of ours%s: %s", actor, counted(|it$servers|, "web server"), with, join_string_vec(looked, ", ")),
	           it$requests, sort(targets, strcmp), vector());
	}

hook probed_by_http(rec: HTTP::Info)
	{
	local id = rec$id;
	if ( forwards(id$orig_h) )
		return;
	local agent = rec?$user_agent ? rec$user_agent : "";
	local client = client_by_agent(agent);
	local ids = sought_by(rec$uri);
	local tool = client$who;
	local words = client$words;
	if ( tool == "" )
		for ( each in ids )
			if ( sought[each]$tool != "" )
				{
				tool = sought[each]$tool;
				words = sought[each]$words;
				}
	if ( (tool == "" && |ids| == 0) || is_sure_crawler(id$orig_h, agent) )
		return;
	local what = fmt("%s %s %s", source_of(id$orig_h), tool, in_order(ids));
	if ( is_news(fmt("service %s %s", id$resp_h, what), rec$ts) )
		{
		local row = probe_row(rec$ts, rec$uid, id, "http", words ? "T1595.003" : "T1595.002");
		add_request(row, rec);
		if ( tool != "" )
			row$tool = tool;
		sight(row);
		if ( counts_here() )
			event ReconWatch::service_probed(rec$ts, id$orig_h, id$resp_h, tool, words, ids);
		else
			hand_on(source_of(id$orig_h), Cluster::make_event(ReconWatch::service_probed, rec$ts, id$orig_h, id$resp_h,
			                                                  tool, words, ids));
		}
	}
