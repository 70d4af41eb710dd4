# @TEST-DOC: A log read in sequence, a search that answers programs, and volume at a log.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::proxies += { 10.0.0.80/32 };
redef ReconWatch::sees_clients = T;

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
	read(5, 1min, 10.0.0.1, "argon", "/argon/ct/v1/get-entries?start=", 256);
	read(10, 50sec, 10.0.0.2, "crtsh", "/?q=example.com&output=json", 0);
	read(30, 1sec, 10.0.0.3, "argon", "/argon/ct/v1/get-sth", 0);
	# Four reads; far apart; nine answers; pages for people; who stands for others.
	read(4, 1sec, 10.0.0.4, "argon", "/argon/ct/v1/get-entries?start=", 256);
	read(8, 1sec, 10.0.0.5, "argon", "/argon/ct/v1/get-entries?start=", 5000);
	read(9, 1sec, 10.0.0.6, "crtsh", "/?q=example.com&output=json", 0);
	read(20, 1sec, 10.0.0.7, "crtsh", "/?q=example.com", 0);
	read(20, 1sec, 10.0.0.80, "crtsh", "/?q=example.com&output=json", 0);
	}
