# Each option, just above what came (nothing) and at it (a notice).
#
# @TEST-EXEC: bash %INPUT
# @TEST-EXEC: btest-diff notices
made() { python "$PCAPS/gen/probes.py" --out made --only "$1" >/dev/null; }
given() { # capture, option, value, note
	echo "== $2=$3"
	notes "$1" "ReconWatch::$2=$3" | grep -E "$4|ZEEK"
}
{
	for kind in label-list name-list network-scan path-list; do made "$kind"; done
	given "$PCAPS/probed.pcap" scan_addresses 24 Address
	given "$PCAPS/probed.pcap" scan_addresses 25 Address
	given "$PCAPS/probed.pcap" scan_ports 25 Port
	given "$PCAPS/probed.pcap" scan_ports 26 Port
	notes "$PCAPS/probed.pcap" ReconWatch::scan_addresses=200 ReconWatch::scan_visited=25 | grep Address
	notes "$PCAPS/probed.pcap" ReconWatch::scan_addresses=200 ReconWatch::scan_visited=26 | grep Address
	given made/network-scan.pcap scan_members 4 198.18.40.0
	given made/network-scan.pcap scan_members 400 198.18.40.0
	given "$PCAPS/probed.pcap" most_scan_sources 0 _Scan
	given "$PCAPS/probed.pcap" most_scan_contacts 9 _Scan
	given made/label-list.pcap enumeration_names 60 Enumeration
	given made/label-list.pcap enumeration_names 61 Enumeration
	given made/label-list.pcap enumeration_absent 1.1 Enumeration
	given made/label-list.pcap most_enumerators 0 Enumeration
	given made/label-list.pcap most_enumerated 49 Enumeration
	echo "== enumeration_order and enumeration_guesses"
	notes made/label-list.pcap ReconWatch::enumeration_order=1.1 ReconWatch::enumeration_guesses=200
	notes made/label-list.pcap ReconWatch::enumeration_order=1.1 ReconWatch::enumeration_guesses=0
	echo "== name_probe_names and name_probe_day"
	notes made/name-list.pcap ReconWatch::name_probe_names=5000 | grep Name
	notes made/name-list.pcap ReconWatch::name_probe_names=5000 ReconWatch::name_probe_day=5000 | grep Name
	notes made/name-list.pcap ReconWatch::name_probe_day=5000 | grep Name
	given made/name-list.pcap most_name_sources 0 Name
	given made/name-list.pcap most_tried_names 7 Name
	given "$PCAPS/probed.pcap" most_service_sources 0 Service
	given "$PCAPS/probed.pcap" most_remembered 1 ReconWatch
	for strong in 2 3; do
		echo "== service_strong=$strong"
		notes "$PCAPS/probed.pcap" "ReconWatch::service_strong=$strong" >/dev/null
		zeek-cut note sub <notice.log | grep Service | grep -o "score=[0-9]*"
	done
	true
} >notices
