# Scans, crowds and what only looks like them: each gives what it deserves.
#
# @TEST-EXEC: bash %INPUT
# @TEST-EXEC: btest-diff notices
python "$PCAPS/gen/probes.py" --out made --visitors 300 >/dev/null || exit 1
for kind in slow-scan slow-ports fast-scan port-scan network-scan udp-scan ping-sweep ipv6-scan name-list path-list \
	label-list backscatter reflection midstream hoster visitors bots resolvers validation uptime callouts edges; do
	echo "== $kind"
	notes "made/$kind.pcap" || exit 1
done >notices
