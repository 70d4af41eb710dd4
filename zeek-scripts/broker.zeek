##! ReconWatch by Zeek's WebSocket API: sightings out of Zeek to reconwatch, and reconwatch's notices raised in Zeek.
##!
##! Not loaded with the package, for it opens a port: ``@load reconwatch/broker`` in ``local.zeek``. Nobody is asked who
##! he is at that port. It is on loopback; who may connect to it may raise notices and read sightings.
##!
##! A row is published by the node that logs it: the one on which :zeek:see:`ReconWatch::sight` was called. Only there is
##! :zeek:see:`ReconWatch::log_reconwatch` raised, once a row, so that a row comes once, whatever the cluster looks like.
##! Notices are raised by one node, the manager, or the Zeek without a cluster.

@load base/frameworks/cluster
@load base/frameworks/notice
@load base/frameworks/storage/sync
@load base/utils/paths
@load policy/frameworks/storage/backend/sqlite
@load ./main

# A Zeek without a cluster has no backend: it accepts a WebSocket and never answers it. It must be chosen before
# listening. A cluster has one by its own means.
@if ( Cluster::backend == Cluster::CLUSTER_BACKEND_NONE && |Cluster::nodes| == 0 )
@load policy/frameworks/cluster/backend/broker
@endif

module ReconWatch;

export {
	redef enum Notice::Type += {
		## The joined story of one actor or one asset; reconwatch alone tells it.
		Campaign,
		## A host departs from its own history; reconwatch alone keeps one.
		Unusual_Use,
		## A name of ours appears in certificate transparency.
		Certificate_Exposed,
		## Such a name is probed soon after.
		Exposed_Name_Probed,
		## Reconwatch runs; once a day.
		Heartbeat,
		## An input of reconwatch may have lost something.
		Input_Gap,
		## Reconwatch does not notice what it should.
		Self_Test_Failed,
	};

	## Where to listen, on a Zeek without a cluster. One that reads a capture listens only if it stays behind its end
	## (:zeek:see:`exit_only_after_terminate`).
	const broker_listen_addr = 127.0.0.1 &redef;

	## The port that zeekctl opens on a manager, too. If it is open already with the same options, that is well; if it
	## cannot be opened, Zeek does not start, and says why.
	const broker_listen_port = 27759/tcp &redef;

	## Certificate and key, if it is to be TLS.
	const broker_tls = Cluster::WebSocketTLSOptions() &redef;

	## Whether the manager of a cluster is to open the port as well. F: zeekctl does since 8.1 (``UseWebSocket``).
	const broker_listen_on_manager = F &redef;

	## Where a row of reconwatch.log is published.
	const sighted_topic = "/zeek/reconwatch/sighted" &redef;

	## Where notices to be raised come in.
	const raise_topic = "/zeek/reconwatch/raise" &redef;

	## Where it is said that they were raised, or why not.
	const raised_topic = "/zeek/reconwatch/raised" &redef;

	## The file that remembers which notices were raised, so that none is raised twice if Zeek is restarted before
	## reconwatch heard of it. "": remembered in memory only. Relative to :zeek:see:`Cluster::default_store_dir` if that is
	## set (zeekctl's ``DefaultStoreDir``), else to where Zeek runs, a folder that zeekctl empties at each start.
	const raised_file = "reconwatch-raised.sqlite" &redef;

	## How long that is remembered; reconwatch asks again within minutes.
	const raised_kept = 7days &redef;

	## Notices raised in that time, at most: what is beyond is refused for now. A reconwatch raises some hundreds a day;
	## a program that floods the port fills no more memory and no more notice.log.
	const raised_most = 100000 &redef;

	## How long a notice has to reach notice.log before it is acknowledged. Logs are written by threads, or by another
	## node, and no script hears when; they need milliseconds, and on a machine that is overloaded tenths of a second.
	const raised_settles = 1sec &redef;

	## What begins ``$sub`` of a notice that reconwatch raised here: reading notice.log it knows its own by it.
	const raised_mark = "reconwatch";

	## A row of reconwatch.log.
	##
	## version: of this event: raised when its arguments change.
	##
	## columns: the fields of *rec* in order, joined by commas; the place of one that is not logged is empty.
	##
	## ts: the row's time, since Broker's JSON has milliseconds of a time.
	##
	## rec: the row.
	global published: event(version: count, columns: string, ts: double, rec: Info);

	## Raise a notice. An event of reconwatch's.
	##
	## id: of reconwatch's notice, with *rev* its name.
	##
	## state: "open", "update" or "closed".
	##
	## note: as in :zeek:see:`Notice::Type`, without the module.
	##
	## ts: when the threshold was crossed.
	##
	## actor: an address; "" if it is no single one.
	##
	## uid: of a connection that it rests on, if Zeek gave one.
	##
	## facts: "technique=... verdict=... services=... targets=...".
	global raise: event(id: string, rev: count, state: string, note: string, ts: double, actor: string, uid: string,
	                    score: count, n: count, msg: string, facts: string);

	## A notice was raised, now or before.
	global raised: event(id: string, rev: count);

	## A notice is not raised. *final*: it never will be.
	global refused: event(id: string, rev: count, reason: string, final: bool);
}

