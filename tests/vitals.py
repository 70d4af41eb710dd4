"""The vitals of a service that has done some of everything."""

from reconwatch.vitals import FeedVitals, LastNotice, ListVitals, Made, SinkVitals, Vitals
from tests.story import NOON

VITALS = Vitals(
    version="1.2.3",
    pid=4_000_000,
    began=NOON - 3_600,
    at=NOON,
    ready=True,
    caught_up=False,
    trouble=None,
    store="/var/lib/reconwatch/reconwatch.db",
    made=Made("2026-11-24", (ListVitals("block", 1_795_000_000.0, False), ListVitals("gone", None, True))),
    feeds=(FeedVitals("eve.json", 4_096), FeedVitals("zeek", 0)),
    sinks=(
        SinkVitals("file:/var/log/n.jsonl", 0, 0, 0, 12, 0, ""),
        SinkVitals("siem", 9, 4, 6, 3, 5, "siem: connection refused"),
    ),
    notices=(("Bulk_Search", "monitor", 1), ("Targeted_Search", "escalate", 3)),
    last=LastNotice("rw-0011223344556677", 2, "Targeted_Search", "escalate", NOON - 60, "10.20.1.11 looked up"),
    events=1_000,
    bytes=2_000_000,
    chunks=30,
    waiting=2,
    disordered=3,
    late=4,
    ahead=5,
    skipped={"not JSON": 7},
    snapshots=2,
    snapshot_seconds=0.5,
    snapshot_at=NOON - 10,
    snapshot_bytes=123_456,
    snapshot_took=0.25,
    store_failures=1,
    gaps=1,
    gap_seconds=12.5,
    last_gap=("eve.json", NOON - 100, NOON - 87.5),
    reloads=1,
    refused_reloads=2,
    resident=100_000_000,
)
