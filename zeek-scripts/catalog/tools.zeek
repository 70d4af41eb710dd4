##! Reconnaissance clients, by their user agents and the flags of their WHOIS lines.
##!
##! Made by `reconwatch rules build --zeek`; do not edit: it is made anew.

@load ../service

redef ReconWatch::tool_agents = vector(
	ReconWatch::Phrase($form=/censys-python\/[^[:space:];)]+ \(CloudFlair; \+https:\/\/github\.com\/christophetd\/CloudFlair\)/i, $tool="CloudFlair"),
	ReconWatch::Phrase($form=/theHarvester\/[^[:space:];)]+ \(\+https:\/\/github\.com\/laramies\/theHarvester\)/i, $tool="theHarvester"),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Uncover\ \-\ FOSS\ Project\ \(github\.com\/projectdiscovery\/uncover\)/i, $tool="uncover", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Morfeus\ Fucking\ Scanner[^0-9A-Za-z]/i, $tool="Morfeus Fucking Scanner", $bordered=T),
	ReconWatch::Phrase($form=/censys-python\/[^[:space:];)]+/i, $tool="censys-python"),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]projectdiscovery\/httpx[^0-9A-Za-z]/i, $tool="httpx (ProjectDiscovery)", $bordered=T),
	ReconWatch::Phrase($form=/feroxbuster\/[^[:space:];)]+/i, $tool="feroxbuster"),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Fuzz\ Faster\ U\ Fool[^0-9A-Za-z]/i, $tool="ffuf", $bordered=T),
	ReconWatch::Phrase($form=/PyPDNS \/ [^[:space:];)]+/i, $tool="PyPDNS"),
	ReconWatch::Phrase($form=/gobuster\/[^[:space:];)]+/i, $tool="gobuster"),
	ReconWatch::Phrase($form=/whoisit\/[^[:space:];)]+/i, $tool="whoisit"),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]nitefood\/asn[^0-9A-Za-z]/i, $tool="asn", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]OWASP\ Amass[^0-9A-Za-z]/i, $tool="OWASP Amass", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Recon\-ng\/v5[^0-9A-Za-z]/i, $tool="Recon-ng", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]SpiderFoot[^0-9A-Za-z]/i, $tool="SpiderFoot", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]netsparker[^0-9A-Za-z]/i, $tool="netsparker", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Dirbuster[^0-9A-Za-z]/i, $tool="DirBuster", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]subfinder[^0-9A-Za-z]/i, $tool="subfinder", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Acunetix[^0-9A-Za-z]/i, $tool="Acunetix", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]sqlninja[^0-9A-Za-z]/i, $tool="sqlninja", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Masscan[^0-9A-Za-z]/i, $tool="masscan", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]OpenVAS[^0-9A-Za-z]/i, $tool="OpenVAS", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Whatweb[^0-9A-Za-z]/i, $tool="WhatWeb", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]arachni[^0-9A-Za-z]/i, $tool="Arachni", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]sysscan[^0-9A-Za-z]/i, $tool="sysscan", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]webshag[^0-9A-Za-z]/i, $tool="webshag", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]FHscan[^0-9A-Za-z]/i, $tool="FHscan", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Nessus[^0-9A-Za-z]/i, $tool="Nessus", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Nuclei[^0-9A-Za-z]/i, $tool="Nuclei", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Qualys[^0-9A-Za-z]/i, $tool="Qualys", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Sqlmap[^0-9A-Za-z]/i, $tool="sqlmap", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]WPScan[^0-9A-Za-z]/i, $tool="WPScan", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]jorgee[^0-9A-Za-z]/i, $tool="jorgee", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Nikto[^0-9A-Za-z]/i, $tool="Nikto", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]havij[^0-9A-Za-z]/i, $tool="havij", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]zgrab[^0-9A-Za-z]/i, $tool="ZGrab", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]BBOT[^0-9A-Za-z]/i, $tool="BBOT", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]Nmap[^0-9A-Za-z]/i, $tool="Nmap", $bordered=T),
	ReconWatch::Phrase($form=/[^0-9A-Za-z]w3af[^0-9A-Za-z]/i, $tool="w3af", $bordered=T)
);

redef ReconWatch::tool_whois = vector(
	ReconWatch::Phrase($form=/-V Md[^[:space:];)]+/i, $tool="")
);