## What may be raised; Zeek cannot make an enum of a text.
const notes: table[string] of Notice::Type = {
	["Database_Lookup"] = Database_Lookup,
	["Targeted_Search"] = Targeted_Search,
	["Bulk_Search"] = Bulk_Search,
	["Enumeration_Sweep"] = Enumeration_Sweep,
	["CT_Log_Scraping"] = CT_Log_Scraping,
	["Reverse_Sweep"] = Reverse_Sweep,
	["Recon_Tool"] = Recon_Tool,
	["Indicator_Match"] = Indicator_Match,
	["Scanner_Crawl"] = Scanner_Crawl,
	["Address_Scan"] = Address_Scan,
	["Port_Scan"] = Port_Scan,
	["Zone_Transfer"] = Zone_Transfer,
	["DNS_Enumeration"] = DNS_Enumeration,
	["Name_Probe"] = Name_Probe,
	["Service_Probe"] = Service_Probe,
	["Canary_Touched"] = Canary_Touched,
	["Campaign"] = Campaign,
	["Unusual_Use"] = Unusual_Use,
	["Certificate_Exposed"] = Certificate_Exposed,
	["Exposed_Name_Probed"] = Exposed_Name_Probed,
	["Heartbeat"] = Heartbeat,
	["Input_Gap"] = Input_Gap,
	["Self_Test_Failed"] = Self_Test_Failed,
};

const published_version = 1;
## Bytes of a text of a row, as Zeek's logs have them; of what a notice says, where reconwatch sends less.
const longest_text = 4096;
## Targets of a row, as Zeek's logs have elements.
const most_targets = 100;

## "begun": raised, and perhaps not in notice.log yet; "told": it is. By "id rev".
global known: table[string] of string &create_expire=raised_kept;
global store: opaque of Storage::BackendHandle;
global store_is_open = F;
global columns = "";

## Raised inside only: a notice has had its time to reach notice.log.
global settled: event(id: string, rev: count);

## The fields of a row in order. Only a printed record tells the order.
function columns_of_row(): string
	{
	local fields = record_fields(Info($ts=double_to_time(0.0), $direction="", $kind="", $actor=0.0.0.0, $actor_role=set(),
	                                  $technique=""));
	local printed = fmt("%s", Info($ts=double_to_time(0.0), $direction="", $kind="", $actor=0.0.0.0, $actor_role=set(),
	                               $technique=""));
	local names: vector of string = vector();
	for ( _, piece in split_string(printed[1:-1], /, /) )
		{
		local name = split_string1(piece, /=/)[0];
		if ( name in fields )
			names += fields[name]$log ? name : "";
		}
	if ( |names| != |fields| )
		Reporter::warning(fmt("ReconWatch: the columns of reconwatch.log cannot be told: %s", printed));
	return join_string_vec(names, ",");
	}

## Whether this is the node that raises notices.
function raises_here(): bool
	{
	return ! Cluster::is_enabled() || Cluster::local_node_type() == Cluster::MANAGER;
	}

function open_store()
	{
	if ( raised_file == "" )
		return;
	local path = raised_file;
	if ( path[0] != "/" && Cluster::default_store_dir != "" )
		{
		mkdir(Cluster::default_store_dir);
		path = build_path(Cluster::default_store_dir, path);
		}
	local options: Storage::BackendOptions;
	options$sqlite = Storage::Backend::SQLite::Options($database_path=path, $table_name="raised");
	local opened = Storage::Sync::open_backend(Storage::STORAGE_BACKEND_SQLITE, options, string, string);
	if ( opened$code != Storage::SUCCESS )
		{
		Reporter::warning(fmt("ReconWatch: %s cannot be opened: over a restart of Zeek a notice may be raised twice (%s)",
		                      path, opened?$error_str ? opened$error_str : cat(opened$code)));
		return;
		}
	store = opened$value;
	store_is_open = T;
	}

event zeek_init() &priority=-10
	{
	columns = columns_of_row();
	if ( ! raises_here() )
		return;
	open_store();
	Cluster::subscribe(raise_topic);
	if ( Cluster::is_enabled() && ! broker_listen_on_manager )
		return;
	# A Zeek that listens does not end with its capture.
	if ( reading_traces() && ! exit_only_after_terminate )
		return;
	if ( ! Cluster::listen_websocket([$listen_addr=broker_listen_addr, $listen_port=broker_listen_port,
	                                  $tls_options=broker_tls]) )
		Reporter::warning(fmt("ReconWatch: cannot listen on %s:%s", broker_listen_addr, broker_listen_port));
	}

