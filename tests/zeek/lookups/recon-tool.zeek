# @TEST-DOC: A client that says who it is; who stands for others only passes on what clients say.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::proxies += { 10.0.0.80/32 };
redef ReconWatch::sees_clients = T;

function with_tool(actor: addr, service: string, target: string)
	{
	local rec = Driven::row(0sec, actor, service, "http", "example.com");
	rec$tool = "theHarvester";
	if ( target != "" )
		rec$targets = vector(target);
	ReconWatch::sight(rec);
	}

event zeek_init() &priority=-10
	{
	with_tool(10.0.0.1, "shodan", "");
	with_tool(10.0.0.2, "shodan", "");
	with_tool(10.0.0.2, "crtsh", "domain:acme-widgets.com");
	with_tool(10.0.0.80, "shodan", "");
	}
