# A scan of which each of two workers sees half, below the threshold, is told once, at the threshold, by the one node
# that counts its source; one contact fewer is told by nobody.
#
# @TEST-PORT: BROKER_MANAGER_PORT
# @TEST-PORT: BROKER_LOGGER1_PORT
# @TEST-PORT: BROKER_PROXY1_PORT
# @TEST-PORT: BROKER_WORKER1_PORT
# @TEST-PORT: BROKER_WORKER2_PORT
#
# @TEST-EXEC: cp $SCRIPTS/cluster-layout.zeek .
# @TEST-EXEC: btest-bg-run manager ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=manager zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: btest-bg-run logger-1 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=logger-1 zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: btest-bg-run proxy-1 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=proxy-1 zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: btest-bg-run worker-1 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=worker-1 zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: btest-bg-run worker-2 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=worker-2 zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: btest-bg-wait 60
# @TEST-EXEC: zeek-cut note src msg <logger-1/notice.log >notices
# @TEST-EXEC: btest-diff notices

@load policy/frameworks/cluster/experimental

redef Log::default_rotation_interval = 0secs;
redef exit_only_after_terminate = T;

global send_half: event();
global finish: event();

## One connection to each of these addresses that was not answered.
function try_addresses(source: addr, first: count, last: count)
	{
	while ( first <= last )
		{
		local id = conn_id($orig_h=source, $orig_p=40000/tcp, $resp_h=to_addr(fmt("203.0.113.%d", first)), $resp_p=80/tcp,
		                   $proto=6);
		event Conn::log_conn(Conn::Info($ts=double_to_time(1795550400.0 + first), $uid=fmt("C%d", first), $id=id,
		                                $proto=tcp, $history="S"));
		++first;
		}
	}

event send_half()
	{
	if ( Cluster::node == "worker-1" )
		{
		try_addresses(192.0.2.66, 1, 5);
		try_addresses(192.0.2.99, 1, 5);
		}
	else
		{
		try_addresses(192.0.2.66, 6, 10);
		try_addresses(192.0.2.99, 6, 9);
		}
	}

event finish()
	{
	terminate();
	}

event Cluster::Experimental::cluster_started()
	{
	if ( Cluster::node != "manager" )
		return;
	Cluster::publish(Cluster::worker_topic, send_half);
	schedule 6secs { finish() };
	}

event Cluster::node_down(name: string, id: string)
	{
	terminate();
	}
