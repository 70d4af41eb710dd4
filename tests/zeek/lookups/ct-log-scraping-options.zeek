# @TEST-DOC: The thresholds of reading certificate transparency are options.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::ct_log_scraping_sequence = 3;
redef ReconWatch::ct_log_scraping_json = 2;
redef ReconWatch::ct_log_scraping_visits = 4;

function read(n: count, apart: interval, actor: addr, service: string, uri: string, step: count)
	{
	local i = 0;
	while ( i < n )
		{
		local rec = Driven::row(i * apart, actor, service, "http", "ct.example.com");
		rec$uri = step > 0 ? fmt("%s%d&end=9", uri, i * step) : uri;
		ReconWatch::sight(rec);
		++i;
		}
	}

event zeek_init() &priority=-10
	{
	read(3, 1min, 10.0.0.1, "argon", "/argon/ct/v1/get-entries?start=", 256);
	read(2, 50sec, 10.0.0.2, "crtsh", "/?q=example.com&output=json", 0);
	read(4, 1sec, 10.0.0.3, "argon", "/argon/ct/v1/get-sth", 0);
	}
