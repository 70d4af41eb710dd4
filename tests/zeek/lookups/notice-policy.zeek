# @TEST-DOC: The hook notice_policy leaves findings out and changes them.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

hook ReconWatch::notice_policy(f: ReconWatch::Finding)
	{
	if ( f$actor == 10.0.0.1 )
		break;
	f$score = 99;
	f$msg = fmt("%s, says the site", f$msg);
	}

event zeek_init() &priority=-10
	{
	Driven::see(0sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(0sec, 10.0.0.2, "shodan", "tls", "shodan.io");
	}
