"""From the outbox to the sinks: in order, at least once, each sink at its own pace.

A sink that is down costs the others and detection nothing: it is tried again after a pause that doubles, and its part
of the outbox waits. Only what a sink has had, for good, is behind its position.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final

from reconwatch.notices import Notice
from reconwatch.prose import counted
from reconwatch.sinks.jsonl import read_jsonl
from reconwatch.store.contract import Clock, Dead, Outbox, Position, Stored, StoreError
from reconwatch.store.lane import AT_ONCE, Backlog, Lane, Sending, Standing
from reconwatch.store.output import Output, Refused

RETRIES_ASKED: Final = 5.0
"""Seconds between two looks whether somebody wants dead letters to be sent once more."""


class Worker:
    """The thread of a sink that waits for others: it has one batch at a time, and the next when that is settled."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._given: queue.SimpleQueue[Sequence[Notice] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Exception | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=output.name, daemon=True)
        self._thread.start()

    def _work(self) -> None:
        while (notices := self._given.get()) is not None:
            self._done.put(_sent(self._output, notices))

    def give(self, notices: Sequence[Notice]) -> None:
        """Hand over a batch; not before the one before is done."""
        self._given.put(notices)

    def done(self, timeout: float = 0.0) -> tuple[bool, Exception | None]:
        """Whether the batch is done, and what went wrong."""
        try:
            return True, self._done.get(timeout=timeout) if timeout > 0 else self._done.get_nowait()
        except queue.Empty:
            return False, None

    def stop(self) -> None:
        """Let the thread end after its batch; it is not waited for."""
        self._given.put(None)


