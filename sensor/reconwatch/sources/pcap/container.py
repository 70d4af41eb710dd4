"""Telling capture files apart by their first bytes, and opening them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Protocol

from reconwatch.account import Account
from reconwatch.sources.pcap.batch import Batch
from reconwatch.sources.pcap.blocks import Window
from reconwatch.sources.pcap.pcapfile import LAYOUTS, PcapReader
from reconwatch.sources.pcap.pcapng import SECTION, PcapngReader


class PacketReader(Protocol):
    """Yields the packets of one container, a batch at a time, each valid until the next one is asked for.

    Counts what it cannot read in the account; never raises on content.
    """

    number: int
    """Packets met so far, those that could not be read included."""

    @property
    def position(self) -> int:
        """Bytes of the input that were consumed whole."""
        ...

    def __iter__(self) -> Iterator[Batch]: ...


def is_capture(head: bytes) -> bool:
    """Whether a file that begins with `head` (4 bytes are enough) is a pcap or pcapng capture."""
    return head[:4] in LAYOUTS or head[:4] == SECTION


def open_container(stream: BinaryIO, account: Account) -> PacketReader | None:
    """The reader for what `stream` holds; None, with the account told why, if it is no capture."""
    window = Window(stream)
    window.has(4)
    magic = bytes(window.data[: min(4, window.end)])
    if magic in LAYOUTS:
        account.dialect = "pcap"
        return PcapReader(window, account)
    if magic == SECTION:
        account.dialect = "pcapng"
        return PcapngReader(window, account)
    account.fail("the file is empty" if not magic else "neither pcap nor pcapng: its first bytes are no magic number")
    return None
