##! whois.log: what was asked of WHOIS servers (RFC 3912), for which Zeek has no analyzer of its own.

@load base/protocols/conn
@load ./main
@load ./names

module ReconWatch;

export {
	redef enum Log::ID += { WHOIS_LOG };

	## A request to a WHOIS server: a row of whois.log, written when its connection ends.
	type WhoisInfo: record {
		## When the client sent the line.
		ts: time &log;
		uid: string &log;
		id: conn_id &log;
		## The line, without what ends it.
		query: string &log;
		## What DNS called the server.
		server_name: string &log &optional;
		## Bytes that the server sent.
		answer_bytes: count &log &optional;
		## From the line to the end of the connection.
		duration: interval &log &optional;
	};

	## Decides what is logged; break to leave a row out.
	global whois_policy: Log::PolicyHook;

	## A row as it is written.
	global log_whois: event(rec: WhoisInfo);

	## Raised with a client's line, once a connection.
	global whois_line: event(c: connection, at: time, line: string);

	## Bytes kept of a line; queries are a name and some flags.
	option longest_line: count = 512;
}

## What came of a line.
type Line: record {
	ts: time;
	text: string &default="";
	next_seq: count;
	done: bool &default=F;
	told: WhoisInfo &optional;
};

redef record connection += {
	reconwatch_line: Line &optional;
};

# Only what clients send to this port is put together.
redef tcp_content_delivery_ports_orig += { [43/tcp] = T };

event zeek_init() &priority=5
	{
	Log::create_stream(WHOIS_LOG, Log::Stream($columns=WhoisInfo, $path="whois", $ev=log_whois, $policy=whois_policy));
	}

function end_line(c: connection)
	{
	local l = c$reconwatch_line;
	if ( l$done )
		return;
	l$done = T;
	local line = gsub(split_string1(l$text, /\n/)[0], /\r+$/, "");
	l$text = "";
	if ( line == "" )
		return;
	line = sub_bytes(line, 1, longest_line);
	l$told = WhoisInfo($ts=l$ts, $uid=c$uid, $id=c$id, $query=line);
	local name = name_given(c$id$orig_h, c$id$resp_h, c$id$resp_p, l$ts);
	if ( name != "" )
		l$told$server_name = name;
	event ReconWatch::whois_line(c, l$ts, line);
	}

event tcp_contents(c: connection, is_orig: bool, seq: count, contents: string)
	{
	if ( ! is_orig || c$id$resp_p != 43/tcp )
		return;
	if ( ! c?$reconwatch_line )
		c$reconwatch_line = Line($ts=network_time(), $next_seq=seq);
	local l = c$reconwatch_line;
	if ( l$done )
		return;
	# Behind a gap: the line goes only as far as it was captured.
	if ( seq != l$next_seq )
		{
		end_line(c);
		return;
		}
	if ( l$text == "" )
		l$ts = network_time();
	l$text += contents;
	l$next_seq = seq + |contents|;
	if ( "\n" in contents || |l$text| >= 4 * longest_line )
		end_line(c);
	}

event connection_state_remove(c: connection)
	{
	if ( ! c?$reconwatch_line )
		return;
	end_line(c);
	local l = c$reconwatch_line;
	if ( ! l?$told )
		return;
	l$told$answer_bytes = c$resp$size;
	l$told$duration = c$start_time + c$duration - l$ts;
	Log::write(WHOIS_LOG, l$told);
	}
