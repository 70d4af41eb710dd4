# @TEST-DOC: How many visits and how even are options.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log | sort >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::bulk_search_visits = 4;
redef ReconWatch::bulk_search_evenness = 0.6;

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
	many(4, 15min, 10.0.0.1, "shodan", "tls");
	many(3, 15min, 10.0.0.2, "shodan", "tls");
	local i = 1;
	while ( i < 20 )
		{
		Driven::see(i * i * 1min, 10.0.0.3, "shodan", "tls", "example.com");
		++i;
		}
	}
