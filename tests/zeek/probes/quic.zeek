# @TEST-DOC: Names tried and baits used by QUIC count as those of TLS, by the rows of quic.log.
# @TEST-REQUIRES: ! zeek -NN | grep -q ANALYZER_QUIC
# @TEST-EXEC: zeek $PACKAGE/../tests/zeek/scripts/quic-module.zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: test ! -e reporter.log
# @TEST-EXEC: zeek-cut note src msg <notice.log | sort >notices
# @TEST-EXEC: btest-diff notices

function hello(source: addr, name: string)
	{
	local id = conn_id($orig_h=source, $orig_p=40000/udp, $resp_h=203.0.113.10, $resp_p=443/udp, $proto=17);
	event QUIC::log_quic(QUIC::Info($ts=double_to_time(1795564800.0), $uid="C1", $id=id, $server_name=name));
	}

event zeek_init() &priority=-20
	{
	local n = 0;
	while ( ++n <= 41 )
		hello(198.51.100.66, fmt("host%d.acme-widgets.com", n));
	hello(198.51.100.67, "staging-7f3k2q.acme-widgets.com");
	hello(198.51.100.68, "www.acme-widgets.com");
	}
