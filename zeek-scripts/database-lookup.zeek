##! Database_Lookup: an inside host used an open technical database; one notice a host, database and day.
##!
##! Low by itself: the record of who looks where, on which the other notes build.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

event ReconWatch::visited(v: Visit)
	{
	if ( v$ordinary )
		return;
	local did = v$connected ? "used" : "resolved the name of";
	local points = ! v$connected ? 3 : v$strong ? 15 : 5;
	tell(found_in(v, Database_Lookup, v$n, points, fmt("%s %s %s", v$actor, did, service_name(v$service))),
	     window_start(v$first));
	}
