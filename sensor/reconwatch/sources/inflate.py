"""gzip and zstd streams, told by magic, read up to where they are whole."""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol, cast

from reconwatch.account import Account

_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZSTD_MAGIC = re.compile(rb"(?:\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18)")
_PIECE = 64 * 1024
_MOST_AT_ONCE = 1024 * 1024


def decompressed(raw: BinaryIO, account: Account | None = None) -> BinaryIO:
    """The content of a stream that may be gzip or zstd, by magic; of several members or frames all.

    Of a truncated or damaged stream what comes before the cut is still read; the account gets one located skip.
    Raises OSError as `raw` does.
    """
    head, raw = peeked(raw, len(_GZIP_MAGIC) + 1)
    if head.startswith(_GZIP_MAGIC):
        new, error = _gzip()
        return _buffered(_Inflated(raw, "gzip", _GZIP_MAGIC, new, error, account))
    if _ZSTD_MAGIC.match(head):
        new, error = _zstd()
        return _buffered(_Inflated(raw, "zstd", b"", new, error, account))
    return raw


def peeked(stream: BinaryIO, size: int) -> tuple[bytes, BinaryIO]:
    """(the first bytes, a stream that still begins with them). At most `size` bytes; fewer only at the end."""
    head = b""
    while len(head) < size:
        more = stream.read(size - len(head))
        if not more:
            break
        head += more
    if stream.seekable():
        stream.seek(-len(head), io.SEEK_CUR)
        return head, stream
    return head, _buffered(_Rejoined(head, stream))


def _buffered(raw: io.RawIOBase) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(raw, _PIECE))


class _Readable(Protocol):
    def readinto(self, buffer: memoryview, /) -> int | None: ...


class _Rejoined(io.RawIOBase):
    """A stream that cannot seek, with the bytes that were read from it put back."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        if self._head:
            taken = min(len(view), len(self._head))
            view[:taken] = self._head[:taken]
            self._head = self._head[taken:]
            return taken
        return cast(_Readable, self._rest).readinto(view) or 0

    def close(self) -> None:
        self._rest.close()
        super().close()


class _Inflater(Protocol):
    """One member's decompressor: `zlib.decompressobj`, its isal twin, and zstandard's behind `_Frame`."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


_NewInflater = Callable[[], _Inflater]


def _gzip() -> tuple[_NewInflater, type[Exception]]:
    try:
        from isal import isal_zlib
    except ImportError:
        return lambda: zlib.decompressobj(zlib.MAX_WBITS | 16), zlib.error
    return lambda: cast(_Inflater, isal_zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)), cast(
        type[Exception], isal_zlib.error
    )


def _zstd() -> tuple[_NewInflater, type[Exception]]:
    try:
        import zstandard
    except ImportError as error:
        raise OSError("zstd content, and the zstandard package is not installed") from error
    return lambda: _Frame(zstandard.ZstdDecompressor().decompressobj()), zstandard.ZstdError


class _Frame:
    """A zstd frame, fed 1 KiB at a time: that bounds what a hostile frame makes of one call to 32 MiB, held twice."""

    _AT_ONCE = 1024

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self.unconsumed_tail = b""

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + self.unconsumed_tail if self.eof else b""

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        self.unconsumed_tail = data[self._AT_ONCE :]
        return bytes(self._frame.decompress(data[: self._AT_ONCE]))


class _Inflated(io.RawIOBase):
    """Decompressed members of a stream, one behind the other. Never raises for bad content: it ends."""

    def __init__(
        self,
        raw: BinaryIO,
        name: str,
        magic: bytes,
        new: _NewInflater,
        error: type[Exception],
        account: Account | None,
    ) -> None:
        self._raw = raw
        self._name = name
        self._magic = magic
        self._new = new
        self._error = error
        self._account = account
        self._member: _Inflater | None = None
        self._pending = b""
        self._read = 0
        self._ready = memoryview(b"")
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer)
        if not self._ready and not self._ended:
            self._ready = memoryview(self._more())
        taken = min(len(view), len(self._ready))
        view[:taken] = self._ready[:taken]
        self._ready = self._ready[taken:]
        return taken

    def close(self) -> None:
        self._raw.close()
        super().close()

    def _more(self) -> bytes:
        """The next decompressed bytes; none at the end."""
        while True:
            if not self._pending:
                self._pending = self._raw.read(_PIECE)
                self._read += len(self._pending)
            if not self._pending:
                if self._member is not None:
                    self._stop("truncated", "what comes before the cut was read")
                break
            if self._member is None and not self._begin_member():
                continue
            if self._ended or self._member is None:
                break
            content = self._inflate(self._member)
            if content:
                return content
        self._ended = True
        return b""

    def _begin_member(self) -> bool:
        """Start on the next member; False if only padding (zeros, as of tapes) was there."""
        padding = len(self._pending) - len(self._pending.lstrip(b"\0"))
        if padding == len(self._pending):
            self._pending = b""
            return False
        if padding or not self._pending.startswith(self._magic[: len(self._pending)]):
            self._stop("trailing bytes after", "they were not read")
            return True
        self._member = self._new()
        return True

    def _inflate(self, member: _Inflater) -> bytes:
        try:
            content = member.decompress(self._pending, _MOST_AT_ONCE)
        except self._error as error:
            if "too much memory" in str(error):  # zstd --long beyond 27: 128 MiB
                self._stop("too large a window of", "compress it with a smaller one: zstd --long=27")
            else:
                self._stop("damaged", "what comes before the damage was read")
            return b""
        if member.eof:
            self._pending = member.unused_data
            self._member = None
        else:
            self._pending = member.unconsumed_tail
        return content

    def _stop(self, how: str, advice: str) -> None:
        self._ended = True
        self._member = None
        self._pending = b""
        if self._account is not None:
            self._account.skip(f"{how} {self._name}", f"byte {self._read} of the compressed file", advice)
