"""Typed values there and back, and what is none."""

from __future__ import annotations

import contextlib
import json
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconwatch.broker.frames import Ack, BadFrameError, Event, Trouble, read, written
from reconwatch.broker.values import NONE, BadValueError, Port, Value, count, decoded, encoded, raw, text, vector

SCALARS = st.one_of(
    st.just(NONE),
    st.booleans().map(lambda v: Value("boolean", v)),
    st.integers(0, 2**64 - 1).map(count),
    st.integers(-(2**63), 2**63 - 1).map(lambda v: Value("integer", v)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda v: Value("real", v)),
    st.text(st.characters(exclude_categories=["Cs"])).map(text),
    st.ip_addresses().map(lambda v: Value("address", v)),
    st.tuples(st.ip_addresses(v=4), st.integers(0, 32)).map(
        lambda v: Value("subnet", ip_network(f"{v[0]}/{v[1]}", strict=False))
    ),
    st.tuples(st.ip_addresses(v=6), st.integers(0, 128)).map(
        lambda v: Value("subnet", ip_network(f"{v[0]}/{v[1]}", strict=False))
    ),
    st.tuples(st.integers(0, 65535), st.sampled_from(["tcp", "udp", "icmp"])).map(lambda v: Value("port", Port(*v))),
    st.integers(0, 4_000_000_000_000).map(lambda v: Value("timestamp", v * 1_000_000)),
    st.integers(-(10**18), 10**18).map(lambda v: Value("timespan", v)),
    st.just(Value("enum-value", "ReconWatch::Campaign")),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda v: vector(*v)),
        st.lists(inner, max_size=4).map(lambda v: Value("set", tuple(v))),
        st.lists(st.tuples(inner, inner), max_size=3).map(lambda v: Value("table", tuple(v))),
    ),
    max_leaves=12,
)


@given(VALUES)
def test_each_value_comes_back_as_it_was_sent(value: Value) -> None:
    assert decoded(json.loads(json.dumps(encoded(value)))) == value


@given(st.lists(SCALARS, max_size=5))
def test_an_event_comes_back_as_it_was_sent(arguments: list[Value]) -> None:
    event = Event("/zeek/x", "X::y", tuple(arguments))
    assert read(written(event).encode()) == event


@pytest.mark.parametrize(("word", "nanoseconds"), [
    ("1us", 1_000), ("1ms", 1_000_000), ("1s", 10**9), ("5min", 300 * 10**9),
    ("90s", 90 * 10**9), ("-2h", -7200 * 10**9),
    ("3d", 3 * 86400 * 10**9), ("7ns", 7),
])  # fmt: skip
def test_spans_of_time_in_every_unit(word: str, nanoseconds: int) -> None:
    assert decoded({"@data-type": "timespan", "data": word}) == Value("timespan", nanoseconds)


def test_a_time_is_utc_and_has_no_zone() -> None:
    noon = Value("timestamp", 1_795_521_600_123_000_000)
    assert decoded({"@data-type": "timestamp", "data": "2026-11-24T12:00:00.123"}) == noon
    assert encoded(noon)["data"] == "2026-11-24T12:00:00.123"
    with pytest.raises(BadValueError, match="is no timestamp"):
        decoded({"@data-type": "timestamp", "data": "2026-11-24T12:00:00.123+0000"})
    with pytest.raises(BadValueError, match="milliseconds"):
        encoded(Value("timestamp", 1))


@pytest.mark.parametrize(("kind", "data"), [
    ("count", -1), ("count", 2**64), ("count", True), ("count", "1"), ("integer", 2**63), ("boolean", 1), ("real", "1"),
    ("real", True), ("string", 5), ("address", "10.0.0.256"), ("address", 5), ("subnet", "10.0.0.0"),
    ("subnet", "10.0.0.1/8"), ("port", "80"), ("port", "65536/tcp"), ("port", "80/x"), ("timespan", "5"),
    ("timespan", "1.5s"), ("timestamp", "2026-13-24T12:00:00"), ("timestamp", ""), ("enum-value", 1), ("vector", "x"),
    ("set", None), ("table", [1]), ("table", [{"key": 1, "value": 2}]), ("vector", [5]), ("record", []), ("none", 5),
])  # fmt: skip
def test_what_is_no_value_is_refused_with_its_place(kind: str, data: object) -> None:
    with pytest.raises(BadValueError, match="argument 3") as refused:
        decoded({"@data-type": kind, "data": data}, "argument 3")
    assert "\n" not in str(refused.value)


def test_vectors_in_vectors_end_somewhere() -> None:
    deep: dict[str, object] = {"@data-type": "vector", "data": []}
    for _ in range(40):
        deep = {"@data-type": "vector", "data": [deep]}
    with pytest.raises(BadValueError, match="deeper"):
        decoded(deep)
    with pytest.raises(BadFrameError):
        read(b'{"type":"data-message","topic":"x","@data-type":"vector","data":' + b"[" * 100_000)


def test_what_zeek_writes_is_not_always_json_and_is_read_all_the_same() -> None:
    frame = written(Event("/t", "X::y", (text("HERE"),))).encode().replace(b"HERE", b"a\xe4\x00\x1b\\v\\\\v\x7f")
    event = read(frame)
    assert isinstance(event, Event)
    assert raw(event.arguments[0].data) == b"a\xe4\x00\x1b\x0b\\v\x7f"


def test_a_lone_surrogate_is_spelled_for_zeek_refuses_a_frame_with_one() -> None:
    assert encoded(text("a\udce4"))["data"] == r"a\xe4"


@pytest.mark.parametrize("frame", [
    b"", b"garbage{", b"\xff\xfe", b"[]", b"5", b"{}", b'{"type":5}', b'{"type":"ack"}', b'{"type":"error","code":1}',
    b'{"type":"data-message"}', b'{"type":"data-message","topic":"x"}', b'{"type":"other"}',
    b'{"type":"data-message","topic":"x","@data-type":"count","data":1}', b'{"a":' + b"9" * 5000 + b"}",
    b'{"type":"data-message","topic":"x","@data-type":"vector","data":[{"@data-type":"count","data":2}]}',
    b'{"type":"ack","endpoint":"e","version":NaN}',
])  # fmt: skip
def test_a_frame_that_is_none_is_refused_in_one_line(frame: bytes) -> None:
    with pytest.raises(BadFrameError) as refused:
        read(frame)
    assert str(refused.value).isprintable()


@given(st.binary(max_size=200))
def test_no_frame_crashes_the_reading(frame: bytes) -> None:
    with contextlib.suppress(BadFrameError):
        read(frame)


def test_acknowledgement_and_error() -> None:
    assert read(b'{"type":"ack","endpoint":"e","version":"8.2.2"}') == Ack("e", "8.2.2")
    assert read(b'{"type":"error","code":"c","context":"x"}') == Trouble("c", "x")
    assert ip_address("::1") == decoded({"@data-type": "address", "data": "::1"}).data
