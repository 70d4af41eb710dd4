##! Recon_Tool: the user agent or WHOIS flags of a known reconnaissance client.
##!
##! A client that says who it is; whoever hides it is told by what it asks (Enumeration_Sweep).

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

type ToolUse: record {
	visits: count &default=0;
	naming: count &default=0;
	services: set[string] &default=set();
	techniques: set[string] &default=set();
};

global tool_uses: table[string] of ToolUse &create_expire=state_life;

event ReconWatch::visited(v: Visit)
	{
	if ( stands_for_others(v$actor_role) )
		return;
	local tools: set[string];
	for ( _, rec in v$events )
		if ( rec?$tool )
			add tools[rec$tool];
	local day = window_start(v$first);
	for ( tool in tools )
		{
		local key = state_key(v, tool, day);
		if ( key !in tool_uses )
			{
			if ( ! has_room(|tool_uses|, "Recon_Tool") )
				next;
			tool_uses[key] = ToolUse();
			}
		local state = tool_uses[key];
		++state$visits;
		state$naming += v$queries;
		add state$services[v$service];
		add state$techniques[v$technique];
		local names: set[string] = set();
		for ( id in state$services )
			add names[service_name(id)];
		local f = found_in(v, Recon_Tool, state$visits, state$naming > 0 ? +55 : +35,
		    fmt("%s used %s on %s", v$actor, tool, shortened(sorted_strings(names))));
		f$services = sorted_strings(state$services);
		f$technique = join_string_vec(sorted_strings(state$techniques), ",");
		f$key = tool;
		tell(f, day);
		}
	}