function as_long_as_logged(said: string): string
	{
	return |said| > longest_text ? sub_bytes(said, 1, longest_text) : said;
	}

## A row with its texts cut where Zeek's log cuts them since 8.1 (:zeek:see:`Log::default_max_field_string_bytes`): a
## request's line may have 16 MB, and a frame of that size would end the connection.
function as_logged(rec: Info): Info
	{
	local row = copy(rec);
	if ( row?$host )
		row$host = as_long_as_logged(row$host);
	if ( row?$server_name )
		row$server_name = as_long_as_logged(row$server_name);
	if ( row?$method )
		row$method = as_long_as_logged(row$method);
	if ( row?$uri )
		row$uri = as_long_as_logged(row$uri);
	if ( row?$user_agent )
		row$user_agent = as_long_as_logged(row$user_agent);
	if ( row?$query )
		row$query = as_long_as_logged(row$query);
	local targets: vector of string = vector();
	for ( _, target in row$targets )
		if ( |targets| < most_targets )
			targets += as_long_as_logged(target);
	row$targets = targets;
	return row;
	}

event ReconWatch::log_reconwatch(rec: Info)
	{
	# The event is raised before the policy of the stream is asked.
	if ( ! hook log_policy(rec, LOG, Log::get_filter(LOG, "default")) )
		return;
	Cluster::publish(sighted_topic, ReconWatch::published, published_version, columns, time_to_double(rec$ts),
	                 as_logged(rec));
	}

function state_of(key: string): string
	{
	if ( key in known )
		return known[key];
	if ( ! store_is_open )
		return "";
	local found = Storage::Sync::get(store, key);
	return found$code == Storage::SUCCESS ? ( found$value as string ) : "";
	}

function remember(key: string, state: string)
	{
	known[key] = state;
	if ( store_is_open )
		Storage::Sync::put(store, [$key=key, $value=state, $expire_time=raised_kept]);
	}

## Why a notice cannot be raised; "" if it can.
function fault_of(id: string, state: string, note: string, ts: double): string
	{
	if ( /^rw-[0-9a-f]{16}$/ !in id || |id| != 19 )
		return "its id is none of reconwatch's";
	if ( state != "open" && state != "update" && state != "closed" )
		return "its state is unknown";
	if ( note !in notes )
		return "Zeek's package knows no such note";
	# What strftime can say, and no infinity.
	if ( ! (ts >= 0.0 && ts < 253402300800.0) )
		return "its time is none";
	return "";
	}

event ReconWatch::raise(id: string, rev: count, state: string, note: string, ts: double, actor: string, uid: string,
                        score: count, n: count, msg: string, facts: string)
	{
	local fault = fault_of(id, state, note, ts);
	if ( fault != "" )
		{
		Cluster::publish(raised_topic, ReconWatch::refused, id, rev, fault, T);
		return;
		}
	local key = fmt("%s %d", id, rev);
	local before = state_of(key);
	if ( before == "told" )
		{
		Cluster::publish(raised_topic, ReconWatch::raised, id, rev);
		return;
		}
	if ( key in known )  # begun by this very process: the acknowledgement is on its way
		return;
	if ( |known| >= raised_most )
		{
		Cluster::publish(raised_topic, ReconWatch::refused, id, rev, fmt("more than %d notices in %s", raised_most, raised_kept), F);
		return;
		}
	remember(key, "begun");
	# Begun by a process that was killed: told again rather than lost, and said so.
	local info = Notice::Info($note=notes[note], $ts=double_to_time(ts), $msg=sub_bytes(msg, 1, longest_text), $n=n,
	                          $suppress_for=1day, $identifier=key,
	                          $sub=fmt("%s id=%s rev=%d state=%s%s score=%d %s", raised_mark, id, rev, state,
	                                   before == "begun" ? " perhaps-told-before=T" : "", score,
	                                   sub_bytes(facts, 1, longest_text)));
	if ( is_valid_ip(actor) )
		info$src = to_addr(actor);
	if ( uid != "" )
		info$uid = sub_bytes(uid, 1, 64);
	NOTICE(info);
	Log::flush(Notice::LOG);
	schedule raised_settles { ReconWatch::settled(id, rev) };
	}

event ReconWatch::settled(id: string, rev: count)
	{
	remember(fmt("%s %d", id, rev), "told");
	Cluster::publish(raised_topic, ReconWatch::raised, id, rev);
	}

event zeek_done()
	{
	# What was raised in the last moments is written when Zeek ends in order.
	for ( key, state in known )
		if ( state == "begun" )
			remember(key, "told");
	if ( store_is_open )
		{
		store_is_open = F;
		Storage::Sync::close_backend(store);
		}
	}
