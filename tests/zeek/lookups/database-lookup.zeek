# @TEST-DOC: A use of a database is told once a host, database and day; a name that was only resolved is none.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

event zeek_init() &priority=-10
	{
	# Used, in all layers, twice: one notice that counts the first visit.
	Driven::see(0sec, 10.0.0.1, "shodan", "dns", "shodan.io");
	Driven::see(1sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(2sec, 10.0.0.1, "shodan", "tls", "shodan.io");
	Driven::see(10min, 10.0.0.1, "shodan", "tls", "shodan.io");
	# Resolved; resolved again and used an hour later.
	Driven::see(0sec, 10.0.0.6, "shodan", "dns", "shodan.io");
	Driven::see(10min, 10.0.0.6, "shodan", "dns", "shodan.io");
	Driven::see(1hr, 10.0.0.6, "shodan", "conn", "shodan.io");
	Driven::see(2hrs, 10.0.0.6, "shodan", "dns", "shodan.io");
	# Resolved only.
	Driven::see(0sec, 10.0.0.2, "shodan", "dns", "shodan.io");
	# Products contact it too.
	Driven::see(0sec, 10.0.0.3, "ip-api", "http", "ip-api.com");
	# Asked in DNS: that is its use.
	Driven::see(0sec, 10.0.0.4, "cymru", "dns", "4.3.2.192.origin.asn.cymru.com");
	# Reverse names of our own: nothing.
	Driven::see(0sec, 10.0.0.5, "reverse-dns", "dns", "4.113.0.203.in-addr.arpa");
	}
