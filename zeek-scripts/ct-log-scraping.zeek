##! CT_Log_Scraping: certificate transparency read in bulk: a log's entries, or a search as programs ask it.
##!
##! Browsers audit certificates without asking the logs, and people read a page of results: programs do neither.

@load ./main
@load ./visits
@load ./findings

module ReconWatch;

export {
	## Reads of a log's entries, each behind the last: a client that copies the log.
	option ct_log_scraping_sequence: count = 5;

	## Answers as JSON in ten minutes: a script; an administrator's check asks for one or two.
	option ct_log_scraping_json: count = 10;

	## Requests or connections to a log in ten minutes, as for bulk search.
	option ct_log_scraping_visits: count = 30;
}

## Minutes over which volume is judged, as for bulk search.
const ct_span = 10;

## Reads of which the place in the log is kept, the earliest.
const ct_most_starts = 200;

## Entries from one read to the next of a client that goes through a log: logs give at most 256 to 1,024 at once.
const ct_most_batch = 4096;

## Characters of a request that are looked at.
const ct_longest = 8192;

## A read of a log's entries: RFC 6962 section 4.6, and the tiles of the static CT API (c2sp.org/static-ct-api).
const ct_entries = /\/ct\/v1\/get-entries\?([^#]*&)?start=[0-9]+|\/tile\/(data|entries|0)\/[x0-9\/]+/;

type LogRead: record {
	at: time;
	log: string;
	start: count;
};

type Reading: record {
	## Requests that programs make.
	minutes: table[count] of count &default=table();
	peak: count &default=0;
	## Requests or connections of any kind.
	visits: table[count] of count &default=table();
	visit_peak: count &default=0;
	starts: vector of LogRead &default=vector();
	log: bool &default=F;
	naming: count &default=0;
	http: bool &default=F;
};

global readings: table[string] of Reading &create_expire=state_life;

function earlier_read(a: LogRead, b: LogRead): int
	{
	return a$at < b$at ? -1 : a$at > b$at ? 1 : a$start < b$start ? -1 : a$start > b$start ? 1 : 0;
	}

## The most reads of one log that each begin within a batch behind the one before.
function rising(starts: vector of LogRead): count
	{
	local longest = 0;
	local last: table[string] of count;
	local length: table[string] of count;
	for ( _, read in starts )
		{
		local follows = read$log in last && last[read$log] < read$start
		    && read$start <= last[read$log] + ct_most_batch;
		length[read$log] = follows ? length[read$log] + 1 : 1;
		last[read$log] = read$start;
		if ( length[read$log] > longest )
			longest = length[read$log];
		}
	return longest;
	}

## Take the requests that programs make; how many there are.
function take_reads(state: Reading, v: Visit, is_log: bool): count
	{
	local n = 0;
	for ( _, rec in v$events )
		{
		if ( rec$kind != "http" || ! rec?$uri )
			next;
		local uri = |rec$uri| > ct_longest ? rec$uri[:ct_longest] : rec$uri;
		local entries = match_pattern(uri, ct_entries);
		if ( entries$matched || "output=json" in uri || "/v1/issuances" in uri )
			++n;
		if ( ! is_log || ! entries$matched )
			next;
		local number = sub(entries$str, /^.*start=|^\/tile\/(data|entries|0)\//, "");
		number = gsub(number, /[^0-9]/, "");
		if ( |number| > 15 )
			number = number[:15];
		local log = fmt("%s%s", rec?$host ? rec$host : "", uri[:entries$off - 1]);
		state$starts += LogRead($at=rec$ts, $log=log, $start=number == "" ? 0 : to_count(number));
		}
	sort(state$starts, earlier_read);
	if ( |state$starts| > ct_most_starts )
		state$starts = state$starts[:ct_most_starts];
	return n;
	}

event ReconWatch::visited(v: Visit)
	{
	local ct = services[v$service]$ct;
	if ( ct == "" || v$counted == "dns names" || stands_for_others(v$actor_role) )
		return;
	local day = window_start(v$first);
	local key = state_key(v, v$service, day);
	if ( key !in readings )
		{
		if ( ! has_room(|readings|, "CT_Log_Scraping") )
			return;
		readings[key] = Reading();
		}
	local state = readings[key];
	if ( ct == "log" )
		state$log = T;
	if ( v$counted == "http requests" )
		state$http = T;
	state$naming += v$queries;
	local minute = minute_of(v$first);
	local bulk = take_reads(state, v, ct == "log");
	state$minutes[minute] = minute in state$minutes ? state$minutes[minute] + bulk : bulk;
	local most = most_counted(state$minutes, minute, ct_span);
	if ( most > state$peak )
		state$peak = most;
	for ( each, n in v$minutes )
		{
		state$visits[each] = each in state$visits ? state$visits[each] + n : n;
		most = most_counted(state$visits, each, ct_span);
		if ( most > state$visit_peak )
			state$visit_peak = most;
		}

	local why = "";
	local count_of = rising(state$starts);
	if ( count_of >= ct_log_scraping_sequence )
		why = fmt("reads a log in sequence: %d reads, each just behind the last", count_of);
	else if ( state$peak >= ct_log_scraping_json )
		{
		count_of = state$peak;
		why = fmt("%d answers for programs within %d minutes", count_of, ct_span);
		}
	else if ( state$log && state$visit_peak >= ct_log_scraping_visits )
		{
		count_of = state$visit_peak;
		why = fmt("%d %s to a certificate transparency log within %d minutes", count_of,
		    state$http ? "http requests" : "connections", ct_span);
		}
	else
		return;
	tell(found_in(v, CT_Log_Scraping, count_of, state$naming > 0 ? +55 : +35,
	     fmt("%s scraped %s: %s", v$actor, service_name(v$service), why)), day);
	}
