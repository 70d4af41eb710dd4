# @TEST-DOC: Events less than 30 s apart are one visit, whatever their order; the best layer is counted.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT >visits
# @TEST-EXEC: btest-diff visits
# @TEST-EXEC: test ! -e reporter.log


event ReconWatch::visited(v: ReconWatch::Visit)
	{
	print v$actor, v$service, fmt("%.2f to %.2f", v$first - Driven::noon, v$last - Driven::noon), v$n, v$counted,
	    v$continues ? "goes on" : "", |v$events|;
	}

event zeek_init() &priority=-10
	{
	# A pause of 29 s, and one of 30.
	Driven::see(0sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(29sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(59sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	# Out of order: the middle one comes last.
	Driven::see(0sec, 10.0.0.2, "shodan", "tls", "shodan.io");
	Driven::see(40sec, 10.0.0.2, "shodan", "tls", "shodan.io");
	Driven::see(20sec, 10.0.0.2, "shodan", "tls", "shodan.io");
	# Requests before connections before names; retries and A, AAAA, HTTPS of a name are one.
	Driven::see(0sec, 10.0.0.3, "shodan", "dns", "shodan.io");
	Driven::see(0sec, 10.0.0.3, "shodan", "tls", "shodan.io");
	Driven::see(1sec, 10.0.0.3, "shodan", "tls", "shodan.io");
	Driven::see(2sec, 10.0.0.3, "shodan", "http", "shodan.io");
	Driven::see(0sec, 10.0.0.4, "shodan", "dns", "shodan.io");
	Driven::see(1sec, 10.0.0.4, "shodan", "dns", "shodan.io");
	Driven::see(2sec, 10.0.0.4, "shodan", "dns", "api.shodan.io");
	# Cut after five minutes, and after 512 events.
	local i = 0;
	while ( i < 40 )
		{
		Driven::see(i * 10sec, 10.0.0.5, "shodan", "tls", "shodan.io");
		++i;
		}
	i = 0;
	while ( i < 1100 )
		{
		Driven::see(i * 0.01sec, 10.0.0.6, "shodan", "http", "shodan.io");
		++i;
		}
	}
