# @TEST-DOC: Five databases in ten minutes are a sweep; its last words name all of them.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log | grep -v Database_Lookup >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::resolvers += { 10.0.0.53/32 };
redef ReconWatch::sees_clients = T;

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
	visit_all(5, 1min, 10.0.0.1, "tls", 0sec);
	visit_all(7, 1min, 10.0.0.2, "tls", 0sec);
	# Around midnight: the day on which it ends.
	visit_all(5, 1min, 10.0.0.3, "tls", 12hrs - 150sec);
	# Four; too slow; only resolved; who stands for others; databases that everybody contacts.
	visit_all(4, 1min, 10.0.0.4, "tls", 0sec);
	visit_all(5, 3min, 10.0.0.5, "tls", 0sec);
	visit_all(7, 1sec, 10.0.0.6, "dns", 0sec);
	visit_all(7, 1sec, 10.0.0.53, "tls", 0sec);
	visit_all(4, 1sec, 10.0.0.7, "tls", 0sec);
	Driven::see(5sec, 10.0.0.7, "ip-api", "tls", "ip-api.com");
	}
