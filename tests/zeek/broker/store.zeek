# @TEST-DOC: What was raised is remembered in the folder of stores, over a restart too, and raised once.
# @TEST-PORT: LISTEN_PORT
# @TEST-EXEC: zeek -b $PACKAGE/broker.zeek %INPUT
# @TEST-EXEC: test -e stores/reconwatch-raised.sqlite
# @TEST-EXEC: zeek-cut note src sub <notice.log >first
# @TEST-EXEC: rm notice.log
# @TEST-EXEC: zeek -b $PACKAGE/broker.zeek %INPUT
# @TEST-EXEC: test ! -e notice.log
# @TEST-EXEC: test ! -e reporter.log
# @TEST-EXEC: btest-diff first

redef ReconWatch::broker_listen_port = to_port(getenv("LISTEN_PORT"));
redef Cluster::default_store_dir = "stores";
redef exit_only_after_terminate = T;

global heard = 0;

event raise_twice()
	{
	local n = 0;
	while ( ++n <= 2 )
		event ReconWatch::raise("rw-00000000000000aa", 1, "open", "Campaign", 1.0, "10.0.0.1", "", 65, 3, "a campaign",
		                        "technique=T1596.005 verdict=escalate services=shodan targets=");
	}

event end()
	{
	terminate();
	}

event zeek_init() &priority=-20
	{
	event raise_twice();
	schedule 1500msec { end() };
	}
