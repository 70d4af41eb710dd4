# Baits: a name, an address and a path, from outside and from inside; replies and strangers' servers touch none.
#
# @TEST-EXEC: zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT >output 2>&1
# @TEST-EXEC: test ! -e reporter.log
# @TEST-EXEC: zeek-cut note src sub msg <notice.log | sort >notices
# @TEST-EXEC: zeek-cut direction kind actor technique canary <reconwatch.log | sort >rows
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: btest-diff rows

redef ReconWatch::canaries = vector(
	ReconWatch::Canary($kind="name", $value="bait.acme-widgets.com", $planted="certificate transparency"),
	ReconWatch::Canary($kind="address", $value="203.0.113.200", $planted="Shodan"),
	ReconWatch::Canary($kind="path", $value="/bait.zip"));

function ends(source: addr, server: addr): conn_id
	{
	return conn_id($orig_h=source, $orig_p=40000/tcp, $resp_h=server, $resp_p=80/tcp, $proto=6);
	}

event zeek_init()
	{
	local at = double_to_time(1795564800.0);
	# Asked for, from outside and inside; used in a hello.
	event DNS::log_dns(DNS::Info($ts=at, $uid="C", $id=ends(192.0.2.1, 203.0.113.53), $proto=udp,
	                             $query="bait.acme-widgets.com", $qtype=1));
	event DNS::log_dns(DNS::Info($ts=at, $uid="C", $id=ends(10.20.1.1, 10.20.0.53), $proto=udp,
	                             $query="bait.acme-widgets.com", $qtype=1));
	event SSL::log_ssl(SSL::Info($ts=at, $uid="C", $id=ends(192.0.2.2, 203.0.113.10),
	                             $server_name="bait.acme-widgets.com"));
	# The address is connected to; a reply to it is none.
	event Conn::log_conn(Conn::Info($ts=at, $uid="C", $id=ends(192.0.2.3, 203.0.113.200), $proto=tcp, $history="S"));
	event Conn::log_conn(Conn::Info($ts=at, $uid="C", $id=ends(192.0.2.4, 203.0.113.200), $proto=tcp, $history="H"));
	# The path, at ours and at a stranger's.
	event HTTP::log_http(HTTP::Info($ts=at, $uid="C", $id=ends(192.0.2.5, 203.0.113.10), $trans_depth=1, $tags=set(),
	                                $method="GET", $uri="/bait.zip?x=1"));
	event HTTP::log_http(HTTP::Info($ts=at, $uid="C", $id=ends(10.20.1.1, 198.51.100.9), $trans_depth=1, $tags=set(),
	                                $method="GET", $host="example.org", $uri="/bait.zip"));
	}
