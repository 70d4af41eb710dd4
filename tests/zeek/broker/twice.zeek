# @TEST-DOC: A port that is open already, as zeekctl opens it, is no error; with one that cannot be had Zeek does not start.
# @TEST-PORT: LISTEN_PORT
# @TEST-EXEC: zeek -b $PACKAGE/broker.zeek %INPUT
# @TEST-EXEC: test -z "$(zeek-cut level <reporter.log | grep -v INFO)"
# @TEST-EXEC-FAIL: zeek -b $PACKAGE/broker.zeek %INPUT ReconWatch::broker_listen_addr=192.0.2.1 2>output
# @TEST-EXEC: grep -o 'ReconWatch: cannot listen on 192.0.2.1' output >said
# @TEST-EXEC: grep -o 'errors occurred while initializing' output >>said
# @TEST-EXEC: btest-diff said

@load base/frameworks/reporter

redef ReconWatch::broker_listen_port = to_port(getenv("LISTEN_PORT"));

event zeek_init()
	{
	if ( ReconWatch::broker_listen_addr == 127.0.0.1 )
		Cluster::listen_websocket([$listen_addr=127.0.0.1, $listen_port=ReconWatch::broker_listen_port]);
	}

event zeek_init() &priority=-20
	{
	terminate();
	}
