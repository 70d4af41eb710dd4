# @TEST-DOC: Without its file a notice is raised all the same, and it is said what that costs; none is asked for by "".
# @TEST-PORT: LISTEN_PORT
# @TEST-EXEC: zeek -b $PACKAGE/broker.zeek %INPUT ReconWatch::raised_file=/nowhere/raised.sqlite
# @TEST-EXEC: zeek-cut level message <reporter.log | grep -v INFO | sed 's/(.*//' >said
# @TEST-EXEC: zeek-cut note sub <notice.log >>said
# @TEST-EXEC: rm reporter.log notice.log
# @TEST-EXEC: zeek -b $PACKAGE/broker.zeek %INPUT ReconWatch::raised_file=
# @TEST-EXEC: test -z "$(zeek-cut level <reporter.log | grep -v INFO)"
# @TEST-EXEC: zeek-cut note sub <notice.log >>said
# @TEST-EXEC: test -z "$(ls *.sqlite 2>/dev/null)"
# @TEST-EXEC: btest-diff said

@load base/frameworks/reporter

redef ReconWatch::broker_listen_port = to_port(getenv("LISTEN_PORT"));
redef exit_only_after_terminate = T;

event end()
	{
	terminate();
	}

event zeek_init() &priority=-20
	{
	event ReconWatch::raise("rw-00000000000000aa", 1, "open", "Campaign", 1.0, "", "", 65, 3, "a campaign", "");
	schedule 400msec { end() };
	}
