##! Which assets of ours a request, a WHOIS line or a DNS name asks about, in every spelling that requests use.
##!
##! By whole labels and whole numbers, so that neighbours are never ours. The same readings as reconwatch's
##! (targets.py). Letters beyond ASCII are compared as bytes: an internationalised zone is known by its A-labels, and by
##! how people write it in lower case (:zeek:see:`ReconWatch::zone_spellings`).

@load ./main
@load ./service
@load ./spelling

module ReconWatch;

export {
	## The assets that a query of a *layer* ("http", "whois", "dns") to a service names, each "kind:value", sorted.
	## *text* is a URI as sent, a line, or a name.
	global targets_in: function(service: string, layer: string, text: string): vector of string;
}

# ---------------------------------------------------------------- what is ours

function end_of(net: subnet): addr
	{
	local parts = addr_to_counts(subnet_to_addr(net));
	local left = subnet_width(net);
	if ( |parts| == 1 && left >= 96 )
		left -= 96;
	for ( i in parts )
		{
		local width = left >= 32 ? 32 : left;
		left -= width;
		if ( width < 32 )
			parts[i] = parts[i] | (4294967295 >> width);
		}
	return counts_to_addr(parts);
	}

function is_of_ours(named: Named): bool
	{
	if ( named?$net )
		{
		local a = subnet_to_addr(named$net);
		local width = subnet_width(named$net);
		if ( width < (is_v4_addr(a) ? narrowest_4 : narrowest_6) )
			return F;
		if ( a in owned_nets )
			return T;
		for ( owned in owned_nets )
			if ( subnet_to_addr(owned) in named$net )
				return T;
		return F;
		}
	if ( addr_to_counts(named$last)[0] - addr_to_counts(named$first)[0] >= 16777216 )
		return F;
	for ( owned in owned_nets )
		{
		local first = subnet_to_addr(owned);
		if ( is_v4_addr(first) && named$last >= first && named$first <= end_of(owned) )
			return T;
		}
	return F;
	}

function is_under(name: string): bool
	{
	while ( T )
		{
		if ( name in owned_zones )
			return T;
		local dot = find_str(name, ".");
		if ( dot < 0 )
			return F;
		name = name[dot + 1:];
		}
	return F;
	}

## Notes what is ours of what a text names.
function keep_ours(found: set[string], names: Names)
	{
	for ( _, named in names )
		{
		if ( named$kind == "domain" ? is_under(named$value) : named$kind == "asn" ? to_count(named$value[2:]) in owned_asns : is_of_ours(named) )
			add found[fmt("%s:%s", named$kind, named$value)];
		}
	}

global brand_forms: table[string] of pattern;

## The brand as whole words, joined by blanks as URLs spell them.
function brand_form(brand: string): pattern
	{
	if ( brand !in brand_forms )
		{
		local words: vector of string = vector();
		for ( _, word in split_string(brand, / +/) )
			words += convert_for_pattern(word);
		brand_forms[brand] = string_to_pattern(join_string_vec(words, "([ \\t\\n\\r\\x0b\\x0c+_]|%20)+"), F);
		}
	return brand_forms[brand];
	}

function find_brands(found: set[string], lowered: string)
	{
	for ( brand in owned_brands )
		{
		if ( split_string1(brand, / /)[0] !in lowered )
			next;
		local pieces = split_string_all(lowered, brand_form(brand));
		for ( i, _ in pieces )
			if ( i % 2 == 1 && /[0-9a-z_.\x80-\xff\-]$/ !in pieces[i - 1] &&
			     /^([0-9a-z_\x80-\xff\-]|\.[0-9a-z_\x80-\xff])/ !in pieces[i + 1] )
				add found[fmt("brand:%s", brand)];
		}
	}

## Notes every asset of ours that a text names.
function find_ours(found: set[string], text: string)
	{
	text = sub_bytes(text, 1, longest_searched);
	# Marks and symbols beyond ASCII (U+0080 to U+00BF, U+2000 to U+2FFF, what is none) are no letters.
	if ( /[\x80-\xff]/ in text )
		text = gsub(text, /\xc2[\x80-\xbf]|\xe2[\x80-\xbf][\x80-\xbf]|\xef\xbf[\x80-\xbf]/, "\"");
	local lowered = to_lower(text);
	if ( |owned_nets| > 0 )
		keep_ours(found, networks_in(text));
	if ( |owned_asns| > 0 && ("as" in lowered || "num" in lowered) )
		keep_ours(found, asns_in(lowered));
	local names = /[\x80-\xff]/ in text;
	for ( zone in owned_zones )
		names = names || zone in lowered;
	if ( names )
		keep_ours(found, domains_in(text));
	if ( |owned_brands| > 0 )
		find_brands(found, lowered);
	}

# ---------------------------------------------------------------- templates

