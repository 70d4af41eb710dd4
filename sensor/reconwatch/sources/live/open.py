"""Opens what an item of site.yaml's `sources` says. It was validated: see `site_live.py`."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reconwatch.broker.connection import Login as ZeekLogin
from reconwatch.sources.live.drop_folder import DropFolder
from reconwatch.sources.live.feed import Feed
from reconwatch.sources.live.files import FilesFeed
from reconwatch.sources.live.places import archive_of, is_folder
from reconwatch.sources.live.redis_feed import Login
from reconwatch.sources.live.redis_lists import ListFeed
from reconwatch.sources.live.redis_streams import StreamFeed
from reconwatch.sources.live.unix_socket import SocketFeed
from reconwatch.sources.live.zeek_feed import ZeekFeed

IN_A_FOLDER = {"zeek": "*.log", "eve": "eve*.json", "logs": "*.log"}
"""The files that a folder stands for: all logs of Zeek; `eve.json`, and `eve.1.json` and so on of a threaded output."""


def open_feed(entry: Mapping[str, Any], clock: Callable[[], float] = time.time) -> Feed:
    """The feed of one item of `sources`. Nothing is opened or bound before its first `take`.

    Raises ModuleNotFoundError with one sentence if the item needs a package that is not installed.
    """
    start = entry.get("from", "start")
    for kind in IN_A_FOLDER:
        if kind in entry:
            return _files(kind, entry, clock)
    if "unix" in entry:
        return SocketFeed(Path(entry["unix"]), int(entry.get("mode", "0600"), 8), clock)
    if "websocket" in entry:
        return ZeekFeed(ZeekLogin(entry["websocket"], entry.get("ca_file")), clock)
    if "captures" in entry:
        return DropFolder(Path(entry["captures"]), start, clock)
    login = Login(entry["redis"], lambda: _password(entry))
    consumer = entry.get("consumer", "reconwatch")
    if "stream" in entry:
        return StreamFeed(entry["stream"], login, start, consumer, clock)
    return ListFeed(entry["list"], login, entry.get("push", "lpush"), consumer, clock)


def _files(kind: str, entry: Mapping[str, Any], clock: Callable[[], float]) -> FilesFeed:
    path: str = entry[kind]
    live = f"{path.rstrip('/')}/{IN_A_FOLDER[kind]}" if is_folder(path) else path
    archive = entry.get("archive")
    if archive is None and kind == "zeek" and os.path.basename(os.path.dirname(live)) == "current":  # noqa: PTH119, PTH120
        archive = os.path.dirname(os.path.dirname(live)) + "/"  # noqa: PTH120  # zeekctl: logs/2026-11-24 beside logs/current
    put_away = [*archive_of(live), *(archive_of(live, archive) if archive is not None else ())]
    return FilesFeed(path, [live], put_away, entry.get("from", "start"), clock)


def _password(entry: Mapping[str, Any]) -> str | None:
    """The password, as it is now. Raises OSError."""
    if "password_file" in entry:
        return Path(entry["password_file"]).read_text().strip()
    if "password_env" in entry:
        word = os.environ.get(entry["password_env"])
        if word is None:
            raise OSError(f"the environment has no {entry['password_env']}, where its password should be")
        return word
    return None
