##! Visits: what one client does at one database, with pauses of less than 30 seconds, is one use of it.
##!
##! Sightings of lookups come in about the order of time, from several workers. They wait here until no more of the
##! same client and service can come, are sorted by their own times and cut into visits. So a visit does not depend
##! on the order of arrival, and reading a capture gives the same visits as living through it.

@load ./main
@load ./service

module ReconWatch;

export {
	## A pause of a client at a service that ends a visit.
	const visit_gap = 30sec &redef;

	## A visit that goes on is cut here, so that a day-long scrape is told in time and in bounded memory.
	const visit_span = 5min &redef;

	## Events of one visit: the same bound for fast visits.
	const visit_events = 512 &redef;

	## By how much rows of one client may come out of order.
	const disorder = 10sec &redef;

	## Within what time a resolver or proxy asks the world on behalf of a client.
	const upstream_span = 5sec &redef;

	## Events of open visits kept at once, about 1 kB each; beyond, all visits are closed early.
	const most_open = 40000 &redef;

	## Names that are remembered at once, to find the client for whom a resolver or proxy asks.
	const most_upstream_asks = 30000 &redef;

	## One client's use of one service.
	type Visit: record {
		actor: addr;
		actor_role: set[string];
		## Why the site trusts it at the visit's start.
		trusted: string &optional;
		## Catalog id.
		service: string;
		technique: string;
		first: time;
		last: time;
		## How much, of the best layer seen: HTTP requests, else connections, else distinct DNS names.
		n: count;
		## The unit of *n*: "http requests", "connections" or "dns names".
		counted: string;
		## How much of *n* falls into a minute since the epoch.
		minutes: table[count] of count &default=table();
		## The distinct names, where names are what is counted.
		names: set[string] &default=set();
		## No pause came before it: a long visit was cut here.
		continues: bool &default=F;
		## The service was used, and not only its name resolved; or resolving it is the use.
		connected: bool &default=F;
		## A bare visit is a signal.
		strong: bool &default=F;
		## No use of a database by itself: reverse names of our own ranges.
		ordinary: bool &default=F;
		## Requests that name assets of ours.
		queries: count &default=0;
		## The assets, each "kind:value".
		targets: set[string] &default=set();
		## The kinds of event that named them.
		target_kinds: set[string] &default=set();
		## The client's own events in order of time.
		events: vector of Info &default=vector();
		## Of the event that says most: the first that names an asset, else the first of the layer that is counted.
		uid: string &optional;
		id: conn_id &optional;
	};

	## Raised for each visit that is over, on the node that counts what its client does.
	global visited: event(v: Visit);

	## Raised when Zeek ends, behind the last visits: what still waits is told now.
	global last_words: event();
}

## The layers of a visit, best first.
const layers = vector("http requests", "connections", "dns names");

## An event on its way into a visit.
type Step: record {
	rec: Info;
	## The time that gives it its place: its own, or that of what it was asked for.
	at: time;
	## The view of a resolver or proxy that acts for the visit's client.
	upstream: bool;
};

type OpenVisit: record {
	actor: addr;
	service: string;
	steps: vector of Step &default=vector();
	oldest: time;
	newest: time;
	## When the last of its events came here.
	touched: time;
	## The first of its visits goes on where another was cut.
	continues: bool &default=F;
};

global open_visits: table[addr, string] of OpenVisit;
global open_steps = 0;

## Somebody asked for a name.
type Ask: record {
	at: time;
	actor: addr;
	service: string;
	## The name in full; asks are kept under its parents too.
	name: string;
};

## By rank and name; the rank is that of :zeek:see:`ReconWatch::rank_of`.
global asks_by_name: table[count, string] of vector of Ask &write_expire=2min;

## Asks for one name that are kept; in a flood, one of the last will do.
const most_asks = 256;

## Labels of a parent name, for resolvers minimise what they ask upstream (RFC 9156 section 2.3).
const most_labels = 10;

type Held: record {
	rec: Info;
	came: time;
};
## What resolvers and proxies asked, until it is clear for whom.
global held: table[count] of Held;
global next_held = 0;

global ticking = F;

## Zeek ends: what comes now waits for nothing.
global ending = F;
global tick: event();
global flush_visits: event();

function rank_of(roles: set[string]): count
	{
	return "resolver" in roles ? 2 : "proxy" in roles ? 1 : 0;
	}

function layer_of(kind: string): count
	{
	return kind == "http" ? 0 : kind == "dns" ? 2 : 1;
	}

## Whether rows of resolvers and proxies may be the other view of what a client of ours did.
function sees_upstream(): bool
	{
	return ! sees_clients && |resolvers| + |proxies| > 0;
	}

function later_step(a: Step, b: Step): int
	{
	if ( a$at != b$at )
		return a$at < b$at ? -1 : 1;
	if ( a$upstream != b$upstream )
		return a$upstream ? 1 : -1;
	return a$rec$ts < b$rec$ts ? -1 : a$rec$ts > b$rec$ts ? 1 : 0;
	}

