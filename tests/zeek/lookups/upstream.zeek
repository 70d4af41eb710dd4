# @TEST-DOC: What a resolver or proxy asks within 5 s of its client is the client's visit; else its own.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT >visits
# @TEST-EXEC: btest-diff visits
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::resolvers += { 10.0.0.53/32 };
redef ReconWatch::proxies += { 10.0.0.80/32 };

event ReconWatch::visited(v: ReconWatch::Visit)
	{
	print v$actor, v$service, fmt("%.2f to %.2f", v$first - Driven::noon, v$last - Driven::noon), v$n, v$counted,
	    v$continues ? "goes on" : "", |v$events|;
	}

event zeek_init() &priority=-10
	{
	Driven::see(0sec, 10.0.0.1, "shodan", "dns", "api.shodan.io");
	# The resolver, for its client; minimised; too late.
	Driven::see(1sec, 10.0.0.53, "shodan", "dns", "api.shodan.io");
	Driven::see(1sec, 10.0.0.53, "shodan", "dns", "shodan.io");
	Driven::see(6sec, 10.0.0.53, "shodan", "dns", "shodan.io");
	# What only the proxy shows is its client's: two requests of a client that is seen by its question.
	Driven::see(0sec, 10.0.0.2, "censys", "dns", "censys.io");
	Driven::see(1sec, 10.0.0.80, "censys", "http", "censys.io");
	Driven::see(2sec, 10.0.0.80, "censys", "http", "censys.io");
	# Another name of it: the proxy's own.
	Driven::see(2sec, 10.0.0.80, "censys", "http", "search.censys.io");
	}
