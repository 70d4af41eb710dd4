# @TEST-DOC: Twelve visits at even intervals are a timer's; the day must be over to say so.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log | sort >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log


function many(n: count, apart: interval, actor: addr, service: string, kind: string)
	{
	local i = 0;
	while ( i < n )
		{
		Driven::see(i * apart, actor, service, kind, kind == "dns" ? fmt("n%d.example.com", i) : "example.com");
		++i;
		}
	}

event zeek_init() &priority=-10
	{
	many(12, 15min, 10.0.0.1, "shodan", "tls");
	many(11, 15min, 10.0.0.2, "shodan", "tls");
	# As a person does: pauses of one, two, three, ... minutes.
	local i = 1;
	while ( i < 20 )
		{
		Driven::see(i * i * 1min, 10.0.0.3, "shodan", "tls", "example.com");
		++i;
		}
	}
