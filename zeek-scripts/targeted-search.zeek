##! Targeted_Search: a search that names one of our domains, addresses, ranges, AS numbers or brands.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

export {
	## Searches about us a day from which it is work, not curiosity.
	option targeted_search_volume: count = 10;

	## Distinct assets of ours a day: a person checks one or two.
	option targeted_search_breadth: count = 5;

	## What one search that names us weighs, by sub-technique: the more it gives away and the rarer it is in honest
	## work.
	option targeted_search_points: table[string] of int = {
		["T1596.001"] = 35,
		["T1596.002"] = 25,
		["T1596.003"] = 35,
		["T1596.004"] = 25,
		["T1596.005"] = 40,
	};

	## The most that one search weighs at a service which administrators and products ask every day.
	option targeted_search_ordinary_points: int = 25;
}

## Distinct assets that one notice lists.
const targeted_most_targets = 1000;

type Searches: record {
	queries: count &default=0;
	strong: bool &default=F;
	targets: set[string] &default=set();
};

global searches: table[string] of Searches &create_expire=state_life;

event ReconWatch::visited(v: Visit)
	{
	if ( |v$targets| == 0 )
		return;
	local day = window_start(v$first);
	local key = state_key(v, v$service, day);
	if ( key !in searches )
		{
		if ( ! has_room(|searches|, "Targeted_Search") )
			return;
		searches[key] = Searches();
		}
	local state = searches[key];
	state$queries += v$queries;
	if ( v$strong )
		state$strong = T;
	for ( target in v$targets )
		if ( |state$targets| < targeted_most_targets )
			add state$targets[target];

	local points = v$technique in targeted_search_points ? targeted_search_points[v$technique] : +25;
	if ( ! state$strong && points > targeted_search_ordinary_points )
		points = targeted_search_ordinary_points;
	if ( state$queries >= targeted_search_volume )
		points += 20;
	if ( |state$targets| >= targeted_search_breadth )
		points += 15;
	local targets = sorted_targets(state$targets);
	local f = found_in(v, Targeted_Search, state$queries, points,
	    fmt("%s looked up %s in %s", v$actor, shortened(values_of(targets)), service_name(v$service)));
	f$targets = targets;
	tell(f, day);
	}
