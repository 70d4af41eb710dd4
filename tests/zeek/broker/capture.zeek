# @TEST-DOC: A Zeek that reads a capture opens no port and ends with it.
# @TEST-PORT: LISTEN_PORT
# @TEST-EXEC: timeout 60 zeek -C -r $PCAPS/lookups.pcap $PACKAGE $PACKAGE/broker.zeek %INPUT
# @TEST-EXEC: test -s reconwatch.log
# @TEST-EXEC: test ! -e reporter.log

redef ReconWatch::broker_listen_port = to_port(getenv("LISTEN_PORT"));
