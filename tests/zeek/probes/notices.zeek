# One who comes from outside tries everything once: each notice, and the rows that mean something by themselves.
#
# @TEST-EXEC: zeek -C -r $PCAPS/probed.pcap $PACKAGE $PACKAGE/../tests/zeek/scripts/probed-site.zeek >output 2>&1
# @TEST-EXEC: zeek-cut note src sub msg <notice.log | grep -E "_Scan|Transfer|Enumeration|_Probe|Canary|Crawl" >notices
# @TEST-EXEC: zeek-cut direction kind actor actor_role service technique targets host method uri tool canary <reconwatch.log | grep ^probe >rows
# @TEST-EXEC: test ! -e reporter.log
# @TEST-EXEC: btest-diff output
# @TEST-EXEC: btest-diff notices
# @TEST-EXEC: btest-diff rows
