# @TEST-DOC: A visit is over when network time says so, not when Zeek ends.
# @TEST-EXEC: zeek -b -r $PCAPS/lookups.pcap $PACKAGE $DRIVEN %INPUT >visits
# @TEST-EXEC: btest-diff visits

# The capture only lets time pass; its packets mean nothing here.
redef ReconWatch::inside_nets = { 192.0.2.0/24 };

global began = F;
global ended = F;

event new_connection(c: connection)
	{
	if ( began )
		return;
	began = T;
	Driven::see(network_time() - Driven::noon, 192.0.2.1, "shodan", "tls", "shodan.io");
	}

event ReconWatch::visited(v: ReconWatch::Visit)
	{
	print v$actor, v$service, ended ? "at the end" : "while it runs", network_time() - v$last < 2min;
	}

event zeek_done() &priority=10
	{
	ended = T;
	}
