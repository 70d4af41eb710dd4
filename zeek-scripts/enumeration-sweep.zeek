##! Enumeration_Sweep: many open technical databases in a short time, which is how tools work.
##!
##! Credit is given for use, not for a resolved name (prefetch, mail gateways). Which tool it was is not told here: the
##! reconwatch service compares what was asked with the sources of the tools that it knows.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

export {
	## Databases in ten minutes: a person compares two or three.
	option enumeration_sweep_services: count = 5;
}

## Minutes: a tool asks its sources within seconds to a few minutes; the slow ones wait out rate limits.
const sweep_span = 10;

type Breadth: record {
	## By minute, what was used.
	minutes: table[count] of set[string] &default=table();
	## Databases of all spans that are broad enough and end on this day.
	swept: set[string] &default=set();
	## The minutes of these spans in which something was used.
	covered: set[count] &default=set();
	technique_of: table[string] of string &default=table();
	## By minute, the databases that were asked about us.
	naming: table[count] of set[string] &default=table();
};

global breadths: table[string] of Breadth &create_expire=state_life;

## Take in the spans that are broad enough now that something was added to *minute*.
function sweep(state: Breadth, minute: count, day: time)
	{
	local last = minute;
	while ( last < minute + sweep_span )
		{
		local members: set[string] = set();
		local used: set[count] = set();
		local today = F;
		local each = last + 1 - sweep_span;
		while ( each <= last )
			{
			if ( each in state$minutes )
				{
				members = members | state$minutes[each];
				add used[each];
				if ( each * 60.0 >= time_to_double(day) )
					today = T;
				}
			++each;
			}
		if ( today && |members| >= enumeration_sweep_services )
			{
			state$swept = state$swept | members;
			state$covered = state$covered | used;
			}
		++last;
		}
	}

## The minutes of a sweep, with the pauses between them that are shorter than a span.
function swept_minutes(covered: set[count]): set[count]
	{
	local ordered: vector of count = vector();
	for ( minute in covered )
		ordered += minute;
	sort(ordered);
	local all = copy(covered);
	local i = 1;
	while ( i < |ordered| )
		{
		local each = ordered[i - 1];
		while ( ordered[i] - ordered[i - 1] < sweep_span && each < ordered[i] )
			{
			add all[each];
			++each;
			}
		++i;
		}
	return all;
	}

function tell_sweep(state: Breadth, v: Visit, day: time)
	{
	local ids = sorted_strings(state$swept);
	local names: vector of string = vector();
	local techniques: set[string];
	for ( _, id in ids )
		{
		names += service_name(id);
		add techniques[state$technique_of[id]];
		}
	local extra: int = |ids|;
	extra -= enumeration_sweep_services;
	local points = +30 + (4 * extra > 20 ? +20 : 4 * extra);
	if ( |techniques| >= 3 )
		points += 10;
	for ( minute in swept_minutes(state$covered) )
		if ( minute in state$naming )
			{
			points += 20;
			break;
			}
	local f = found_in(v, Enumeration_Sweep, |ids|, points,
	    fmt("%s swept %d open technical databases: %s", v$actor, |ids|, shortened(names, 4)));
	f$services = ids;
	f$key = "sweep";
	f$technique = join_string_vec(sorted_strings(techniques), ",");
	tell(f, day);
	}

function observe_breadth(v: Visit, day: time)
	{
	local key = state_key(v, "", day);
	if ( key !in breadths )
		{
		if ( ! has_room(|breadths|, "Enumeration_Sweep") )
			return;
		breadths[key] = Breadth();
		}
	local state = breadths[key];
	local minute = minute_of(v$first);
	if ( |v$targets| > 0 )
		{
		if ( minute !in state$naming )
			state$naming[minute] = set();
		add state$naming[minute][v$service];
		}
	if ( v$strong )
		{
		if ( minute !in state$minutes )
			state$minutes[minute] = set();
		add state$minutes[minute][v$service];
		state$technique_of[v$service] = v$technique;
		sweep(state, minute, day);
		}
	if ( |state$swept| > 0 )
		tell_sweep(state, v, day);
	}

event ReconWatch::visited(v: Visit)
	{
	if ( stands_for_others(v$actor_role) || v$ordinary || ! v$connected )
		return;
	# A visit shortly before midnight counts for the sweeps of both days.
	local day = window_start(v$first);
	local reaches = window_start(v$first + (sweep_span - 1) * 1min);
	observe_breadth(v, day);
	if ( reaches != day )
		observe_breadth(v, reaches);
	}
