# @TEST-DOC: The thresholds and points of searches about us are options.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::targeted_search_volume = 2;
redef ReconWatch::targeted_search_breadth = 2;
redef ReconWatch::targeted_search_points += { ["T1596.005"] = 7 };
redef ReconWatch::targeted_search_ordinary_points = 3;

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
	search(1sec, 10.0.0.1, "shodan", "ip:203.0.113.11");
	search(0sec, 10.0.0.2, "ip-api", "ip:203.0.113.10");
	}
