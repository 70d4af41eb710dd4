# Who has business with us is not told: a secondary, one of ours, who forwards, a crawler that is surely one; whom the
# site trusts is on record with nothing to do.
#
# @TEST-EXEC: bash %INPUT
# @TEST-EXEC: btest-diff notices
{
	echo "== a secondary transfers"
	notes "$PCAPS/probed.pcap" -e 'redef ReconWatch::secondaries += { 192.0.2.66/32 };' | grep Transfer
	echo "== a client of ours"
	notes "$PCAPS/probed.pcap" -e 'redef ReconWatch::inside_nets += { 192.0.2.0/24 };' | grep -v Canary
	echo "== a balancer, which acts for others"
	notes "$PCAPS/probed.pcap" -e 'redef ReconWatch::balancers += { 192.0.2.0/24 };' | grep -E "_Scan|Service"
	echo "== surely a crawler: told as that alone"
	notes "$PCAPS/probed.pcap" -e 'redef ReconWatch::crawler_nets += { [192.0.2.66/32] = "censys" };' |
		grep -E "_Scan|Service|Crawl"
	echo "== trusted with probes"
	notes "$PCAPS/probed.pcap" -e \
		'redef ReconWatch::trusted += { [192.0.2.0/24] = ReconWatch::Trust($reason="test", $probes=T) };' >/dev/null
	zeek-cut note sub <notice.log | grep -o "ReconWatch.*verdict=[a-z]*"
	echo "== trusted with lookups only"
	notes "$PCAPS/probed.pcap" -e \
		'redef ReconWatch::trusted += { [192.0.2.0/24] = ReconWatch::Trust($reason="test") };' >/dev/null
	zeek-cut note sub <notice.log | grep -o "ReconWatch.*verdict=[a-z]*"
	echo "== none of ours"
	notes "$PCAPS/probed.pcap" -e 'redef ReconWatch::owned_nets = {}; redef ReconWatch::canaries = vector();'
	echo "== ordinary traffic"
	notes "$PCAPS/ordinary.pcap"
	true
} >notices
