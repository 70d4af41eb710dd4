# @TEST-DOC: Where a sensor sees DNS only, a name that was resolved is a use.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::sees_connections = F;

event zeek_init() &priority=-10
	{
	Driven::see(0sec, 10.0.0.2, "shodan", "dns", "shodan.io");
	}
