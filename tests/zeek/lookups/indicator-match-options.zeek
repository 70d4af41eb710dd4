# @TEST-DOC: The confidence of an indicator that has none is an option.
# @TEST-EXEC: zeek -b $PACKAGE $DRIVEN %INPUT
# @TEST-EXEC: zeek-cut -m note src n msg sub <notice.log | grep Indicator_Match >notices
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::indicator_match_confidence = 71;

function list(indicator: string, kind: Intel::Type, source: string, confidence: count)
	{
	local meta = Intel::MetaData($source=source);
	if ( confidence > 0 )
		meta$confidence = confidence;
	Intel::insert(Intel::Item($indicator=indicator, $indicator_type=kind, $meta=meta));
	}

event zeek_init() &priority=-10
	{
	list("evil.example", Intel::DOMAIN, "feed-a", 0);
	Driven::see(0sec, 10.0.0.2, "shodan", "tls", "evil.example");
	}
