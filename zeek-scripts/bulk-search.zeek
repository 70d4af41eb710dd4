##! Bulk_Search: volume or regularity that a person at a browser does not produce.
##!
##! Volume is told when it is reached. Regularity can only be judged of a whole day: it is told when the day is over.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

export {
	## HTTP requests in ten minutes: one every 20 s; a person reads the results.
	option bulk_search_requests: count = 30;

	## Connections in ten minutes: a browser opens at most six and uses them again.
	option bulk_search_connections: count = 30;

	## Distinct names in ten minutes under a service that is asked in DNS.
	option bulk_search_names: count = 30;

	## Visits a day from which their spacing can be judged.
	option bulk_search_visits: count = 12;

	## Spread of the pauses over their mean: a timer's is below 0.1, a person's above 0.5.
	option bulk_search_evenness: double = 0.1;
}

## Minutes over which volume is judged: longer than a burst of a page with its parts, shorter than a working session.
const bulk_span = 10;

## Distinct names kept a minute.
const bulk_most_names = 512;

## Visit starts kept a day: enough for one every five minutes.
const bulk_most_starts = 300;

type Volume: record {
	## By unit and minute.
	minutes: table[string] of table[count] of count &default=table();
	## By unit: the most in any ten minutes.
	peak: table[string] of count &default=table();
	names: table[count] of set[string] &default=table();
	visits: count &default=0;
	starts: vector of double &default=vector();
	naming: count &default=0;
	## A volume was told: that of a whole day says no more.
	told: bool &default=F;
	## The last visit: who, where.
	last: Visit;
};

global expire_volume: function(t: table[string] of Volume, key: string): interval;
global volumes: table[string] of Volume &create_expire=state_life &expire_func=expire_volume;

## Whether the pauses between visits are as a timer makes them.
function is_even(starts: vector of double): bool
	{
	local least = bulk_search_visits < 3 ? 3 : bulk_search_visits;
	if ( |starts| < least )
		return F;
	sort(starts);
	local pauses = |starts| - 1.0;
	local mean = (starts[|starts| - 1] - starts[0]) / pauses;
	local spread = 0.0;
	local i = 1;
	while ( i < |starts| )
		{
		local off = starts[i] - starts[i - 1] - mean;
		spread += off * off;
		++i;
		}
	return sqrt(spread / pauses) <= bulk_search_evenness * mean;
	}

function tell_evenness(state: Volume)
	{
	if ( state$told || ! is_even(state$starts) )
		return;
	local v = state$last;
	tell(found_in(v, Bulk_Search, state$visits, +10,
	     fmt("%s visits %s at even intervals", v$actor, service_name(v$service))), window_start(v$first));
	}

function expire_volume(t: table[string] of Volume, key: string): interval
	{
	tell_evenness(t[key]);
	return 0sec;
	}

event ReconWatch::last_words()
	{
	if ( ending )
		for ( _, state in volumes )
			tell_evenness(state);
	}

function forget_minutes(minutes: table[count] of count, before: count)
	{
	for ( minute in copy(minutes) )
		if ( minute < before )
			delete minutes[minute];
	}

function add_volume(state: Volume, v: Visit)
	{
	local unit = v$counted;
	local peak = unit in state$peak ? state$peak[unit] : 0;
	if ( unit != "dns names" )
		{
		if ( unit !in state$minutes )
			state$minutes[unit] = table();
		local minutes = state$minutes[unit];
		for ( minute, n in v$minutes )
			minutes[minute] = minute in minutes ? minutes[minute] + n : n;
		for ( minute in v$minutes )
			{
			local most = most_counted(minutes, minute, bulk_span);
			if ( most > peak )
				peak = most;
			}
		if ( |minutes| > 4 * bulk_span )
			forget_minutes(minutes, minute_of(v$first) - 2 * bulk_span);
		}
	else
		{
		# The same name again is no more volume: a monitor's habit, not a scraper's.
		local now = minute_of(v$first);
		if ( now !in state$names )
			state$names[now] = set();
		for ( name in v$names )
			if ( |state$names[now]| < bulk_most_names )
				add state$names[now][name];
		peak = most_distinct(state$names, now, bulk_span, peak);
		if ( |state$names| > 4 * bulk_span )
			for ( each in copy(state$names) )
				if ( each < now - 2 * bulk_span )
					delete state$names[each];
		}
	state$peak[unit] = peak;
	}

event ReconWatch::visited(v: Visit)
	{
	if ( stands_for_others(v$actor_role) || v$ordinary || ! v$connected )
		return;
	local day = window_start(v$first);
	local key = state_key(v, v$service, day);
	if ( key !in volumes )
		{
		if ( ! has_room(|volumes|, "Bulk_Search") )
			return;
		volumes[key] = Volume($last=v);
		}
	local state = volumes[key];
	# Of the last visit only who and where is needed.
	v = copy(v);
	v$events = vector();
	state$last = v;
	state$naming += v$queries;
	if ( ! v$continues )
		{
		++state$visits;
		if ( |state$starts| < bulk_most_starts )
			state$starts += time_to_double(v$first);
		}
	add_volume(state, v);

	local limits = vector(bulk_search_requests, bulk_search_connections, bulk_search_names);
	for ( layer, limit in limits )
		{
		local unit = layers[layer];
		if ( unit !in state$peak || state$peak[unit] < limit )
			next;
		local n = state$peak[unit];
		local points = +30;
		if ( n >= 5 * limit )
			points += 15;
		if ( state$naming > 0 )
			points += 20;
		state$told = T;
		tell(found_in(v, Bulk_Search, n, points, fmt("%s searched %s in bulk: %d %s within %d minutes", v$actor,
		     service_name(v$service), n, unit, bulk_span)), day);
		break;
		}
	}
