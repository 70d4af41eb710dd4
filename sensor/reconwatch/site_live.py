"""The items of `sources` in site.yaml, what `reconwatch run` follows: how their values are read and refused.

An item is of one kind, and has the keys of that kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from reconwatch.document import Refused
from reconwatch.document_errors import shown

KINDS = ("zeek", "eve", "logs", "unix", "redis", "websocket", "captures")

TAKES: dict[str, tuple[str, ...]] = {
    "zeek": ("archive", "from"),
    "eve": ("archive", "from"),
    "logs": ("archive", "from"),
    "unix": ("mode",),
    "redis": ("list", "stream", "from", "push", "consumer", "password_file", "password_env"),
    "websocket": ("ca_file",),
    "captures": ("from",),
}
"""What else may stand in an item, by its kind."""

LONGEST_SOCKET = 107
"""Bytes of a unix socket's path (unix(7))."""

WEBSOCKET_PATH = "/v1/messages/json"
"""Zeek's only one (src/cluster/websocket/WebSocket.cc)."""

_MAGIC = re.compile(r"[*?\[]")


def read_place(value: Any) -> str:
    """An absolute path, or a pattern of such. Raises Refused."""
    if not isinstance(value, str) or not value.strip():
        raise Refused(f"{shown(value)} is not a path", write="one like /opt/zeek/logs/current")
    path = value.strip()
    if not path.startswith("/"):
        raise Refused(f"'{path}' is no absolute path, and a service has no folder of its own", write="it from / on")
    if "\0" in path or ".." in path.split("/"):
        raise Refused(f"{shown(path)} goes up with '..'", write="the path itself")
    return path


def read_log_files(value: Any) -> str:
    """The path or pattern of files, not of a folder. Raises Refused."""
    path = read_place(value)
    if path.endswith("/"):
        raise Refused(f"'{path}' fits no file", write=f"'{path}*.log'")
    return path


def read_one_place(value: Any) -> str:
    """An absolute path that is no pattern. Raises Refused."""
    path = read_place(value)
    if _MAGIC.search(path):
        raise Refused(f"'{path}' is a pattern; this is one place", write="an item of sources for each")
    return path


def read_socket(value: Any) -> str:
    """Where a socket is to be. Raises Refused."""
    path = read_one_place(value)
    if len(path.encode()) > LONGEST_SOCKET:
        raise Refused(f"a socket's path has at most {LONGEST_SOCKET} bytes", write="a shorter one, such as below /run")
    if path.endswith("/"):
        raise Refused(f"'{path}' is a folder", write=f"'{path}eve.sock'")
    return path


def read_mode(value: Any) -> str:
    """Who may write to a socket, as chmod says it. Raises Refused."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not re.fullmatch(r"0?[0-7]{3}", text):
        raise Refused(f"{shown(value)} is not a mode", write='"0600" (this user alone) or "0660" (its group, too)')
    mode = int(text, 8)
    if mode & 0o600 != 0o600 or mode & 0o007:
        what = "lets everybody write events" if mode & 0o007 else "keeps us out ourselves"
        raise Refused(f"mode {text} {what}", write='"0600" or "0660"')
    return f"{mode:04o}"


def read_redis(value: Any) -> str:
    """The address of a Redis. Raises Refused; never repeats what may hold a password."""
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not the address of a Redis", write="one like redis://127.0.0.1:6379")
    try:
        parts = urlsplit(value.strip())
        port = parts.port
    except ValueError:
        raise Refused("this is not the address of a Redis", write="one like redis://127.0.0.1:6379") from None
    if parts.password is not None or parts.query:
        raise Refused("a password does not belong into site.yaml", write="password_file: or password_env: beside it")
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise Refused(f"{shown(value)} is not the address of a Redis", write="one like redis://127.0.0.1:6379")
    if parts.scheme == "unix" and not parts.path.startswith("/"):
        raise Refused(f"{shown(value)} names no socket", write="it like unix:///run/redis/redis.sock")
    database = re.fullmatch(r"(?:/[0-9]{0,4})?", parts.path)
    if parts.scheme != "unix" and (not parts.hostname or port == 0 or database is None):
        raise Refused(f"{shown(value)} names no host and database", write="it like redis://127.0.0.1:6379/0")
    return value.strip()


def read_websocket(value: Any) -> str:
    """Where a Zeek listens. Raises Refused; never repeats what may hold a password."""
    example = "one like ws://127.0.0.1:27759"
    if not isinstance(value, str):
        raise Refused(f"{shown(value)} is not the address of Zeek's WebSocket API", write=example)
    try:
        parts = urlsplit(value.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise Refused("this is not the address of Zeek's WebSocket API", write=example) from None
    if parts.username is not None or parts.password is not None:
        raise Refused("Zeek asks nobody who he is", write=f"it without a user, {example[4:]}")
    if parts.scheme not in ("ws", "wss") or not host or not port or re.search(r"[^!-~]", value.strip()):
        raise Refused(f"{shown(value)} is not the address of Zeek's WebSocket API", write=example)
    if parts.path.rstrip("/") not in ("", WEBSOCKET_PATH) or parts.query or parts.fragment:
        raise Refused(f"Zeek closes every path but {WEBSOCKET_PATH}", write="it without a path")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def read_key(value: Any) -> str:
    """The name of a key or consumer in Redis. Raises Refused."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise Refused(f"{shown(value)} is not a name", write="what suricata.yaml has as key, by default suricata")
    return value.strip()


def read_variable(value: Any) -> str:
    """The name of an environment variable. Raises Refused, without repeating what may be the password itself."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise Refused("this is not the name of an environment variable", write="one like REDIS_PASSWORD")
    return value


def refuse_mixture(given: Mapping[str, Any]) -> None:
    """Make sure that an item is of one kind, and says nothing that another kind is for. Raises Refused.

    `given`: its keys, as they are written, that have a value.
    """
    kinds = [kind for kind in KINDS if kind in given]
    if len(kinds) != 1:
        what = "a source without an input" if not kinds else f"one source has {' and '.join(kinds)}"
        raise Refused(what, write=f"one of {', '.join(KINDS)}" if not kinds else "one source for each")
    kind = kinds[0]
    for key in given:
        if key not in (kind, *TAKES[kind]):
            owners = ", ".join(f"{each}:" for each in KINDS if key in TAKES[each])
            raise Refused(f"'{key}' says nothing of {kind}: it is for {owners}", write=f"the source without {key}")
    if kind == "websocket":
        refuse_ca_without_tls(given["websocket"], given.get("ca_file"))
    if kind == "redis":
        _refuse_mixture_of_redis(given)


def refuse_ca_without_tls(url: Any, ca_file: Any) -> None:
    """Make sure that certificates are named only where there are some. Raises Refused."""
    if ca_file is not None and str(url).startswith("ws:"):
        raise Refused("'ca_file' says nothing of ws://, which is not encrypted", write="wss://, or no ca_file")


def _refuse_mixture_of_redis(given: Mapping[str, Any]) -> None:
    if ("list" in given) == ("stream" in given):
        what = "one source has list and stream" if "list" in given else "redis needs the key to read"
        raise Refused(what, write="list: (Suricata's modes list, lpush, rpush) or stream: (its mode xadd)")
    if "stream" in given and "push" in given:
        raise Refused("'push' says nothing of a stream", write="it with list:, or not")
    if "list" in given and "from" in given:
        raise Refused("'from' says nothing of a list: what is in it was not read", write="it with stream:, or not")
    if "password_file" in given and "password_env" in given:
        raise Refused("the password is in two places", write="password_file or password_env")
