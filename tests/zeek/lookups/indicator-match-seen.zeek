# @TEST-DOC: What frameworks/intel/seen hands over is told, of inside hosts and of who comes to assets of ours; it may be left to sightings.
#
# @TEST-EXEC: zeek -b -C -r $PCAPS/ordinary.pcap $PACKAGE %INPUT
# @TEST-EXEC: zeek-cut note src n msg sub <notice.log | grep Indicator_Match >lookups
# @TEST-EXEC: btest-diff lookups
# @TEST-EXEC: zeek-cut seen.where seen.indicator <intel.log | sort | uniq -c >seen
# @TEST-EXEC: btest-diff seen
# @TEST-EXEC: zeek -b -C -r $PCAPS/probed.pcap $PACKAGE %INPUT
# @TEST-EXEC: zeek-cut note src n msg sub <notice.log | grep Indicator_Match >probes
# @TEST-EXEC: btest-diff probes
# @TEST-EXEC: zeek -b -C -r $PCAPS/ordinary.pcap $PACKAGE %INPUT ReconWatch::indicator_match_inside=F
# @TEST-EXEC: zeek-cut note src n msg sub <notice.log | grep Indicator_Match >sightings-only
# @TEST-EXEC: btest-diff sightings-only

@load base/frameworks/notice
@load base/protocols/http
@load base/protocols/ssl
@load frameworks/intel/seen

redef ReconWatch::owned_nets += { 203.0.113.0/24 };

function list(indicator: string, kind: Intel::Type)
	{
	Intel::insert(Intel::Item($indicator=indicator, $indicator_type=kind,
	                          $meta=Intel::MetaData($source="feed", $confidence=80)));
	}

event zeek_init()
	{
	list("shodan.io", Intel::DOMAIN);
	list("news.example.net", Intel::DOMAIN);
	list("198.51.100.0/24", Intel::SUBNET);
	list("192.0.2.0/24", Intel::SUBNET);
	}
