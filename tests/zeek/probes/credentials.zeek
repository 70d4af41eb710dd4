# @TEST-DOC: Credentials in what a scanner sends are struck out of the row, as those of a search are.
# @TEST-EXEC: zeek $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek %INPUT
# @TEST-EXEC: test ! -e reporter.log
# @TEST-EXEC: zeek-cut host method uri user_agent <reconwatch.log >rows
# @TEST-EXEC: btest-diff rows

event zeek_init() &priority=-20
	{
	local id = conn_id($orig_h=198.51.100.66, $orig_p=40000/tcp, $resp_h=203.0.113.10, $resp_p=80/tcp, $proto=6);
	event HTTP::log_http(HTTP::Info($ts=double_to_time(1795564800.0), $uid="C1", $id=id, $trans_depth=1, $method="GET",
	    $host="www.acme-widgets.com", $uri="/.env?api_key=hunter2&q=1", $user_agent="sqlmap/1.8"));
	}