function earlier_row(a: Info, b: Info): int
	{
	return a$ts < b$ts ? -1 : a$ts > b$ts ? 1 : 0;
	}

function minute_of(at: time): count &is_used
	{
	return double_to_count(floor(time_to_double(at) / 60.0));
	}

## What is counted once: a request, a flow, a name.
function unit_of(rec: Info, number: count): string
	{
	if ( rec$kind == "dns" && rec?$host )
		return rec$host;
	if ( rec$kind != "http" && rec?$id )
		return fmt("%s %s", rec$id$orig_p, cat(rec$id$orig_h, rec$id$resp_h, rec$id$resp_p));
	return fmt("#%d", number);
	}

## Give a visit its meaning: how much was asked, what of ours was named, whether the service was used at all.
function understand(v: Visit, best: count)
	{
	local service = services[v$service];
	v$counted = layers[best];
	v$strong = service$strong;
	v$ordinary = service$ordinary;
	v$connected = best != 2 || service$asked_in_dns || ! sees_connections;

	local units: set[string];
	local questions: set[string];
	for ( number, rec in v$events )
		{
		local layer = layer_of(rec$kind);
		local unit = unit_of(rec, number);
		if ( layer == best && unit !in units )
			{
			add units[unit];
			local minute = minute_of(rec$ts);
			v$minutes[minute] = minute in v$minutes ? v$minutes[minute] + 1 : 1;
			if ( best == 2 )
				add v$names[unit];
			}
		if ( |rec$targets| > 0 )
			{
			add questions[rec$kind == "dns" ? unit : fmt("#%d", number)];
			add v$target_kinds[rec$kind];
			for ( _, target in rec$targets )
				add v$targets[target];
			}
		}
	local telling: Info;
	local found = F;
	for ( _, rec in v$events )
		{
		if ( ! found && layer_of(rec$kind) == best )
			{
			found = T;
			telling = rec;
			}
		if ( |rec$targets| > 0 )
			{
			telling = rec;
			break;
			}
		}
	if ( telling?$uid )
		v$uid = telling$uid;
	if ( telling?$id )
		v$id = telling$id;
	v$n = |units|;
	v$queries = |questions|;
	}

function close_visit(going: OpenVisit, steps: vector of Step, continues: bool)
	{
	local best = |layers|;
	local first = steps[0]$rec$ts;
	local last = first;
	for ( _, step in steps )
		{
		if ( step$upstream )
			next;
		if ( best == |layers| )
			first = step$rec$ts;
		last = step$rec$ts;
		local layer = layer_of(step$rec$kind);
		if ( layer < best )
			best = layer;
		}
	# Only the view of somebody in between, whose client's visit was cut before: it adds nothing to what was told.
	if ( best == |layers| )
		return;

	local v = Visit($actor=going$actor, $actor_role=set(), $service=going$service,
	    $technique=services[going$service]$technique, $first=first, $last=last, $n=0, $counted="",
	    $continues=continues);
	local own = best;
	for ( _, step in steps )
		{
		# What only a resolver or proxy could show (the request behind a client's question) is the client's own.
		if ( step$upstream && layer_of(step$rec$kind) >= own )
			next;
		v$events += step$rec;
		if ( layer_of(step$rec$kind) < best )
			best = layer_of(step$rec$kind);
		if ( |v$actor_role| == 0 && ! step$upstream )
			{
			v$actor_role = step$rec$actor_role;
			if ( step$rec?$trusted )
				v$trusted = step$rec$trusted;
			}
		}
	sort(v$events, earlier_row);
	understand(v, best);
	event ReconWatch::visited(v);
	}

## Cut what waits into visits. Unless *whole*, the last of them stays open.
function cut(going: OpenVisit, whole: bool)
	{
	sort(going$steps, later_step);
	local visit: vector of Step = vector();
	local first = going$steps[0]$at;
	local last = first;
	local continues = going$continues;
	for ( _, step in going$steps )
		{
		local goes_on = step$at - last < visit_gap;
		if ( ! step$upstream && |visit| > 0
		     && (! goes_on || step$at - first >= visit_span || |visit| >= visit_events) )
			{
			close_visit(going, visit, continues);
			open_steps -= |visit|;
			visit = vector();
			continues = goes_on;
			first = step$at;
			}
		visit += step;
		if ( ! step$upstream )
			last = step$at;
		}
	if ( whole )
		{
		close_visit(going, visit, continues);
		open_steps -= |visit|;
		return;
		}
	going$steps = visit;
	going$oldest = visit[0]$at;
	going$continues = continues;
	}

function older_visit(a: OpenVisit, b: OpenVisit): int
	{
	if ( a$oldest != b$oldest )
		return a$oldest < b$oldest ? -1 : 1;
	if ( a$actor != b$actor )
		return a$actor < b$actor ? -1 : 1;
	return strcmp(a$service, b$service);
	}

