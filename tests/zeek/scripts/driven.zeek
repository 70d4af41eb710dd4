##! What tests need to say in a line what a client did: a small catalog, a site, and rows that nobody observed.

@load base/frameworks/notice

redef ReconWatch::services += {
	["shodan"] = ReconWatch::Service($name="Shodan", $technique="T1596.005", $strong=T),
	["censys"] = ReconWatch::Service($name="Censys", $technique="T1596.005", $strong=T),
	["fofa"] = ReconWatch::Service($name="FOFA", $technique="T1596.005", $strong=T),
	["dnsdumpster"] = ReconWatch::Service($name="DNSDumpster", $technique="T1596.001", $strong=T),
	["securitytrails"] = ReconWatch::Service($name="SecurityTrails", $technique="T1596.001", $strong=T),
	["spyse"] = ReconWatch::Service($name="Spyse", $technique="T1596.001", $strong=T),
	["crtsh"] = ReconWatch::Service($name="crt.sh", $technique="T1596.003", $strong=T, $ct="search"),
	["argon"] = ReconWatch::Service($name="Google Argon", $technique="T1596.003", $ct="log"),
	["ip-api"] = ReconWatch::Service($name="ip-api", $technique="T1596.005"),
	["ripe-whois"] = ReconWatch::Service($name="RIPE WHOIS", $technique="T1596.002"),
	["cymru"] = ReconWatch::Service($name="Team Cymru", $technique="T1596.002", $asked_in_dns=T),
	["reverse-dns"] = ReconWatch::Service($name="reverse DNS", $technique="T1596.001", $ordinary=T, $asked_in_dns=T),
};

redef ReconWatch::owned_nets += { 203.0.113.0/24 };
redef ReconWatch::inside_nets += { 10.0.0.0/8 };

module Driven;

export {
	## Noon of 24 November 2026, UTC.
	const noon = double_to_time(1795521600.0);
	## Of the client of the row before; each has the next.
	global port_number = 10000;
	global row: function(after: interval, actor: addr, service: string, kind: string, host: string): ReconWatch::Info;
	global see: function(after: interval, actor: addr, service: string, kind: string, host: string);
}

function row(after: interval, actor: addr, service: string, kind: string, host: string): ReconWatch::Info
	{
	++port_number;
	local servers: table[string] of port = { ["dns"] = 53/udp, ["http"] = 80/tcp, ["whois"] = 43/tcp };
	local p = kind in servers ? servers[kind] : 443/tcp;
	return ReconWatch::Info($ts=noon + after, $uid=fmt("C%d", port_number), $direction="lookup", $kind=kind,
	    $id=conn_id($orig_h=actor, $orig_p=count_to_port(port_number, tcp), $resp_h=198.18.0.1, $resp_p=p),
	    $actor=actor, $actor_role=ReconWatch::roles_of(actor), $service=service,
	    $technique=ReconWatch::services[service]$technique, $host=host);
	}

function see(after: interval, actor: addr, service: string, kind: string, host: string)
	{
	ReconWatch::sight(row(after, actor, service, kind, host));
	}
