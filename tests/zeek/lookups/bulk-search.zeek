# @TEST-DOC: Thirty requests, connections or names in ten minutes are no person at a browser.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::proxies += { 10.0.0.80/32 };
redef ReconWatch::nats += { 10.0.0.81/32 };

function many(n: count, apart: interval, actor: addr, service: string, kind: string)
	{
	local i = 0;
	while ( i < n )
		{
		Driven::see(i * apart, actor, service, kind, kind == "dns" ? fmt("n%d.example.com", i) : "example.com");
		++i;
		}
	}

event zeek_init() &priority=-10
	{
	many(30, 10sec, 10.0.0.1, "ip-api", "http");
	many(30, 1sec, 10.0.0.2, "shodan", "tls");
	many(30, 1sec, 10.0.0.3, "cymru", "dns");
	many(150, 1sec, 10.0.0.4, "shodan", "tls");
	# One less; too slow; who stands for others; names that were only resolved; reverse names of our own.
	many(29, 1sec, 10.0.0.5, "shodan", "tls");
	many(40, 21sec, 10.0.0.6, "shodan", "tls");
	many(60, 1sec, 10.0.0.80, "shodan", "tls");
	many(60, 1sec, 10.0.0.81, "shodan", "tls");
	many(60, 1sec, 10.0.0.7, "shodan", "dns");
	many(60, 1sec, 10.0.0.8, "reverse-dns", "dns");
	}
