"""One module a capture. `STORIES` is the whole list: file name -> what makes its bytes."""

from __future__ import annotations

from collections.abc import Callable

from stories import bulk, damaged, lookups, modern, ordinary, probed, trusted

STORIES: dict[str, Callable[[], bytes]] = {
    "bulk.pcap": bulk.pcap,
    "damaged.pcap": damaged.pcap,
    "lookups.pcap": lookups.pcap,
    "modern.pcap": modern.pcap,
    "ordinary.pcap": ordinary.pcap,
    "probed.pcap": probed.pcap,
    "trusted.pcap": trusted.pcap,
}
