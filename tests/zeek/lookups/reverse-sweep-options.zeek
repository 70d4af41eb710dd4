# @TEST-DOC: Share and run are options.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::reverse_sweep_share = 5;
redef ReconWatch::reverse_sweep_run = 3;

function walk(n: count, step: count, apart: interval, actor: addr, prefix: string)
	{
	local i = 0;
	while ( i < n )
		{
		Driven::see(i * apart, actor, "cymru", "dns", fmt("%d.%s.origin.asn.cymru.com", (i * step) % 256, prefix));
		++i;
		}
	}

event zeek_init() &priority=-10
	{
	walk(5, 77, 20sec, 10.0.0.1, "2.0.192");
	walk(3, 1, 1sec, 10.0.0.2, "2.0.192");
	walk(4, 77, 1sec, 10.0.0.3, "2.0.192");
	}
