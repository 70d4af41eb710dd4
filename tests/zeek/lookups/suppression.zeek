# @TEST-DOC: Once for each note, actor, service and day: another of any of them is told.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

event zeek_init() &priority=-10
	{
	Driven::see(0sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(2hrs, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(3hrs, 10.0.0.1, "censys", "tls", "censys.io");
	Driven::see(3hrs, 10.0.0.2, "shodan", "tls", "shodan.io");
	Driven::see(12hrs, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(13hrs, 10.0.0.1, "shodan", "tls", "shodan.io");
	}
