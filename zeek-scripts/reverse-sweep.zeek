##! Reverse_Sweep: a share of one prefix walked by reverse DNS, ASN over DNS or WHOIS; never a mere count of them.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

export {
	## Distinct addresses of 256 within an hour: a quarter of a /24; mail and logs touch few.
	option reverse_sweep_share: count = 64;

	## Addresses asked about one after the other, each the next: nobody but a program counts.
	option reverse_sweep_run: count = 32;
}

## Minutes: a walk is a job; what a log server resolves of our addresses over a day is none.
const walk_span = 60;

type Octet: record {
	at: time;
	octet: count;
};

type Walked: record {
	## By minute, last octets.
	minutes: table[count] of set[string] &default=table();
	most: count &default=0;
	firsts: table[count] of time &default=table();
	services: set[string] &default=set();
	techniques: set[string] &default=set();
	ours: bool &default=F;
};

global walks: table[string] of Walked &create_expire=state_life;

## The address that the first labels of a name stand for, backwards (RFC 1035 section 3.5, RFC 3596 section 2.5).
function reversed_in(name: string): string
	{
	local ip = "";
	if ( /^([0-9a-fA-F]\.){32}/ in name )
		{
		local nibbles = reverse(gsub(name[:64], /\./, ""));
		local groups: vector of string = vector();
		local at = 0;
		while ( at < 32 )
			{
			groups += nibbles[at:at + 4];
			at += 4;
			}
		ip = join_string_vec(groups, ":");
		}
	else if ( /^([0-9]{1,3}\.){4}/ in name )
		{
		local o = split_string(name, /\./);
		ip = fmt("%s.%s.%s.%s", o[3], o[2], o[1], o[0]);
		}
	return ip != "" && is_valid_ip(ip) ? ip : "";
	}

## Single addresses that a row asks about, in DNS if that is the service, or in a WHOIS line.
function walked_in(rec: Info): vector of addr
	{
	local all: vector of addr = vector();
	if ( rec$kind == "dns" && rec?$host && rec?$service && services[rec$service]$asked_in_dns )
		{
		local ip = reversed_in(rec$host);
		if ( ip != "" )
			all += to_addr(ip);
		}
	if ( rec$kind == "whois" && rec?$query && / - / !in rec$query )
		for ( _, word in split_string(rec$query, /[ \t,;]+/) )
			if ( is_valid_ip(word) )
				all += to_addr(word);
	return all;
	}

function earlier_octet(a: Octet, b: Octet): int
	{
	return a$at < b$at ? -1 : a$at > b$at ? 1 : a$octet < b$octet ? -1 : 1;
	}

## The most addresses that were first asked about in the order of their numbers, up or down, without a gap.
function longest_run(firsts: table[count] of time): count
	{
	local asked_of: vector of Octet = vector();
	for ( octet, at in firsts )
		asked_of += Octet($at=at, $octet=octet);
	sort(asked_of, earlier_octet);
	local best = 1;
	local up = 1;
	local down = 1;
	local i = 1;
	while ( i < |asked_of| )
		{
		local before = asked_of[i - 1]$octet;
		local this = asked_of[i]$octet;
		up = this == before + 1 ? up + 1 : 1;
		down = this + 1 == before ? down + 1 : 1;
		if ( up > best )
			best = up;
		if ( down > best )
			best = down;
		++i;
		}
	return best;
	}

function last_octet(a: addr): count
	{
	local parts = addr_to_counts(a);
	return parts[|parts| - 1] % 256;
	}

function tell_walk(state: Walked, v: Visit, prefix: subnet, day: time)
	{
	local run = longest_run(state$firsts);
	if ( state$most < reverse_sweep_share && run < reverse_sweep_run )
		return;
	local n = state$most > run ? state$most : run;
	local f = found_in(v, Reverse_Sweep, n, state$ours ? +55 : +35,
	    fmt("%s walked %d addresses of %s", v$actor, n, prefix));
	f$services = sorted_strings(state$services);
	f$technique = join_string_vec(sorted_strings(state$techniques), ",");
	f$key = cat(prefix);
	if ( state$ours )
		f$targets = vector(fmt("range:%s", prefix));
	tell(f, day);
	}

event ReconWatch::visited(v: Visit)
	{
	if ( stands_for_others(v$actor_role) )
		return;
	local day = window_start(v$first);
	local touched: table[subnet] of set[count];
	for ( _, rec in v$events )
		for ( _, ip in walked_in(rec) )
			{
			local prefix = is_v4_addr(ip) ? ip/24 : ip/120;
			local key = state_key(v, cat(prefix), day);
			if ( key !in walks )
				{
				if ( ! has_room(|walks|, "Reverse_Sweep") )
					next;
				walks[key] = Walked();
				}
			local state = walks[key];
			local minute = minute_of(rec$ts);
			local octet = last_octet(ip);
			if ( minute !in state$minutes )
				state$minutes[minute] = set();
			add state$minutes[minute][cat(octet)];
			if ( octet !in state$firsts || rec$ts < state$firsts[octet] )
				state$firsts[octet] = rec$ts;
			if ( is_owned(ip) )
				state$ours = T;
			add state$services[v$service];
			add state$techniques[v$technique];
			if ( prefix !in touched )
				touched[prefix] = set();
			add touched[prefix][minute];
			}
	for ( each, minutes in touched )
		{
		local walk = walks[state_key(v, cat(each), day)];
		for ( within in minutes )
			walk$most = most_distinct(walk$minutes, within, walk_span, walk$most);
		if ( |walk$minutes| > 4 * walk_span )
			for ( old in copy(walk$minutes) )
				if ( old < minute_of(v$first) - 2 * walk_span )
					delete walk$minutes[old];
		tell_walk(walk, v, each, day);
		}
	}
