##! What a text names, whoever owns it: addresses, ranges, names and AS numbers in every spelling that requests use, as
##! reconwatch reads them (targets.py).

@load ./main
@load ./service

module ReconWatch;

## Something that a text names, whoever owns it.
type Named: record {
	## "domain", "asn", "ip" or "range".
	kind: string;
	value: string;
	## Of a range of addresses.
	net: subnet &optional;
	first: addr &optional;
	last: addr &optional;
};

type Names: vector of Named;

## Characters of a request that are searched.
const longest_searched = 16384;
const decode_rounds = 3;

const octets = /[0-9]{1,3}(\.[0-9]{1,3}){3}/;
const octets_first = /[0-9]{1,3}(\.[0-9]{1,3}){3}(\.([^0-9].*)?)?/;
const octet_form = /(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}/;
const blanks_and_hyphen = /[ \t\n\r\x0b\x0c]*-[ \t\n\r\x0b\x0c]*/;
const wildcard_form = /[0-9]{1,3}(\.[0-9]{1,3}){0,2}(\.\*)+/;
const asn_form = /(as(n(__in)?)?[ \t\n\r\x0b\x0c:=_"'\-]{0,4}|aut-?num(ber)?[\/ \t\n\r\x0b\x0c:=_"']{1,3})[0-9]{1,10}/;
const reverse_end = /\.(in-addr|ip6)\.arpa$/;
const extension = /\.(jsonp?|html?|xml|txt|csv|php|aspx?|jsp|png|svg|jpe?g|gif|pdf|rss)$/;
const top_label = /[a-z\x80-\xff]+|xn--.*/;
const base64_form = /[A-Za-z0-9+\/_-]{8,}={0,2}/;
const key_form = /[0-9A-Za-z_.\x80-\xff-]+:/;

## The widest range of a request that names us, not everybody: a /9 and a /17.
const narrowest_4 = 9;
const narrowest_6 = 17;

# ---------------------------------------------------------------- addresses

function is_v4_text(text: string): bool
	{
	return octet_form == text && is_valid_ip(text);
	}

function is_v6_text(text: string): bool
	{
	return ":" in text && /[0-9A-Fa-f:.]{2,45}/ == text && is_valid_ip(text) && is_v6_addr(to_addr(text));
	}

function named_address(text: string): Named
	{
	local a = to_addr(text);
	return Named($kind="ip", $value=cat(a), $net=addr_to_subnet(a));
	}

## The network of an address and a prefix length, if no bit of a host is set; else the address.
function named_network(text: string, width: string): Named
	{
	local a = to_addr(text);
	local most = is_v4_addr(a) ? 32 : 128;
	if ( width != "" && to_count(width) <= most )
		{
		local net = a / to_count(width);
		if ( subnet_to_addr(net) == a )
			return Named($kind=to_count(width) == most ? "ip" : "range", $value=fmt("%s/%d", a, to_count(width)), $net=net);
		}
	return Named($kind="ip", $value=cat(a), $net=addr_to_subnet(a));
	}

function reversed_labels(labels: vector of string): vector of string
	{
	local turned: vector of string = vector();
	local i = |labels|;
	while ( i > 0 )
		{
		--i;
		turned += labels[i];
		}
	return turned;
	}

## The address or prefix that reversed octets or nibbles stand for (RFC 1035 section 3.5, RFC 3596 section 2.5).
function unreversed(text: string): Names
	{
	local found: Names = vector();
	if ( |text| == 0 || |text| > 63 )
		return found;
	local labels = split_string(to_lower(text), /\./);
	local turned = reversed_labels(labels);
	local net: subnet;
	local single = F;
	if ( |labels| <= 4 && /[0-9]{1,3}(\.[0-9]{1,3}){0,3}/ == text )
		{
		while ( |turned| < 4 )
			turned += "0";
		local v4 = join_string_vec(turned, ".");
		if ( ! is_v4_text(v4) )
			return found;
		net = to_addr(v4) / (8 * |labels|);
		single = |labels| == 4;
		}
	else if ( /[0-9a-f](\.[0-9a-f]){0,31}/ == to_lower(text) )
		{
		local digits = join_string_vec(turned, "");
		local groups: vector of string = vector();
		local padded = digits + sub_bytes("00000000000000000000000000000000", 1, 32 - |digits|);
		local i = 0;
		while ( i < 32 )
			{
			groups += padded[i:i + 4];
			i += 4;
			}
		net = to_addr(join_string_vec(groups, ":")) / (4 * |digits|);
		single = |digits| == 32;
		}
	else
		return found;
	found += Named($kind=single ? "ip" : "range", $value=single ? cat(subnet_to_addr(net)) : cat(net), $net=net);
	return found;
	}

function find_octets(text: string): Names
	{
	local found: Names = vector();
	local pieces = split_string_all(text, /[0-9A-Za-z.]+/);
	local behind = 0;
	for ( i, run in pieces )
		{
		if ( i % 2 == 0 || octets_first != run )
			next;
		local labels = split_string(run, /\./);
		local word = join_string_vec(vector(labels[0], labels[1], labels[2], labels[3]), ".");
		local whole = word == run;
		local next_run = i + 2 < |pieces| ? pieces[i + 2] : "";
		if ( whole && i >= behind && octets_first == next_run && blanks_and_hyphen == pieces[i + 1] )
			{
			local ends = split_string(next_run, /\./);
			local last = join_string_vec(vector(ends[0], ends[1], ends[2], ends[3]), ".");
			if ( is_v4_text(word) && is_v4_text(last) && to_addr(word) <= to_addr(last) )
				found += Named($kind=word == last ? "ip" : "range", $value=fmt("%s-%s", word, last), $first=to_addr(word),
				    $last=to_addr(last));
			behind = i + 4;
			}
		if ( ! is_v4_text(word) )
			next;
		local has_width = whole && |next_run| in set(1, 2) && (pieces[i + 1] == "/" || pieces[i + 1] == ",") &&
		    /[0-9]{1,2}/ == next_run;
		found += named_network(word, has_width ? next_run : "");
		}
	return found;
	}

function find_wildcards(text: string): Names
	{
	local found: Names = vector();
	local pieces = split_string_all(text, wildcard_form);
	for ( i, piece in pieces )
		{
		if ( i % 2 == 0 || /[0-9A-Za-z.]$/ in pieces[i - 1] || /^[0-9A-Za-z]/ in pieces[i + 1] )
			next;
		local known = split_string(gsub(piece, /(\.\*)+$/, ""), /\./);
		local stars = |find_all_ordered(piece, /\*/)|;
		local width = 8 * |known|;
		if ( |known| + stars > 4 )
			next;
		while ( |known| < 4 )
			known += "0";
		local word = join_string_vec(known, ".");
		if ( is_v4_text(word) )
			{
			local net = to_addr(word) / width;
			found += Named($kind="range", $value=cat(net), $net=net);
			}
		}
	return found;
	}

function find_v6(text: string): Names
	{
	local found: Names = vector();
	local pieces = split_string_all(text, /[0-9A-Za-z:.]+/);
	for ( i, run in pieces )
		{
		if ( i % 2 == 0 || |run| > 64 || |find_all_ordered(run, /:/)| < 2 )
			next;
		local word = run;
		while ( |find_all_ordered(word, /:/)| >= 2 )
			{
			local plain = gsub(word, /\.+$/, "");
			if ( is_v6_text(plain) )
				{
				local width = "";
				if ( i + 2 < |pieces| && pieces[i + 1] == "/" && word == plain )
					{
					local digits = split_string1(pieces[i + 2], /[^0-9]/)[0];
					if ( |digits| in set(1, 2, 3) )
						width = digits;
					}
				found += named_network(plain, width);
				break;
				}
			word = word[find_str(word, ":") + 1:];
			}
		}
	return found;
	}

function find_reverse_names(text: string): Names
	{
	local found: Names = vector();
	local pieces = split_string_all(text, /[0-9A-Za-z.\-]+/);
	for ( i, run in pieces )
		{
		if ( i % 2 == 0 || ".arpa" !in run || (|pieces[i + 1]| > 0 && pieces[i + 1][0] == "_" && ends_with(run, "arpa")) )
			next;
		local labels = split_string1(run, /\.(in-addr|ip6)\.arpa/);
		if ( |labels| < 2 || /[0-9a-f]+(\.[0-9a-f]+)*/ != labels[0] || /(\..*)?/ != labels[1] )
			next;
		for ( _, named in unreversed(labels[0]) )
			found += named;
		}
	return found;
	}

## Every address, prefix, wildcard, reverse name and range in a text.
function networks_in(text: string): Names
	{
	local found: Names = vector();
	if ( "." in text )
		for ( _, named in find_octets(text) )
			found += named;
	if ( ":" in text )
		for ( _, named in find_v6(text) )
			found += named;
	if ( "*" in text )
		for ( _, named in find_wildcards(text) )
			found += named;
	local lowered = to_lower(text);
	if ( ".arpa" in lowered )
		for ( _, named in find_reverse_names(lowered) )
			found += named;
	return found;
	}

# ---------------------------------------------------------------- numbers and names

function asns_in(lowered: string): Names
	{
	local found: Names = vector();
	local pieces = split_string_all(lowered, asn_form);
	for ( i, piece in pieces )
		{
		if ( i % 2 == 0 )
			next;
		local before = pieces[i - 1];
		local behind = pieces[i + 1];
		if ( /[0-9a-z]$/ in before && /![a-z]$/ !in before )
			next;
		if ( /^([0-9a-z]|\.[0-9])/ in behind )
			next;
		local digits = find_all_ordered(piece, /[0-9]+$/);
		local number = to_count(digits[0]);
		if ( number < 4294967296 )
			found += Named($kind="asn", $value=fmt("AS%d", number));
		}
	return found;
	}

## A host name as lower-case A-labels, as far as that can be told; "" if it cannot be one.
function canonical_name(word: string): string
	{
	local name = sub(to_lower(gsub(word, /^[.\-]+|[.\-]+$/, "")), extension, "");
	if ( "." !in name || ".." in name || |name| > 253 )
		return "";
	for ( spelt, zone in zone_spellings )
		if ( name == spelt || ends_with(name, "." + spelt) )
			name = name[:|name| - |spelt|] + zone;
	if ( top_label != name[rfind_str(name, ".") + 1:] )
		return "";
	return name;
	}

function domains_in(text: string): Names
	{
	local found: Names = vector();
	for ( _, word in find_all_ordered(text, /[0-9A-Za-z_.\x80-\xff\-]+/) )
		{
		local name = "." in word ? canonical_name(word) : "";
		if ( name != "" && reverse_end !in name )
			found += Named($kind="domain", $value=name);
		}
	return found;
	}

## Everything that a text names, whoever owns it.
function named_in(text: string): Names
	{
	local found = networks_in(text);
	for ( _, named in asns_in(to_lower(text)) )
		found += named;
	for ( _, named in domains_in(gsub(text, key_form, " ")) )
		found += named;
	return found;
	}

# ---------------------------------------------------------------- spellings

## The text behind base64 (RFC 4648 sections 4 and 5); "" unless it is printable.
function unbase64(word: string): string
	{
	local plain = gsub(gsub(gsub(word, /=+$/, ""), /-/, "+"), /_/, "/");
	if ( |plain| % 4 == 1 || /[A-Za-z0-9+\/]+/ != plain )
		return "";
	local text = decode_base64(plain + sub_bytes("===", 1, (4 - |plain| % 4) % 4));
	return /[\x00-\x1f\x7f]/ in text || /[^ ]/ !in text ? "" : text;
	}

function base64_words(raw: string, plain: string): vector of string
	{
	local found: vector of string = vector();
	local parts = split_string1(raw != plain && "?" in raw ? raw : plain, /\?/);
	if ( |parts| == 2 )
		for ( _, parameter in split_string(parts[1], /&/) )
			{
			local sides = split_string1(parameter, /=/);
			if ( |sides| < 2 )
				next;
			local value = gsub(unescape_URI(sides[1]), / /, "+");
			if ( base64_form == value )
				found += value;
			}
	for ( _, segment in split_string(split_string1(plain, /\?/)[0], /\//) )
		if ( |segment| >= 12 && base64_form == segment )
			found += segment;
	return found;
	}

## The readings of a URI: percent-decoded until it stands still, and what base64 hides. A reading in which ``%25`` still
## stands is half-decoded and none.
function spellings(uri: string): vector of string
	{
	local raw = sub_bytes(uri, 1, longest_searched);
	local text = raw;
	local whole: vector of string = vector();
	local last = "";
	local i = 0;
	while ( i < decode_rounds )
		{
		++i;
		last = "%" in text ? unescape_URI(text) : text;
		if ( "%25" !in last )
			whole += last;
		if ( last == text )
			break;
		text = last;
		}
	if ( |whole| == 0 )
		whole += last;
	local plain = whole[0];
	for ( _, word in base64_words(raw, plain) )
		{
		local hidden = unbase64(word);
		if ( hidden != "" )
			whole += hidden;
		}
	return whole;
	}