class Delivery:
    """All sinks of one service. `step` is called by its loop, by one thread, and never raises for a sink or the store.

    Made before the first notice is put into the outbox: a sink that was never here begins with what comes then. To make
    it raises StoreError.

    `ticks` is a clock that is never set back, in seconds; `clock` is that of people; `jitter` gives numbers from 0 to
    1, so that sensors whose collector was down do not all come back to it at once.
    """

    def __init__(
        self,
        store: Outbox,
        outputs: Sequence[Output],
        *,
        backlogs: Mapping[str, Backlog] | None = None,
        ticks: Clock = time.monotonic,
        clock: Clock = time.time,
        jitter: Clock = random.random,
    ) -> None:
        self._store = store
        self._outputs = list(outputs)
        self._backlogs = dict(backlogs or {})
        self._ticks = ticks
        self._clock = clock
        self._jitter = jitter
        self._lanes: list[Lane] = []
        self._given: dict[str, Sending | Dead | None] = {}
        """By sink what its worker has: of the outbox, or a dead letter; None if the store it is of is gone."""
        self._generation: int | None = None
        self._newest = (0, 0)
        self._retries_due = 0.0
        self._problems: list[str] = []
        self._trouble = ""
        self._register()
        self._workers = {each.name: Worker(each) for each in self._outputs if each.slow}

    def step(self, deadline: float) -> bool:
        """Send what waits, until a time by `ticks`; whether more could be sent at once.

        Each sink gets its turn, whatever the deadline; one turn is at most `AT_ONCE` notices, written to a file or
        handed to a thread.
        """
        try:
            more = True
            while more:
                self._newest = self._store.newest()
                self._register()
                more = False
                for lane in self._lanes:
                    more = self._turn(lane) or more
                self._keep()
                if self._ticks() >= deadline:
                    break
            self._retry()
        except StoreError as error:
            if str(error) != self._trouble:
                self._trouble = str(error)
                self._problems.append(str(error))
            return False
        self._trouble = ""
        return more

    def _register(self) -> None:
        """Find where each sink stands; again when the store has begun anew."""
        if self._generation == self._store.generation:
            return
        first = self._generation is None
        lanes = []
        with self._store.transaction():
            generation, self._newest = self._store.generation, self._store.newest()
            # What a new sink is for is what comes from now on; behind a new store nothing else is.
            begin = self._newest[0] if first else 0
            for output in self._outputs:
                position = self._store.sinks.position(output.name)
                if output.name not in self._given:  # else its thread may be at it
                    output.resume(position.place if position else None)
                backlog = self._backlogs.get(output.name, Backlog())
                lanes.append(Lane(output, position or Position(begin), backlog=backlog, jitter=self._jitter))
            gone = self._store.sinks.forget(output.name for output in self._outputs)
            self._store.sinks.commit({lane.output.name: lane.position for lane in lanes})
        for name, lacked in gone.items():
            told = f"; {counted(lacked, 'notice')} had waited for it" if lacked else ""
            self._problems.append(f"sink {name}: site.yaml does not name it any more{told}")
        for lane in lanes:
            lane.kept = lane.position
        self._lanes, self._given = lanes, dict.fromkeys(self._given)
        self._generation = generation

    def _turn(self, lane: Lane) -> bool:
        """Give a sink what comes next; whether there is more for it now."""
        name, worker = lane.output.name, self._workers.get(lane.output.name)
        if worker is not None and name in self._given and not self._settled(lane, worker):
            return False
        newest, through = self._newest
        if lane.seq >= newest:
            lane.measure(0, 0)
            return False
        waiting = lane.measure(newest - lane.seq, through - self._store.through(lane.seq))
        if waiting:
            lane.drop(lane.seq + waiting)
        if lane.unkept:  # what the store does not know, a crash would send once more: nothing is put on top of it
            return True
        if self._ticks() < lane.due:
            return False
        sending = lane.choose(self._read(lane.behind, AT_ONCE), self._clock())
        if sending is None:
            return lane.unkept and lane.seq < newest
        if worker is not None:
            self._given[name] = sending
            worker.give(sending.notices)
            return False
        lane.settle(sending, _sent(lane.output, sending.notices), self._ticks(), self._clock())
        if lane.seq >= newest:
            lane.measure(0, 0)
            return False
        return self._ticks() >= lane.due

    def _settled(self, lane: Lane, worker: Worker, timeout: float = 0.0) -> bool:
        """Whether what a worker was given is done; then what came of it is noted."""
        done, error = worker.done(timeout)
        if done:
            given = self._given.pop(lane.output.name)
            if isinstance(given, Dead):
                self._answered(given, error)
            elif given is not None:
                lane.settle(given, error, self._ticks(), self._clock())
        return done

    def _read(self, seq: int, limit: int) -> list[tuple[Stored, Notice | str]]:
        read: list[tuple[Stored, Notice | str]] = []
        for item in self._store.after(seq, limit):
            try:
                read.append((item, read_jsonl(item.body)))
            except ValueError as error:
                read.append((item, f"the store holds no notice there: {error}"))
        return read

    def _keep(self) -> None:
        """Keep where the sinks stand, in one transaction."""
        unkept = [lane for lane in self._lanes if lane.unkept]
        if not unkept:
            return
        positions = {lane.output.name: lane.position for lane in unkept}
        with self._store.transaction():
            if self._generation != self._store.generation:  # to begin has opened a new store, of which these are not
                return
            self._store.sinks.commit(positions, [letter for lane in unkept for letter in lane.dead])
        for lane in unkept:
            lane.kept, lane.dead = positions[lane.output.name], []

    def _retry(self) -> None:
        """Send dead letters that somebody wants to be sent once more, one for each sink."""
        if self._ticks() < self._retries_due:
            return
        self._retries_due = self._ticks() + RETRIES_ASKED
        lanes = {lane.output.name: lane for lane in self._lanes}
        for letter in self._store.sinks.dead(again=True, limit=AT_ONCE):
            lane = lanes.get(letter.sink)
            if lane is None or letter.sink in self._given:
                continue
            notice = read_jsonl(letter.body)
            worker = self._workers.get(letter.sink)
            if worker is None:
                self._answered(letter, _sent(lane.output, [notice]))
            else:
                self._given[letter.sink] = letter
                worker.give([notice])

    def _answered(self, letter: Dead, error: Exception | None) -> None:
        if error is None:
            self._store.sinks.revive([letter])
            self._problems.append(f"sink {letter.sink}: {letter.id} rev {letter.rev} was sent after all")
        elif isinstance(error, Refused):
            self._store.sinks.bury([letter])
            self._problems.append(f"sink {letter.sink}: {letter.id} rev {letter.rev} is refused again: {error}")

    def problems(self) -> list[str]:
        """What went wrong, or healed, since this was last asked: one line each."""
        told, self._problems = self._problems, []
        return told + [line for lane in self._lanes for line in lane.problems()]

    def standings(self) -> list[Standing]:
        """How each sink does."""
        return [lane.standing() for lane in self._lanes]

    def close(self, patience: float = 0.0) -> None:
        """Send what can be sent at once, wait for threads for so many seconds in all, and let go of the sinks."""
        end = self._ticks() + patience
        self.step(end)
        try:
            for lane in self._lanes:
                worker = self._workers.get(lane.output.name)
                if worker is not None and lane.output.name in self._given:
                    self._settled(lane, worker, max(end - self._ticks(), 0.0))
            self._keep()
        except StoreError as error:
            self._problems.append(str(error))
        for each in self._workers.values():
            each.stop()
        for output in self._outputs:
            if output.name not in self._given:  # else its thread may be at it
                output.close()


def _sent(output: Output, notices: Sequence[Notice]) -> Exception | None:
    """Send a batch; what went wrong. A fault of a sink's own code is one more way to be down."""
    try:
        output.send(notices)
    except Exception as error:  # Unreachable and Refused, as it should be, or a fault of its own code
        return error
    return None
