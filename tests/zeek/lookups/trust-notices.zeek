# @TEST-DOC: A trusted party is noted with 60 points less, and anew when its trust ends.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::trusted += {
	[10.0.9.0/24] = ReconWatch::Trust($reason="attack-surface team", $until=Driven::noon + 1hr),
};

event zeek_init() &priority=-10
	{
	local i = 0;
	while ( i < 3 )
		{
		local rec = Driven::row(i * 59min, 10.0.9.1, "shodan", "http", "shodan.io");
		rec$targets = vector("ip:203.0.113.10");
		local trust = ReconWatch::trust_of(rec$actor, rec$ts, "lookup");
		if ( trust != "" )
			rec$trusted = trust;
		ReconWatch::sight(rec);
		++i;
		}
	}
