"""Nothing lost, nothing repeated: the outbox of notices, the snapshot of the service, and the sinks behind them."""

from reconwatch.store.contract import Outbox, Snapshot, StoreError
from reconwatch.store.delivery import Delivery
from reconwatch.store.lane import Backlog, Standing
from reconwatch.store.reading import Reader
from reconwatch.store.retention import Retention
from reconwatch.store.store import DEFAULT_PATH, Store

__all__ = [
    "DEFAULT_PATH",
    "Backlog",
    "Delivery",
    "Outbox",
    "Reader",
    "Retention",
    "Snapshot",
    "Standing",
    "Store",
    "StoreError",
]
