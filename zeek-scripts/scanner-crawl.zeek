##! Scanner_Crawl: the crawler of a scan database collected from an address of ours, or somebody says he is it.
##!
##! Reverse names, by which reconwatch also knows crawlers, are not used: the answers may pass another worker.

@load ./probing
@load ./catalog

module ReconWatch;

export {
	## A crawler got an answer from an address of ours; counted on one node.
	global crawled: event(at: time, actor: addr, server: addr, doing: string, claimed: bool);
}

event ReconWatch::crawled(at: time, actor: addr, server: addr, doing: string, claimed: bool)
	{
	if ( doing !in crawlers )
		return;
	local it = crawlers[doing];
	local trust = trust_of(actor, at, "probe");
	if ( ! is_news(fmt("crawl %s %s %s %s", doing, claimed, trust != "", asset_of(server)), at) )
		return;
	local technique = it$kind == "database" ? "T1596.005" : "T1595.001";
	local points: count = claimed ? 15 : it$kind == "on-demand" ? 10 : 5;
	local msg = claimed ? fmt("%s claims to be %s and collected %s", actor, it$name, server)
	                    : fmt("%s (%s) collected %s", it$name, actor, server);
	tell_probe(Scanner_Crawl, at, actor, fmt("%s %s %s", doing, claimed, asset_of(server)), points, technique, msg, 1,
	           vector(fmt("ip:%s", server)), it$databases);
	}

function collect(at: time, uid: string, id: conn_id, kind: string, who: string, claimed: bool, answered: bool,
                 told: function(row: Info))
	{
	if ( who !in crawlers )
		return;
	local technique = crawlers[who]$kind == "database" ? "T1596.005" : "T1595.001";
	if ( is_news(fmt("row %s %s %s", id$orig_h, asset_of(id$resp_h), id$resp_p), at) )
		{
		local rec = probe_row(at, uid, id, kind, technique);
		rec$service = who;
		told(rec);
		sight(rec);
		}
	if ( ! answered || ! is_news(fmt("told %s %s %s %s", id$orig_h, asset_of(id$resp_h), who, claimed), at) )
		return;
	if ( counts_here() )
		event ReconWatch::crawled(at, id$orig_h, id$resp_h, who, claimed);
	else
		hand_on(node_key(who), Cluster::make_event(ReconWatch::crawled, at, id$orig_h, id$resp_h, who, claimed));
	}

hook probed_by_conn(rec: Conn::Info, fate: Fate)
	{
	local id = rec$id;
	if ( id$orig_h in crawler_nets )
		collect(rec$ts, rec$uid, id, "conn", crawler_nets[id$orig_h], F, fate$answered || fate$conversed,
		        function[rec](row: Info) { row$proto = rec$proto; });
	}

hook probed_by_http(rec: HTTP::Info)
	{
	local id = rec$id;
	local by_range = id$orig_h in crawler_nets;
	local who = by_range ? crawler_nets[id$orig_h] : rec?$user_agent ? crawler_by_agent(rec$user_agent)$who : "";
	if ( who != "" )
		collect(rec$ts, rec$uid, id, "http", who, ! by_range, T, function[rec](row: Info) { add_request(row, rec); });
	}
