# @TEST-DOC: How many databases are a sweep is an option; naming us meanwhile counts.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::enumeration_sweep_services = 2;

function visit_all(n: count, apart: interval, actor: addr, kind: string, start: interval)
	{
	local ids = vector("shodan", "censys", "fofa", "dnsdumpster", "securitytrails", "spyse", "crtsh");
	local i = 0;
	while ( i < n )
		{
		Driven::see(start + i * apart, actor, ids[i], kind, "example.com");
		++i;
		}
	}

event zeek_init() &priority=-10
	{
	visit_all(2, 1min, 10.0.0.1, "tls", 0sec);
	visit_all(1, 1min, 10.0.0.2, "tls", 0sec);
	local rec = Driven::row(30sec, 10.0.0.1, "ip-api", "http", "ip-api.com");
	rec$targets = vector("ip:203.0.113.10");
	ReconWatch::sight(rec);
	}