## Close the visits of a list, the oldest first.
function close_visits(over: vector of OpenVisit)
	{
	sort(over, older_visit);
	for ( _, going in over )
		{
		delete open_visits[going$actor, going$service];
		cut(going, T);
		}
	}

function close_all_visits()
	{
	local over: vector of OpenVisit = vector();
	for ( [actor, service], going in open_visits )
		over += going;
	close_visits(over);
	}

function take(actor: addr, service: string, step: Step)
	{
	if ( [actor, service] !in open_visits )
		open_visits[actor, service] = OpenVisit($actor=actor, $service=service, $oldest=step$at, $newest=step$at,
		    $touched=network_time());
	local going = open_visits[actor, service];
	going$steps += step;
	++open_steps;
	going$touched = network_time();
	if ( step$at < going$oldest )
		going$oldest = step$at;
	if ( step$at > going$newest )
		going$newest = step$at;
	if ( going$newest - going$oldest >= visit_span + visit_gap || |going$steps| >= 2 * visit_events )
		cut(going, F);
	if ( open_steps > most_open )
		close_all_visits();
	}

## A name, and its parents of at most *most_labels* labels and no less than two.
function with_parents(name: string): vector of string
	{
	local all = vector(name);
	local labels = split_string(name, /\./);
	local from = |labels| > most_labels + 1 ? |labels| - most_labels : 1;
	while ( from + 1 < |labels| )
		{
		all += join_string_vec(labels[from:], ".");
		++from;
		}
	return all;
	}

function remember_ask(rec: Info)
	{
	if ( ! rec?$host )
		return;
	local ask = Ask($at=rec$ts, $actor=rec$actor, $service=rec$service, $name=rec$host);
	local rank = rank_of(rec$actor_role);
	for ( _, name in with_parents(rec$host) )
		{
		if ( [rank, name] !in asks_by_name )
			{
			if ( |asks_by_name| >= most_upstream_asks )
				next;
			asks_by_name[rank, name] = vector();
			}
		local asks = asks_by_name[rank, name];
		if ( |asks| >= most_asks )
			asks = asks[most_asks / 2:];
		asks += ask;
		asks_by_name[rank, name] = asks;
		}
	}

## Give what a resolver or proxy did to the client for whom it did it: the nearest ask for the name by a client further
## from the world, a host's before a proxy's; else it is its own visit.
function settle(rec: Info)
	{
	local rank = 0;
	while ( rec?$host && rank < rank_of(rec$actor_role) )
		{
		if ( [rank, rec$host] in asks_by_name )
			{
			local found = F;
			local nearest = upstream_span;
			local best: Ask;
			for ( _, ask in asks_by_name[rank, rec$host] )
				{
				local away = ask$at > rec$ts ? ask$at - rec$ts : rec$ts - ask$at;
				if ( away > nearest || (rec$kind != "dns" && ask$name != rec$host) )
					next;
				found = T;
				nearest = away;
				best = ask;
				}
			if ( found )
				{
				if ( [best$actor, best$service] in open_visits )
					take(best$actor, best$service, Step($rec=rec, $at=best$at, $upstream=T));
				return;
				}
			}
		++rank;
		}
	take(rec$actor, rec$service, Step($rec=rec, $at=rec$ts, $upstream=F));
	}

function settle_held(all: bool)
	{
	local due: vector of count = vector();
	for ( number, waiting in held )
		if ( all || network_time() - waiting$came >= upstream_span + disorder )
			due += number;
	sort(due);
	for ( _, number in due )
		{
		settle(held[number]$rec);
		delete held[number];
		}
	}

event tick()
	{
	ticking = F;
	settle_held(F);
	local over: vector of OpenVisit = vector();
	for ( [actor, service], going in open_visits )
		if ( network_time() - going$touched >= visit_gap + upstream_span + 2 * disorder )
			over += going;
	close_visits(over);
	if ( |open_visits| + |held| > 0 && ! ending )
		{
		ticking = T;
		schedule 5sec { tick() };
		}
	}

event ReconWatch::sighted(rec: Info)
	{
	if ( rec$direction != "lookup" || ! rec?$service || rec$service !in services )
		return;
	if ( ! ticking && ! ending )
		{
		ticking = T;
		schedule 5sec { tick() };
		}
	local upstream = F;
	if ( sees_upstream() )
		{
		remember_ask(rec);
		upstream = rank_of(rec$actor_role) > 0 && |held| < most_open;
		}
	if ( upstream )
		held[++next_held] = Held($rec=rec, $came=network_time());
	else
		take(rec$actor, rec$service, Step($rec=rec, $at=rec$ts, $upstream=F));
	if ( ending )
		event flush_visits();
	}

event flush_visits()
	{
	settle_held(T);
	close_all_visits();
	event ReconWatch::last_words();
	}

event zeek_done() &priority=-5
	{
	ending = T;
	event flush_visits();
	}
