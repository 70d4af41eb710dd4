##! Strikes credentials out of requests before anything is kept of them, as reconwatch does (interest.py).

@load ./service

module ReconWatch;

export {
	## Query parameters that carry a credential, whatever the host; letters and digits only.
	option secret_parameters: set[string] = {
		"access", "accesskey", "apiid", "apikey", "auth", "authkey", "authorization", "bearer", "clientid", "clientkey",
		"credential", "credentials", "jwt", "key", "licencekey", "licensekey", "pass", "passwd", "password", "privatekey",
		"pwd", "secretkey", "session", "sessionid", "sid", "sig", "signature", "userkey", "xapikey",
	};

	## *uri*, a request to *host*, with the value of every credential-like parameter replaced by ``***``.
	global struck_out: function(host: string, uri: string): string;
}

const mask = "***";
const secret_endings = /(token|secret|apikey|password|passwd|accesskey)$/;
const parameter_form = /([?&;]|%(25)*(3f|26|3b))([0-9A-Za-z_.\[\]+\x80-\xff-]|%(25)*([4-7][0-9a-f]|2[bde]|5[bdf]|3[0-9])){1,64}(=|%(25)*3d)/i;
const lead_form = /^([?&;]|%(25)*(3f|26|3b))/i;
const equals_form = /(=|%(25)*3d)$/i;
const value_end = /[&;#[:space:]]/;
const inside_end = /[&;#[:space:]]|%(25)*(26|3b)/i;
const userinfo_lead = /^[a-z0-9+.\-](:|%(25)*3a)(\/|%(25)*2f){2}/i;
const userinfo_at = /(@|%(25)*40)$/i;
const userinfo_form = /[a-z0-9+.\-](:|%(25)*3a)(\/|%(25)*2f){2}([^\/?#@&%[:space:]]|%(25)*([0156789a-f][^\/?#@&[:space:]]|2[0124-57-9a-e]|3[0-9a-e]|4[1-9a-f]))+(@|%(25)*40)/i;

## A parameter's name without what its spellings differ in: case, encoding, punctuation.
function bare_parameter(name: string): string
	{
	local i = 0;
	while ( i < 8 && "%" in name )
		{
		local plain = unescape_URI(name);
		if ( plain == name )
			break;
		name = plain;
		++i;
		}
	return gsub(to_lower(name), /[^0-9a-z]/, "");
	}

function is_secret(name: string, further: set[string]): bool
	{
	local bare = bare_parameter(name);
	return bare in secret_parameters || bare in further || secret_endings in bare;
	}

function parameters_of(host: string): set[string]
	{
	local further: set[string] = set();
	while ( |host| > 0 && |host| <= 253 )
		{
		if ( host in secrets )
			further = further | secrets[host];
		local dot = find_str(host, ".");
		if ( dot < 0 )
			break;
		host = host[dot + 1:];
		}
	return further;
	}

function without_parameters(uri: string, further: set[string]): string
	{
	local told = "";
	local done = 0;
	local at = 0;
	for ( i, piece in split_string_all(uri, parameter_form) )
		{
		local start = at;
		at += |piece|;
		if ( i % 2 == 0 || start < done )
			next;
		local encoded = piece[0] == "%";
		if ( ! is_secret(sub(sub(piece, lead_form, ""), equals_form, ""), further) )
			next;
		local value = split_string1(uri[at:], encoded ? inside_end : value_end)[0];
		if ( |value| == 0 )
			next;
		told += uri[done:at] + mask;
		done = at + |value|;
		}
	return told + uri[done:];
	}

function without_userinfo(uri: string): string
	{
	if ( "@" !in uri && "%" !in uri )
		return uri;
	local told = "";
	for ( i, piece in split_string_all(uri, userinfo_form) )
		{
		if ( i % 2 == 1 )
			told += find_all_ordered(piece, userinfo_lead)[0] + mask + find_all_ordered(piece, userinfo_at)[0];
		else
			told += piece;
		}
	return told;
	}

## The URI with its secret segment struck out, if it begins as the template does.
function without_segment(uri: string, template: string): string
	{
	local told = "";
	local rest = uri;
	for ( i, piece in split_string_all(template, /\{[a-z]+\}/) )
		{
		if ( i % 2 == 0 )
			{
			if ( ! starts_with(rest, piece) )
				return uri;
			told += piece;
			rest = rest[|piece|:];
			next;
			}
		local segment = split_string1(rest, /[\/?]/)[0];
		if ( |segment| == 0 )
			return uri;
		told += piece == "{secret}" ? mask : segment;
		rest = rest[|segment|:];
		}
	return told + rest;
	}

function struck_out(host: string, uri: string): string
	{
	if ( |secret_paths| > 0 )
		for ( suffix, templates in secret_paths )
			if ( host == suffix || ends_with(host, "." + suffix) )
				for ( _, template in templates )
					uri = without_segment(uri, template);
	if ( "=" !in uri && "@" !in uri && "%" !in uri )
		return uri;
	# A parameter at the very beginning has nothing before it.
	if ( uri[0] == "/" )
		return without_userinfo(without_parameters(uri, parameters_of(host)));
	return without_userinfo(without_parameters("?" + uri, parameters_of(host))[1:]);
	}