const piece_forms: table[string] of pattern = {
	["ip"] = /[0-9.]+|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?/,
	["range"] = /[0-9A-Fa-f:.]+(\/[0-9]{1,3}|-[0-9A-Fa-f:.]+)?/,
	["domain"] = /[^\/?]+/,
	["asn"] = /([Aa][Ss][Nn]?)?[0-9]{1,10}/,
	["text"] = /.+/,
	["base64"] = /[^\/?]+/,
	["any"] = /[^\/]+/,
	["secret"] = /[^\/]+/,
	["reversed"] = /[0-9a-f]+(\.[0-9a-f]+)*/,
};

## What stands for the placeholders of a form from piece *i* on, if *text* is of this form. Placeholders take as much as
## they can.
function filled(form: vector of string, i: count, text: string, fits: vector of string): bool
	{
	if ( ! starts_with(text, form[i]) )
		return F;
	local rest = text[|form[i]|:];
	if ( i + 1 >= |form| )
		return rest == "";
	local behind = form[i + 2];
	local last = i + 3 == |form|;
	if ( |rest| <= |behind| )
		return F;
	local stop: int = last ? |rest| - |behind| : rfind_str(rest, behind);
	local tries = 0;
	while ( stop > 0 && tries < 64 )
		{
		++tries;
		local piece = rest[:stop];
		local size = |fits|;
		if ( piece_forms[form[i + 1]] == piece )
			{
			fits += piece;
			if ( filled(form, i + 2, rest[stop:], fits) )
				return T;
			resize(fits, size);
			}
		if ( last )
			return F;
		stop = rfind_str(rest, behind, 0, stop - 1 + |behind|);
		}
	return F;
	}

function read_piece(kind: string, piece: string): Names
	{
	local found: Names = vector();
	switch ( kind )
		{
		case "ip":
			local bare = gsub(piece, /^\[+|\]+$/, "");
			bare = gsub(bare, /^\]+|\[+$/, "");
			if ( is_v4_text(bare) || is_v6_text(bare) )
				found += named_address(bare);
			break;
		case "range":
			found = networks_in(piece);
			break;
		case "domain":
			if ( reverse_end in gsub(to_lower(piece), /\.+$/, "") )
				return named_in(piece);
			local name = canonical_name(gsub(piece, /^[*%.]+/, ""));
			if ( name != "" )
				found += Named($kind="domain", $value=name);
			break;
		case "asn":
			found += Named($kind="asn", $value=fmt("AS%d", to_count(gsub(piece, /[^0-9]/, ""))));
			break;
		case "text":
			found = named_in(piece);
			break;
		case "base64":
			found = named_in(unbase64(gsub(piece, / /, "+")));
			break;
		case "reversed":
			found = unreversed(piece);
			break;
		}
	return found;
	}

function parameters_in(query: string): table[string] of string
	{
	local found: table[string] of string = table();
	for ( _, parameter in split_string(query, /[&;]/) )
		{
		local sides = split_string1(parameter, /=/);
		local name = to_lower(sides[0]);
		if ( name !in found )
			found[name] = |sides| == 2 ? unescape_URI(gsub(sides[1], /\+/, " ")) : "";
		}
	return found;
	}

## What a query names by the service's own forms; the first form that reads something decides.
function asked(service: string, layer: string, text: string): Names
	{
	local path = text;
	local values: table[string] of string = table();
	if ( layer == "http" )
		{
		local sides = split_string1(text, /\?/);
		path = unescape_URI(sides[0]);
		if ( path != "/" )
			path = gsub(path, /\/+$/, "");
		if ( |sides| == 2 )
			values = parameters_in(sides[1]);
		}
	for ( _, query in services[service]$queries )
		{
		if ( query$layer != layer )
			next;
		local fits: vector of string = vector();
		local kinds: vector of string = vector();
		if ( ! filled(query$path, 0, path, fits) )
			next;
		for ( i, piece in query$path )
			if ( i % 2 == 1 )
				kinds += piece;
		local whole = T;
		for ( _, parameter in query$parameters )
			{
			if ( parameter$name !in values || ! filled(parameter$value, 0, values[parameter$name], fits) )
				{
				whole = F;
				break;
				}
			for ( i, piece in parameter$value )
				if ( i % 2 == 1 )
					kinds += piece;
			}
		if ( ! whole )
			next;
		local found: Names = vector();
		for ( i, fit in fits )
			for ( _, named in read_piece(kinds[i], fit) )
				found += named;
		if ( |found| > 0 )
			return found;
		}
	return vector();
	}

function targets_in(service: string, layer: string, text: string): vector of string
	{
	local found: set[string] = set();
	local sorted: vector of string = vector();
	if ( services[service]$ordinary )
		return sorted;
	if ( layer == "http" )
		for ( _, reading in spellings(text) )
			find_ours(found, reading);
	else if ( layer == "whois" )
		find_ours(found, text);
	keep_ours(found, asked(service, layer, sub_bytes(text, 1, longest_searched)));
	for ( target in found )
		sorted += target;
	return sort(sorted, strcmp);
	}
