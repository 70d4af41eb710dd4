# @TEST-DOC: What a sighting rests on is looked up among the indicators of the Intel framework.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log | grep Indicator_Match >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log


function list(indicator: string, kind: Intel::Type, source: string, confidence: count)
	{
	local meta = Intel::MetaData($source=source);
	if ( confidence > 0 )
		meta$confidence = confidence;
	Intel::insert(Intel::Item($indicator=indicator, $indicator_type=kind, $meta=meta));
	}

event zeek_init() &priority=-10
	{
	list("evil.example", Intel::DOMAIN, "feed-a", 90);
	list("evil.example", Intel::DOMAIN, "feed-b", 20);
	list("198.18.0.0/24", Intel::SUBNET, "feed-a", 0);
	list("badtool/1.0", Intel::SOFTWARE, "feed-c", 10);
	list("shodan.io/x", Intel::URL, "feed-c", 80);
	# A name below a listed one, asked for and used; twice a day is once.
	Driven::see(0sec, 10.0.0.1, "shodan", "dns", "login.evil.example");
	Driven::see(0sec, 10.0.0.2, "shodan", "tls", "login.evil.example");
	Driven::see(9sec, 10.0.0.2, "shodan", "tls", "login.evil.example");
	local rec = Driven::row(0sec, 10.0.0.3, "shodan", "http", "shodan.io");
	rec$uri = "/x";
	rec$user_agent = "badtool/1.0";
	ReconWatch::sight(rec);
	# A question goes to a resolver: its address says nothing.
	Driven::see(0sec, 10.0.0.4, "shodan", "dns", "shodan.io");
	}
