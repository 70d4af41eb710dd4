##! What we own and whom we trust: the site of reconwatch as options of the package.
##!
##! Made by `reconwatch rules build --zeek --site`; do not edit: it is made anew. Load it behind the package.

redef ReconWatch::owned_nets = set(203.0.113.0/24, [2001:db8:acc:113::]/64);
redef ReconWatch::nameservers = set(203.0.113.53/32);
redef ReconWatch::secondaries = set();
redef ReconWatch::inside_nets = set(10.0.0.0/8, [2001:db8:acc:1::]/64);
redef ReconWatch::resolvers = set(10.20.0.53/32, [2001:db8:acc:1::53]/128);
redef ReconWatch::proxies = set(10.20.0.80/32);
redef ReconWatch::nats = set();
redef ReconWatch::mail_servers = set();
redef ReconWatch::own_scanners = set();
redef ReconWatch::balancers = set(198.51.100.240/28);
redef ReconWatch::owned_zones = set("acme-widgets.com");
redef ReconWatch::owned_asns = set(64496);
redef ReconWatch::owned_brands = set("acme widgets");
redef ReconWatch::sees_clients = F;
redef ReconWatch::zone_spellings = table();
redef ReconWatch::trusted = table(
	[10.20.9.0/24] = ReconWatch::Trust($reason="attack-surface team", $until=double_to_time(1814400000.0), $lookups=T, $probes=F));
redef ReconWatch::canaries = vector(ReconWatch::Canary($kind="name", $value="staging-7f3k2q.acme-widgets.com", $planted="certificate transparency", $since=double_to_time(1793491200.0)));

# Reverse names of our own ranges: no database, and watched for walks.
redef ReconWatch::hosts += {
	["113.0.203.in-addr.arpa"] = "reverse-dns",
	["3.1.1.0.c.c.a.0.8.b.d.0.1.0.0.2.ip6.arpa"] = "reverse-dns",
};
