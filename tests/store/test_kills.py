"""kill -9 at any moment: the store opens, holds each (id, rev) once, and each file holds each line once and whole."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.store.conftest import notice

from reconwatch.notices import Notice
from reconwatch.store import Delivery, Store
from reconwatch.store.lines import FORMATS
from reconwatch.store.outputs import FileOutput

KILLS = 50
EVERY = 7
"""Steps of the service between two snapshots."""


def told_by(step: int) -> list[Notice]:
    """What the service says of one piece of its input: always the same, as a pipeline's word on the same bytes is."""
    chosen = random.Random(step)
    return [notice(step // 3, rev=step % 3 + 1, msg="x" * chosen.randrange(3_000)), notice(100_000 + step)]


def outputs(folder: Path) -> Iterator[FileOutput]:
    for form in FORMATS:
        yield FileOutput(folder / f"{form}.log", form)


def serve(folder: Path, progress: int, steps: int | None) -> None:
    """The service, as far as the store sees it; `steps` ends it, None goes on for ever."""
    store = Store.open(folder / "reconwatch.db")
    delivery = Delivery(store, list(outputs(folder)))
    snapshot = store.restored()
    step = int(snapshot.marks["feed"]) if snapshot is not None else 0
    assert snapshot is None or snapshot.parts == {"state": b"%d" % step * 500, "constant": b"x" * 50_000}
    while steps is None or step < steps:
        with store.transaction():
            store.emit(told_by(step))
            if step % EVERY == EVERY - 1:
                marks = {"feed": b"%d" % (step + 1)}
                store.snapshot({"state": b"%d" % (step + 1) * 500, "constant": b"x" * 50_000}, marks)
        step += 1
        os.write(progress, b".")
        delivery.step(0.0)
        os.write(progress, b".")
    delivery.step(1e18)
    delivery.close()
    store.close()


def rotate(folder: Path, chance: random.Random) -> None:
    """What logrotate does with `nocreate`."""
    for output in outputs(folder):
        if output.path.exists():
            output.path.rename(output.path.with_suffix(f".{chance.randrange(1 << 40):x}"))


def killed(folder: Path, after: int, chance: random.Random) -> None:
    """Serve in a process of its own, which is killed when it has said that it got so far; it does not wait for that."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            serve(folder, writing, None)
        finally:
            os._exit(1)
    os.close(writing)
    got = 0
    while got < after and (dots := os.read(reading, 3)):
        got += len(dots)
        if chance.random() < 0.02:
            rotate(folder, chance)
    os.kill(child, signal.SIGKILL)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "the service ended by itself"


def keys_in(file: Path, form: str) -> list[tuple[str, int]]:
    text = file.read_bytes()
    assert text.endswith(b"\n")
    lines = [line for line in text.split(b"\n")[:-1] if not line.startswith(b"#")]
    keys = [FORMATS[form].key(line) for line in lines]
    assert None not in keys
    return [key for key in keys if key is not None]


def test_a_service_that_is_killed_at_any_moment_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(KILLS):
        killed(tmp_path, chance.randrange(40), chance)
        if chance.random() < 0.2:
            rotate(tmp_path, chance)
    with Store.open(tmp_path / "reconwatch.db") as store:
        snapshot = store.restored()
        assert snapshot is not None, f"seed {seed}"
        last = int(snapshot.marks["feed"]) + 50
    reading, writing = os.pipe()
    serve_whole(tmp_path, writing, last)
    os.close(reading)
    os.close(writing)

    wanted = [(each.id, each.rev) for step in range(last) for each in told_by(step)]
    with Store.open(tmp_path / "reconwatch.db") as store:
        assert [(each.id, each.rev) for each in store.notices()] == wanted, f"seed {seed}"
        assert store._database.rows("PRAGMA integrity_check") == [("ok",)]
    for form in FORMATS:
        files = [file for file in tmp_path.glob(f"{form}.*") if file.stat().st_size]
        files.sort(key=lambda file: keys_in(file, form) and wanted.index(keys_in(file, form)[0]))
        found = [key for file in files for key in keys_in(file, form)]
        assert found == wanted, f"{form}, seed {seed}"


def serve_whole(folder: Path, progress: int, steps: int) -> None:
    os.set_blocking(progress, False)  # nobody reads it
    try:
        serve(folder, progress, steps)
    except BlockingIOError:
        raise AssertionError("more steps than a pipe holds") from None
