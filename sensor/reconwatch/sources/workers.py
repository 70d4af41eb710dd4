"""Worker processes: units are read side by side, and told as if they had been read one after the other.

Workers are forked before anything is read, so before the program has any thread, and wait for tasks. Each tells its
parent events (as msgpack), warnings and progress through a pipe; one that the parent does not empty holds its worker
up. What is told of a unit whose turn has not come is kept in a file.
"""

from __future__ import annotations

import os
import pickle
import signal
import tempfile
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import NoReturn, cast

import msgspec

from reconwatch.account import Account
from reconwatch.events import AnyEvent
from reconwatch.sources.hindsight import Outcome
from reconwatch.sources.units import Reader, Task

EVENTS_AT_ONCE = 500
"""Events a message: some 100 kB."""
PROGRESS_STEP = 4_000_000
"""Bytes read a message of progress; also how far a worker reads on when its parent was killed."""
KEPT_IN_MEMORY = 1 << 20
"""Bytes kept of each unit whose turn has not come before they go to a file."""

EVENTS, WARNING, PROGRESS, DONE, BUG = b"e", b"w", b"p", b"d", b"b"
"""The first byte of a message says what it is."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[AnyEvent])


class WorkerError(RuntimeError):
    """A worker met a bug; its text is the worker's traceback."""


@dataclass
class _Worker:
    pid: int
    tasks: Connection
    """To the worker."""
    told: Connection
    """From the worker."""
    busy: int | None = None
    """The index of its task."""


class Crew:
    """Workers that read units. `close` ends them, whatever they do."""

    def __init__(
        self, count: int, reader: Callable[[Callable[[int], None]], Reader], progress: Callable[[int], None]
    ) -> None:
        """Fork `count` workers. `reader` makes what reads, given whom to tell of progress."""
        self._reader = reader
        self._progress = progress
        self._workers: list[_Worker] = []
        for _ in range(count):
            self._fork()

    def read(self, tasks: Sequence[Task], accounts: Mapping[int, Account]) -> Generator[AnyEvent, None, list[Outcome]]:
        """The events of all units, in order; see `Reader.alone`.

        A unit whose worker dies ends there, as failed. Once all have died, this process reads the rest.
        """
        waiting = deque(sorted(range(len(tasks)), key=lambda index: -tasks[index].unit.size))
        books = [_Book() for _ in tasks]
        outcomes = []
        try:
            for index, task in enumerate(tasks):
                while not books[index].complete and (self._workers or index not in waiting):
                    self._hand_out(tasks, waiting)
                    yield from _retold(books[index], accounts)
                    if not books[index].complete:
                        self._listen(tasks, books)
                if books[index].complete:
                    yield from _retold(books[index], accounts)
                    outcomes.append(_settled(books[index], task, accounts))
                else:
                    waiting.remove(index)
                    outcomes.append((yield from self._reader(self._progress).one(task, accounts)))
                books[index].close()
        finally:
            for book in books:
                book.close()
        return outcomes

    def close(self) -> None:
        """End all workers. They own nothing that needs an orderly end."""
        for worker in self._workers:
            os.kill(worker.pid, signal.SIGKILL)
            self._bury(worker)
        self._workers.clear()

    def _hand_out(self, tasks: Sequence[Task], waiting: deque[int]) -> None:
        for worker in list(self._workers):
            if worker.busy is None and waiting:
                try:
                    worker.tasks.send(tasks[waiting[0]])
                except BrokenPipeError:
                    self._workers.remove(worker)
                    self._bury(worker)
                else:
                    worker.busy = waiting.popleft()

    def _listen(self, tasks: Sequence[Task], books: Sequence[_Book]) -> None:
        """Wait until a worker tells something, and note it."""
        by_pipe = {worker.told: worker for worker in self._workers if worker.busy is not None}
        for pipe in wait(list(by_pipe)) if by_pipe else ():
            worker = by_pipe[cast(Connection, pipe)]
            if worker.busy is None:
                continue
            book = books[worker.busy]
            try:
                message = worker.told.recv_bytes()
            except (EOFError, OSError):
                self._workers.remove(worker)
                book.end = self._bury(worker)
                continue
            match message[:1]:
                case b"p":
                    self._progress(int.from_bytes(message[1:], "little"))
                case b"d":
                    book.end = message[1:]
                    worker.busy = None
                case b"b":
                    raise WorkerError(message[1:].decode())
                case _:
                    book.note(message)

    def _bury(self, worker: _Worker) -> str:
        """Give back what a dead worker held; say what became of it."""
        worker.tasks.close()
        worker.told.close()
        status = os.waitstatus_to_exitcode(os.waitpid(worker.pid, 0)[1])
        return f"its reader was killed (signal {-status})" if status < 0 else f"its reader ended (status {status})"

    def _fork(self) -> None:
        for_worker, tasks = Pipe(duplex=False)
        told, by_worker = Pipe(duplex=False)
        # An interrupt between the fork and the child's first line would print a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            pid = _forked()
            if not pid:
                for other in self._workers:
                    other.tasks.close()
                    other.told.close()
                tasks.close()
                told.close()
                _live(for_worker, by_worker, self._reader)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for_worker.close()
        by_worker.close()
        self._workers.append(_Worker(pid, tasks, told))


