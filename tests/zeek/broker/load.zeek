# @TEST-DOC: What broker.zeek tells of the columns is what the log has, in order, and it is silent at load.
# @TEST-PORT: LISTEN_PORT
# @TEST-EXEC: zeek -b $PACKAGE/broker.zeek %INPUT >output
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: grep '^#fields' reconwatch.log | tr '\t' '\n' | tail -n +2 | sed 's/^id[.].*/id/' | uniq | paste -sd, >logged
# @TEST-EXEC: diff output logged
# @TEST-EXEC: test ! -e reporter.log

module ReconWatch;

redef ReconWatch::broker_listen_port = to_port(getenv("LISTEN_PORT"));

event zeek_init() &priority=-20
	{
	print columns;
	ReconWatch::sight(ReconWatch::Info($ts=double_to_time(1.0), $direction="lookup", $kind="dns", $actor=10.0.0.1,
	                                   $actor_role=set(), $technique="T1596.001"));
	terminate();
	}
