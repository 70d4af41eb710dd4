# @TEST-DOC: One client's use, split over two workers, crosses a threshold once; the manager knows of indicators.
#
# @TEST-PORT: BROKER_MANAGER_PORT
# @TEST-PORT: BROKER_LOGGER1_PORT
# @TEST-PORT: BROKER_PROXY1_PORT
# @TEST-PORT: BROKER_WORKER1_PORT
# @TEST-PORT: BROKER_WORKER2_PORT
#
# @TEST-EXEC: cp $SCRIPTS/cluster-layout.zeek .
# @TEST-EXEC: btest-bg-run manager ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=manager zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: btest-bg-run logger-1 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=logger-1 zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: btest-bg-run proxy-1 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=proxy-1 zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: btest-bg-run worker-1 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=worker-1 zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: btest-bg-run worker-2 ZEEKPATH=$ZEEKPATH:.. CLUSTER_NODE=worker-2 zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: btest-bg-wait 60
# @TEST-EXEC: zeek-cut -m note src n peer_descr msg <logger-1/notice.log | sort >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: zeek-cut actor service <logger-1/reconwatch.log | sort | uniq -c >rows
# @TEST-EXEC: btest-diff rows

redef Log::default_rotation_interval = 0sec;
redef Cluster::retry_interval = 1sec;
redef Broker::default_listen_retry = 1sec;
redef Broker::default_connect_retry = 1sec;

# Visits are over soon after they begin, so that the test need not wait for them.
redef ReconWatch::visit_gap = 2sec;
redef ReconWatch::disorder = 1sec;
redef ReconWatch::upstream_span = 1sec;

@load policy/frameworks/cluster/experimental

## To the workers: see your half of it.
global act: event() &is_used;
## To the manager: the visit is over and judged.
global judged: event() &is_used;
## The indicator is known.
global listed: event();
## To all.
global stop: event() &is_used;

event Cluster::Experimental::cluster_started()
	{
	if ( Cluster::node != "manager" )
		return;
	Intel::insert(Intel::Item($indicator="evil.example", $indicator_type=Intel::DOMAIN,
	                          $meta=Intel::MetaData($source="feed", $confidence=90)));
	Cluster::publish(Cluster::worker_topic, act);
	}

## A worker sees every second connection of the client: alone, neither reaches the threshold.
event act()
	{
	local i = Cluster::node == "worker-1" ? 0 : 1;
	Driven::port_number += i * 1000;
	while ( i < 32 )
		{
		Driven::see(i * 10msec, 10.0.0.1, "shodan", "tls", "shodan.io");
		i += 2;
		}
	if ( Cluster::node == "worker-1" )
		Driven::see(0sec, 10.0.0.2, "censys", "tls", "censys.io");
	else
		Driven::see(0sec, 10.0.0.2, "fofa", "tls", "fofa.info");
	}

# The indicator goes from the manager by a proxy to the workers.
hook Intel::indicator_inserted(v: string, t: Intel::Type)
	{
	if ( Cluster::node == "worker-1" )
		schedule 1sec { listed() };
	}

event listed()
	{
	Driven::see(0sec, 10.0.0.3, "ip-api", "tls", "login.evil.example");
	}

global visits_over = 0;

event ReconWatch::visited(v: ReconWatch::Visit)
	{
	++visits_over;
	if ( visits_over == 4 )
		schedule 2sec { judged() };
	}

event judged()
	{
	if ( Cluster::node == "manager" )
		{
		Cluster::publish(Cluster::worker_topic, stop);
		Cluster::publish(Cluster::proxy_topic, stop);
		Cluster::publish(Cluster::logger_topic, stop);
		schedule 3sec { stop() };
		}
	else
		Cluster::publish(Cluster::manager_topic, judged);
	}

event ended()
	{
	terminate();
	}

event stop()
	{
	if ( Cluster::node == "logger-1" )
		schedule 4sec { ended() };
	else
		terminate();
	}
