# @TEST-DOC: A quarter of a prefix within an hour, or 32 addresses in order; never a mere count.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log | grep -v -e Database_Lookup -e Bulk_Search >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::resolvers += { 10.0.0.53/32 };
redef ReconWatch::sees_clients = T;

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
	# A quarter, not in order; of a prefix of ours; in order, slowly; in WHOIS; reverse names of IPv6.
	walk(64, 77, 20sec, 10.0.0.1, "2.0.192");
	walk(64, 77, 20sec, 10.0.0.2, "113.0.203");
	walk(32, 1, 5min, 10.0.0.3, "2.0.192");
	local i = 0;
	while ( i < 32 )
		{
		local rec = Driven::row(i * 1sec, 10.0.0.4, "ripe-whois", "whois", "whois.ripe.net");
		rec$query = fmt("-r 192.0.2.%d", 200 - i);
		ReconWatch::sight(rec);
		Driven::see(i * 1sec, 10.0.0.5, "reverse-dns", "dns",
		    fmt("%x.%x.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", i % 16, i / 16));
		++i;
		}
	# One less, not in order; 31 in order; over the day; who stands for others.
	walk(63, 77, 20sec, 10.0.0.6, "2.0.192");
	walk(31, 1, 1sec, 10.0.0.7, "2.0.192");
	walk(64, 77, 10min, 10.0.0.8, "2.0.192");
	walk(200, 1, 1sec, 10.0.0.53, "2.0.192");
	}
