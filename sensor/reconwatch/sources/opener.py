"""Opens an input whatever it is: told apart by content, never by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from reconwatch.account import Account
from reconwatch.interest import Lookout
from reconwatch.sources.dialect import HEAD, LAST, Dialect, capture_kind, lines_of, names_first, recognise, text_format
from reconwatch.sources.eve import EveSource
from reconwatch.sources.inflate import decompressed, peeked
from reconwatch.sources.source import Opening, Source
from reconwatch.sources.textlog.declared import Declared
from reconwatch.sources.zeek import ZeekSource

__all__ = ["Dialect", "decompressed", "names_first", "open_source", "reading_order", "recognise"]

UNKNOWN = (
    "unknown content: not a capture (pcap, pcapng), a Zeek log (TSV or JSON), Suricata EVE, dnstap, entries of"
    " certificate transparency logs (crt.sh, Cert Spotter, certstream), or a log of a proxy or DNS server that is"
    " known; plain, gzip or zstd"
)


def open_source(
    origin: Path | str | BinaryIO, lookout: Lookout, account: Account, input: int = 0, funnel: bool = True
) -> Source | None:
    """The source over a file or stream (standard input); None if it cannot be read, which the account then says.

    The source owns the stream and closes it. `input` is the input's position in the run.
    """
    content = open_content(origin, account)
    if content is None:
        return None
    dialect, stream = content
    return source_of(dialect, Opening(stream, lookout, account, input, funnel))


def open_content(
    origin: Path | str | BinaryIO, account: Account, declared: Declared | None = None
) -> tuple[Dialect, BinaryIO] | None:
    """What a file or stream holds, decompressed; None if it cannot be read, which the account then says.

    `declared`: what is known of it, should it be a text log.
    """
    try:
        raw = _opened(Path(origin)) if isinstance(origin, Path | str) else origin
    except OSError as error:
        account.fail(_why(error))
        return None
    try:
        stream = decompressed(raw, account)
        head, stream = peeked(stream, HEAD)
    except OSError as error:
        raw.close()
        account.fail(_why(error))
        return None
    dialect = recognise(head, declared)
    if dialect is None:
        raw.close()
        if not account.failed and not account.skipped:
            account.fail(UNKNOWN if head else "empty file")
        else:
            account.failed = True
        return None
    return dialect, stream


def source_of(dialect: Dialect, opening: Opening) -> Source:
    """The source that reads a dialect."""
    match dialect:
        case Dialect.EVE:
            return EveSource(opening)
        case Dialect.ZEEK_TSV:
            return ZeekSource(opening, "tsv")
        case Dialect.ZEEK_JSON:
            return ZeekSource(opening, "json")
        case Dialect.CT:
            from reconwatch.sources.ct import CtSource

            return CtSource(opening)
        case Dialect.TEXT:
            return _text_source(opening)
        case Dialect.DNSTAP:
            from reconwatch.sources.dnstap import DnstapSource  # here: it needs numpy, which a run over logs need not

            return DnstapSource(opening)
    from reconwatch.sources.pcap import CaptureSource  # here: a run over logs need not import it

    return CaptureSource(opening)


def _text_source(opening: Opening) -> Source:
    from reconwatch.sources.textlog.source import TextLogSource  # here: most runs have no such log

    head, stream = peeked(opening.stream, HEAD)
    format = text_format(head, opening.declared)
    assert format is not None
    return TextLogSource(replace(opening, stream=stream), format, lines_of(head))


def reading_order(path: Path) -> tuple[int, float]:
    """A key by which to sort inputs before they are read; see `names_first`. Inputs that cannot be read come last."""
    return looked_into(path)[0]


def looked_into(path: Path, declared: Declared | None = None) -> tuple[tuple[int, float], str]:
    """The same key, and what kind of capture it is (see `capture_kind`)."""
    try:
        with path.open("rb", buffering=0) as raw:
            head, _ = peeked(decompressed(raw), HEAD)
    except OSError:
        return LAST, ""
    dialect = recognise(head, declared)
    return names_first(head, dialect, declared), capture_kind(head, dialect)


def stream_order(stream: BinaryIO, declared: Declared | None = None) -> tuple[tuple[int, float], BinaryIO]:
    """The same key for a stream that can be read once, and the stream with nothing of it lost.

    Raises OSError as `stream` does.
    """
    head, stream = peeked(decompressed(stream), HEAD)
    return names_first(head, recognise(head, declared), declared), stream


def _opened(path: Path) -> BinaryIO:
    return path.open("rb", buffering=0)  # the blocks are buffer enough


def _why(error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return "is a directory"
    return (error.strerror or str(error)).lower()
