"""One row of a Zeek log in Zeek's own terms, whichever writer wrote it, and how to tell which log it is of."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec

Kind = Literal["dns", "ssl", "http", "conn", "quic", "x509", "whois", "reconwatch", "notice", "intel"]
LOSSES = "capture_loss"
"""The log in which Zeek says how much it has missed; it holds no connections and is none of the kinds."""
KINDS: tuple[Kind, ...] = ("dns", "ssl", "http", "conn", "quic", "x509", "whois", "reconwatch", "notice", "intel")
"""`whois` and `reconwatch` are written by the package inside Zeek (zeek-scripts/)."""


class Row(msgspec.Struct, gc=False, rename={
    "orig_h": "id.orig_h", "orig_p": "id.orig_p", "resp_h": "id.resp_h", "resp_p": "id.resp_p",
    "ttls": "TTLs", "path": "_path", "cert_serial": "certificate.serial",
    "cert_subject": "certificate.subject", "cert_issuer": "certificate.issuer",
    "cert_valid": "certificate.not_valid_before", "san_dns": "san.dns", "file_id": "id",
    "seen_indicator": "seen.indicator", "seen_indicator_type": "seen.indicator_type", "seen_where": "seen.where",
}):  # fmt: skip
    """The columns that events are made of, and those that tell one log from another. None is unset."""

    ts: float | str | None = None
    uid: str | None = None
    orig_h: str | None = None
    orig_p: int | None = None
    resp_h: str | None = None
    resp_p: int | None = None
    path: str | None = None
    # dns
    query: str | None = None
    qtype: int | None = None
    answers: list[str | None] | None = None
    ttls: list[float | None] | None = None
    trans_id: int | None = None
    rejected: bool | None = None
    rcode: int | None = None
    # ssl, quic
    server_name: str | None = None
    established: bool | None = None
    resumed: bool | None = None
    cipher: str | None = None
    ssl_history: str | None = None
    next_protocol: str | None = None
    client_initial_dcid: str | None = None
    client_scid: str | None = None
    client_protocol: str | None = None
    cert_chain_fps: list[str | None] | None = None
    cert_chain_fuids: list[str | None] | None = None
    subject: str | None = None
    issuer: str | None = None
    # http
    method: str | None = None
    host: str | None = None
    uri: str | None = None
    user_agent: str | None = None
    version: str | None = None
    trans_depth: int | None = None
    status_code: int | None = None
    request_path: list[str | None] | None = None
    # conn
    proto: str | None = None
    service: str | list[str | None] | None = None
    conn_state: str | None = None
    history: str | None = None
    # x509
    fingerprint: str | None = None
    file_id: str | None = None
    cert_serial: str | None = None
    cert_subject: str | None = None
    cert_issuer: str | None = None
    cert_valid: float | str | None = None
    san_dns: list[str | None] | None = None
    # whois, and reconwatch
    answer_bytes: int | None = None
    direction: str | None = None
    actor: str | None = None
    kind: str | None = None
    actor_role: list[str | None] | None = None
    technique: str | None = None
    canary: str | None = None
    # notice
    note: str | None = None
    msg: str | None = None
    sub: str | None = None
    src: str | None = None
    dst: str | None = None
    n: int | None = None
    suppress_for: float | None = None
    # intel
    seen_indicator: str | None = None
    seen_indicator_type: str | None = None
    seen_where: str | None = None
    sources: list[str | None] | None = None
    # capture_loss
    percent_lost: float | None = None


# Each line: a log, columns of which one must be there, columns of which one must be there, columns that must not.
_SIGNS: tuple[tuple[Kind, frozenset[str], frozenset[str], frozenset[str]], ...] = (
    ("reconwatch", frozenset({"actor_role"}), frozenset({"technique"}), frozenset()),
    ("whois", frozenset({"answer_bytes"}), frozenset({"query"}), frozenset()),
    ("notice", frozenset({"note"}), frozenset({"msg", "sub", "suppress_for"}), frozenset()),
    ("intel", frozenset({"seen_indicator"}), frozenset({"seen_indicator_type", "seen_where"}), frozenset()),
    ("quic", frozenset({"client_initial_dcid", "client_scid"}), frozenset(), frozenset()),
    ("x509", frozenset({"cert_serial"}), frozenset({"cert_subject", "cert_issuer", "cert_valid"}), frozenset()),
    ("conn", frozenset({"conn_state"}), frozenset({"proto"}), frozenset()),
    ("dns", frozenset({"query", "trans_id"}), frozenset({"qtype", "rejected"}), frozenset()),
    ("ssl", frozenset({"established", "server_name"}),
     frozenset({"resumed", "cipher", "ssl_history", "version"}), frozenset()),
    # sip.log has `trans_depth`, `method` and `uri` too, and always `request_path`; smtp.log has only the first.
    ("http", frozenset({"trans_depth", "uri"}), frozenset({"method", "host", "version"}), frozenset({"request_path"})),
)  # fmt: skip


def kind_of(path: str | None, columns: Collection[str]) -> Kind | None:
    """Which log a row or header is of: what it calls itself, else what columns it has (`Row`'s attribute names)."""
    if path in KINDS:
        return path
    for kind, one, another, none in _SIGNS:
        if not one.isdisjoint(columns) and (not another or not another.isdisjoint(columns)):
            return kind if none.isdisjoint(columns) else None
    return None


def kind_of_row(row: Row) -> Kind | None:
    """`kind_of` for a JSON row, whose unset columns are missing (and whose log's name is, too, by default)."""
    if row.path in KINDS:
        return row.path
    columns = [column for column in _TELLING if getattr(row, column) is not None]
    return kind_of(row.path, columns)


_TELLING = sorted({column for _, one, another, none in _SIGNS for column in one | another | none})
