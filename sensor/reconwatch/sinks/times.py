"""Times: UTC epoch seconds inside, text outside. Six decimals everywhere, which is what Zeek and Suricata write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc(ts: float) -> datetime:
    """The moment, rounded to the nearest microsecond.

    Raises:
        ValueError: not a number, or not within the years 1 to 9999.
    """
    try:
        # The decimal spelling rounds exactly; multiplying by a million first would round twice.
        return _EPOCH + timedelta(microseconds=int(f"{ts:.6f}".replace(".", "")))
    except (ValueError, OverflowError):
        raise ValueError(f"{ts!r} is no time that can be written; epoch seconds are expected") from None


@lru_cache(maxsize=256)  # one moment begins, ends and proves most notices
def rfc3339(ts: float) -> str:
    """`2026-11-24T02:49:10.123456Z`. Raises ValueError as `utc` does."""
    return f"{utc(ts).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def eve_time(ts: float) -> str:
    """`2026-11-24T02:49:10.123456+0000`, Suricata's spelling (src/util-time.c). Raises ValueError as `utc` does."""
    return f"{utc(ts).replace(tzinfo=None).isoformat(timespec='microseconds')}+0000"


def zeek_stamp(ts: float) -> str:
    """`2026-11-24-02-49-10`, as in `#open` (Ascii.cc `Timestamp`, which uses local time; ours is UTC)."""
    return utc(ts).strftime("%Y-%m-%d-%H-%M-%S")


def epoch(text: str) -> float:
    """The reverse of `rfc3339`; any offset is taken, a missing one is not.

    Raises:
        ValueError: not RFC 3339, or without an offset.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no RFC 3339 time, such as 2026-11-24T02:49:10.123456Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write Z for UTC")
    return (moment - _EPOCH) // timedelta(microseconds=1) / 1_000_000
