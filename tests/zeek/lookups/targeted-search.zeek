# @TEST-DOC: A search about us weighs by what was asked; a rising verdict is told again.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log


function search(after: interval, actor: addr, service: string, target: string)
	{
	local rec = Driven::row(after, actor, service, "http", "example.com");
	rec$uri = fmt("/search?q=%s", target);
	rec$targets = vector(target);
	ReconWatch::sight(rec);
	}

event zeek_init() &priority=-10
	{
	search(0sec, 10.0.0.1, "shodan", "ip:203.0.113.10");
	search(0sec, 10.0.0.2, "ip-api", "ip:203.0.113.10");
	# Ten searches a minute apart: investigate, then escalate.
	local i = 0;
	while ( i < 10 )
		{
		search(i * 1min, 10.0.0.3, "shodan", "domain:acme-widgets.com");
		++i;
		}
	# Five assets in one visit, in the order of their numbers.
	i = 5;
	while ( i > 0 )
		{
		search((6 - i) * 1sec, 10.0.0.4, "securitytrails", fmt("ip:203.0.113.%d", i * 5));
		--i;
		}
	# Names nothing of ours: no search about us.
	Driven::see(0sec, 10.0.0.5, "shodan", "http", "shodan.io");
	}
