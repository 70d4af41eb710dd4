##! Database_Lookup: an inside host used an open technical database; one notice a host, database and day.
##!
##! Low by itself: the record of who looks where, on which the other notes build. A name that was only resolved is told
##! as such; if it turns out to be used later that day (a connection without a name of its own is seen at its end), that
##! is told once more.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

global used_today: set[string] &create_expire=state_life;

event ReconWatch::visited(v: Visit)
	{
	if ( v$ordinary )
		return;
	local day = window_start(v$first);
	local key = state_key(v, v$service, day);
	if ( key in used_today )
		return;
	if ( v$connected && has_room(|used_today|, "Database_Lookup") )
		add used_today[key];
	local did = v$connected ? "used" : "resolved the name of";
	local points = ! v$connected ? 3 : v$strong ? 15 : 5;
	local f = found_in(v, Database_Lookup, v$n, points, fmt("%s %s %s", v$actor, did, service_name(v$service)));
	if ( ! v$connected )
		f$key = fmt("resolved %s", v$service);
	tell(f, day);
	}
