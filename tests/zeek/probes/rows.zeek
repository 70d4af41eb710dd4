# What no capture of the repository shows, as rows of Zeek's own logs: each way at its threshold, and one below it.
#
# @TEST-EXEC: zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT >output 2>&1
# @TEST-EXEC: test ! -e reporter.log
# @TEST-EXEC: zeek-cut note src sub msg <notice.log | sort >notices
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: btest-diff notices

redef ReconWatch::crawler_nets += { [198.51.100.1/32] = "censys", [198.51.100.2/32] = "shodan" };

const morning = double_to_time(1795564800.0);

function ends(source: addr, p: port): conn_id
	{
	return conn_id($orig_h=source, $orig_p=40000/tcp, $resp_h=203.0.113.53, $resp_p=p,
	               $proto=p == 53/udp ? 17 : 6);
	}

function ask(source: addr, after: interval, name: string, qtype: count, rcode: count, records: count)
	{
	local rec = DNS::Info($ts=morning + after, $uid="C1", $id=ends(source, 53/udp), $proto=udp, $query=name,
	                      $qtype=qtype, $rcode=rcode);
	if ( records > 0 )
		{
		rec$answers = vector();
		while ( |rec$answers| < records )
			rec$answers += "x";
		}
	event DNS::log_dns(rec);
	}

function walk(source: addr, first: count, last: count, step: count, pause: interval)
	{
	local n = first;
	while ( n <= last )
		{
		ask(source, n * pause, fmt("%d.113.0.203.in-addr.arpa", (n * step) % 256), 12, 3, 0);
		++n;
		}
	}

event zeek_init()
	{
	# Transfers: served, nothing new, refused, of strangers' zones.
	ask(192.0.2.1, 1sec, "acme-widgets.com", 252, 0, 9);
	ask(192.0.2.2, 1sec, "acme-widgets.com", 251, 0, 1);
	ask(192.0.2.3, 1sec, "acme-widgets.com", 252, 5, 0);
	ask(192.0.2.4, 1sec, "example.org", 252, 5, 0);
	ask(192.0.2.5, 1sec, "113.0.203.in-addr.arpa", 252, 5, 0);
	# All records at once, the software of the server.
	ask(192.0.2.6, 1sec, "acme-widgets.com", 255, 0, 3);
	ask(192.0.2.7, 1sec, "version.bind", 16, 0, 1);
	# Reverse names: 16 in a row, 15 in a row; 64 and 63 of 256 in no order; 64 of them in more than an hour.
	walk(192.0.2.10, 1, 16, 1, 1sec);
	walk(192.0.2.11, 1, 15, 1, 1sec);
	walk(192.0.2.12, 1, 64, 101, 1sec);
	walk(192.0.2.13, 1, 63, 101, 1sec);
	walk(192.0.2.14, 1, 64, 101, 2min);
	# A walk by 8 names that serve only to be told the next, and by 7.
	local n = 0;
	while ( n < 8 )
		{
		ask(192.0.2.20, n * 1sec, fmt("h%d.acme-widgets.com", n), 47, 0, 1);
		if ( n < 7 )
			ask(192.0.2.21, n * 1sec, fmt("h%d.acme-widgets.com", n), 47, 0, 1);
		++n;
		}
	# One list shared out among five sources.
	n = 0;
	while ( n < 60 )
		{
		ask(count_to_v4_addr(3221225984 + 30 + n % 5), n * 1sec, fmt("w%02d.acme-widgets.com", n), 1, 3, 0);
		++n;
		}
	# A crawler that is surely one, and one whose addresses change hands; a port that did not answer is in no database.
	for ( _, crawler in vector(198.51.100.1, 198.51.100.2) )
		event Conn::log_conn(Conn::Info($ts=morning, $uid="C2", $id=ends(crawler, 443/tcp), $proto=tcp,
		                                $history="ShADad"));
	# Half of a scan each day.
	n = 1;
	while ( n <= 12 )
		{
		local id = ends(192.0.2.40, 80/tcp);
		id$resp_h = to_addr(fmt("203.0.113.%d", n));
		event Conn::log_conn(Conn::Info($ts=morning + (n > 6 ? 1day : 0sec), $uid="C3", $id=id, $proto=tcp,
		                                $history="S"));
		++n;
		}
	}
