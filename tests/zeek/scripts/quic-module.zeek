##! Stands in for Zeek's module QUIC, whose analyzer is of Spicy: a Zeek without Spicy does not define it.

@load base/protocols/conn

module QUIC;

export {
	## As far as the package reads it; see base/protocols/quic/main.zeek.
	type Info: record {
		ts: time;
		uid: string;
		id: conn_id;
		server_name: string &optional;
	};

	global log_quic: event(rec: Info);
	global finalize_quic: Conn::RemovalHook;
}

redef record connection += {
	quic: QUIC::Info &optional;
};
