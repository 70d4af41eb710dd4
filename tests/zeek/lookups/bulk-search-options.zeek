# @TEST-DOC: The thresholds of bulk search are options.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::bulk_search_requests = 3;
redef ReconWatch::bulk_search_connections = 4;
redef ReconWatch::bulk_search_names = 5;

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
	many(3, 1sec, 10.0.0.1, "ip-api", "http");
	many(4, 1sec, 10.0.0.2, "shodan", "tls");
	many(5, 1sec, 10.0.0.3, "cymru", "dns");
	many(2, 1sec, 10.0.0.4, "ip-api", "http");
	many(3, 1sec, 10.0.0.5, "shodan", "tls");
	many(4, 1sec, 10.0.0.6, "cymru", "dns");
	}