class _Book:
    """What was told of a unit and is still to be told on: bounded memory, and files for the rest."""

    def __init__(self) -> None:
        self._kept = tempfile.SpooledTemporaryFile(KEPT_IN_MEMORY, prefix="reconwatch-")  # noqa: SIM115  see close
        self.end: bytes | str | None = None
        """How its reading ended: with what it says of itself, or why early."""

    @property
    def complete(self) -> bool:
        return self.end is not None

    def note(self, message: bytes) -> None:
        self._kept.write(len(message).to_bytes(4, "little") + message)

    def taken(self) -> Iterator[bytes]:
        """All messages since the last time."""
        self._kept.seek(0)
        while head := self._kept.read(4):
            yield self._kept.read(int.from_bytes(head, "little"))
        self._kept.seek(0)
        self._kept.truncate()

    def close(self) -> None:
        self._kept.close()


def _retold(book: _Book, accounts: Mapping[int, Account]) -> Iterator[AnyEvent]:
    for message in book.taken():
        if message[:1] == EVENTS:
            yield from _decoder.decode(message[1:])
        else:
            number, line = pickle.loads(message[1:])
            accounts[number].warn(line)


def _settled(book: _Book, task: Task, accounts: Mapping[int, Account]) -> Outcome:
    """The end of a unit that a worker read."""
    if isinstance(book.end, bytes):
        outcome, told = pickle.loads(book.end)
        for number, account in told.items():
            accounts[number].add(account)
        return cast(Outcome, outcome)
    for part in task.unit.parts:
        account = accounts[part.number]
        if task.again is None:
            account.fail(f"{book.end}; what it had told by then counts")
        else:
            account.skip(f"{book.end}", "in the second reading", "it may lack connections that only other inputs name")
    return Outcome(whole=False)


# -- in the worker


def _forked() -> int:
    with warnings.catch_warnings():
        # Libraries for numbers keep idle threads of their own, which survive a fork as they should; we have none.
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _live(tasks: Connection, told: Connection, reader: Callable[[Callable[[int], None]], Reader]) -> NoReturn:
    """A worker's life. It ends when its parent has no more tasks or is gone; an interrupt is the parent's matter."""
    status = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        meter = _Meter(told)
        while (task := _next(tasks)) is not None:
            _do(task, told, reader(meter.tell))
        status = 0
    except BrokenPipeError:
        status = 0
    finally:
        os._exit(status)  # neither flush nor run what belongs to the parent


def _next(tasks: Connection) -> Task | None:
    try:
        return cast(Task, tasks.recv())
    except EOFError:
        return None


class _Meter:
    """Tells of progress in steps."""

    def __init__(self, told: Connection) -> None:
        self._told = told
        self._done = 0

    def tell(self, done: int) -> None:
        self._done += done
        if self._done >= PROGRESS_STEP:
            self._told.send_bytes(PROGRESS + self._done.to_bytes(8, "little"))
            self._done = 0


def _do(task: Task, told: Connection, reader: Reader) -> None:
    def warner(number: int) -> Callable[[str], None]:
        return lambda line: told.send_bytes(WARNING + pickle.dumps((number, line)))

    accounts = {part.number: Account(part.name, warner(part.number)) for part in task.unit.parts}
    events: list[AnyEvent] = []

    def send() -> None:
        if events:
            told.send_bytes(EVENTS + _encoder.encode(events))
            events.clear()

    try:
        reading = reader.one(task, accounts)
        while True:
            try:
                events.append(next(reading))
            except StopIteration as end:
                outcome = end.value
                break
            if len(events) >= EVENTS_AT_ONCE:
                send()
    except BrokenPipeError:
        raise
    except Exception:
        told.send_bytes(BUG + traceback.format_exc().encode())
        raise
    send()
    for account in accounts.values():
        account.warn = _silent
    told.send_bytes(DONE + pickle.dumps((outcome, accounts)))


def _silent(line: str) -> None:
    """The warnings were told already; a function of this place can be pickled."""
