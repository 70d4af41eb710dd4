##! How detectors tell what they find: at once when a threshold is crossed, again only if that says something new.

@load ./main
@load ./visits

module ReconWatch;

export {
	## A finding that has come to name more databases is told once more when it has not grown for so long.
	const quiet = 10min &redef;

	## Keys of one detector of which a state is kept at once; what is seen of others then is not judged. A state is
	## some 1 to 20 kB, and lives for a day.
	const most_states = 20000 &redef;

	## A state table is full: raised once an hour, with the name of the note.
	global too_many: event(what: string);
}

## How long a state lives: its day, and the time for what comes late.
const state_life = 26hrs;

## What was told of one key and day.
type Said: record {
	score: count;
	services: string;
};

global said: table[string] of Said &create_expire=state_life;

## Raises a finding whose last word was waited for.
global expire_waiting: function(t: table[string] of Finding, id: string): interval;

## Found, not told: has come to name more databases.
global waiting: table[string] of Finding &write_expire=quiet &expire_func=expire_waiting;

global complained: set[string] &create_expire=1hr;

event too_many(what: string)
	{
	Reporter::info(fmt("ReconWatch: too many parties at once to judge them all: %s", what));
	}

function has_room(size: count, what: string): bool &is_used
	{
	if ( size < most_states )
		return T;
	if ( what !in complained )
		{
		add complained[what];
		event ReconWatch::too_many(what);
		}
	return F;
	}

function say(id: string, f: Finding, further: bool) &is_used
	{
	local services_said = join_string_vec(f$services, ",");
	said[id] = Said($score=f$score, $services=services_said);
	if ( further )
		f$key = fmt("%s %s", f$key, verdict_of(f$score));
	raise_finding(f);
	}

function expire_waiting(t: table[string] of Finding, id: string): interval &is_used
	{
	say(id, t[id], T);
	return 0sec;
	}

function grade(score: count): count &is_used
	{
	return score >= escalate ? 2 : score >= investigate ? 1 : 0;
	}

## Tell a finding of a key and window. It becomes a notice the first time, when its verdict rises, and, if it has come
## to name more databases, when it has not grown for :zeek:see:`ReconWatch::quiet`.
function tell(f: Finding, window: time) &is_used
	{
	# What is about one database is told for each; what may come to be about more has a key of its own.
	local what = f$key == "" ? join_string_vec(f$services, ",") : f$key;
	local id = fmt("%s %s %s %s %.0f", f$note, f$actor, f?$trusted ? "trusted" : "", what, time_to_double(window));
	if ( window_start(f$ts) != window || f?$trusted )
		f$key = fmt("%s%s%s", f$key, f?$trusted ? " trusted" : "",
		    window_start(f$ts) != window ? strftime(" %Y-%m-%d", window) : "");
	if ( id !in said )
		{
		if ( has_room(|said|, "what was told") )
			say(id, f, F);
		}
	else if ( grade(f$score) > grade(said[id]$score) )
		{
		delete waiting[id];
		say(id, f, T);
		}
	else if ( join_string_vec(f$services, ",") != said[id]$services )
		waiting[id] = f;
	}

event ReconWatch::last_words() &priority=-10
	{
	local all = waiting;
	waiting = table();
	for ( id, f in all )
		say(id, f, T);
	}

## The score of a sum of points: trust takes 60, which brings any single behaviour down to "monitor" and keeps it on
## record.
function scored(points: int, v: Visit): count &is_used
	{
	local sum = v?$trusted ? points - 60 : points;
	return sum < 0 ? 0 : sum > 100 ? 100 : int_to_count(sum);
	}

## A finding about the actor of a visit; the detector fills in what it says.
function found_in(v: Visit, note: Notice::Type, n: count, points: int, msg: string): Finding &is_used
	{
	local f = Finding($note=note, $ts=v$first, $actor=v$actor, $actor_role=v$actor_role, $services=vector(v$service),
	    $technique=v$technique, $score=scored(points, v), $msg=msg, $n=n);
	if ( v?$trusted )
		f$trusted = v$trusted;
	if ( v?$uid )
		f$uid = v$uid;
	if ( v?$id )
		f$id = v$id;
	return f;
	}

## The actor as part of a key: a party whose trust begins or ends has another notice from then on.
function party_of(v: Visit): string &is_used
	{
	return fmt("%s%s", v$actor, v?$trusted ? " trusted" : "");
	}

function state_key(v: Visit, what: string, window: time): string &is_used
	{
	return fmt("%s %s %.0f", party_of(v), what, time_to_double(window));
	}

function service_name(id: string): string &is_used
	{
	return id in services ? services[id]$name : id;
	}

function sorted_strings(all: set[string]): vector of string &is_used
	{
	local v: vector of string = vector();
	for ( one in all )
		v += one;
	sort(v, strcmp);
	return v;
	}

## The first few of a list: "a, b, c and 4 more".
function shortened(words: vector of string, most: count &default=3): string &is_used
	{
	if ( |words| == 0 )
		return "";
	if ( |words| > most )
		return fmt("%s and %d more", join_string_vec(words[:most], ", "), |words| - most);
	if ( |words| == 1 )
		return words[0];
	return fmt("%s and %s", join_string_vec(words[:|words| - 1], ", "), words[|words| - 1]);
	}

## The place of an asset in a list as people read it: addresses and numbers by value.
function target_order(a: string, b: string): int &is_used
	{
	local one = split_string1(a, /:/);
	local two = split_string1(b, /:/);
	if ( one[0] != two[0] )
		return strcmp(one[0], two[0]);
	if ( one[0] == "ip" )
		return to_addr(one[1]) < to_addr(two[1]) ? -1 : to_addr(two[1]) < to_addr(one[1]) ? 1 : 0;
	if ( one[0] == "asn" )
		{
		local lower = to_count(sub(one[1], /^AS/, ""));
		local upper = to_count(sub(two[1], /^AS/, ""));
		return lower < upper ? -1 : lower > upper ? 1 : 0;
		}
	return strcmp(one[1], two[1]);
	}

function sorted_targets(all: set[string]): vector of string &is_used
	{
	local v: vector of string = vector();
	for ( one in all )
		v += one;
	sort(v, target_order);
	return v;
	}

function values_of(targets: vector of string): vector of string &is_used
	{
	local v: vector of string = vector();
	for ( _, target in targets )
		v += split_string1(target, /:/)[1];
	return v;
	}

## The most that any *span* consecutive minutes with *minute* hold together.
function most_counted(minutes: table[count] of count, minute: count, span: count): count &is_used
	{
	local most = 0;
	local last = minute;
	while ( last < minute + span )
		{
		local sum = 0;
		local each = last + 1 - span;
		while ( each <= last )
			{
			if ( each in minutes )
				sum += minutes[each];
			++each;
			}
		if ( sum > most )
			most = sum;
		++last;
		}
	return most;
	}

## The most distinct members that any *span* consecutive minutes with *minute* hold; *known* if none has more.
function most_distinct(minutes: table[count] of set[string], minute: count, span: count, known: count): count &is_used
	{
	local most = known;
	local last = minute;
	while ( last < minute + span )
		{
		local members: set[string] = set();
		local each = last + 1 - span;
		while ( each <= last )
			{
			if ( each in minutes )
				members = members | minutes[each];
			++each;
			}
		if ( |members| > most )
			most = |members|;
		++last;
		}
	return most;
	}
