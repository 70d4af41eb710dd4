"""The state of a run as bytes, and back: what a service goes on with after it was stopped or killed.

Objects that stand in several places (an open visit and the memory of who told its events) must be one again, and most
are plain containers of our own types; so it is a pickle, in which nothing but such types is allowed. Each class with a
state says in `KEPT` which attributes make it up; how it was put together (catalog, site, callables) is not among them.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec

VERSION: Final = 3
"""Of what is kept, in all classes together: another one's state is not restored, its marks are."""

ALLOWED: Final = {
    "_codecs": {"encode"},
    "array": {"_array_reconstructor", "array"},
    "builtins": {"bytearray", "frozenset", "set"},
    "collections": {"Counter", "OrderedDict", "defaultdict", "deque"},
    "msgspec._core": {"rebuild"},
    "msgspec._utils": {"rebuild"},
    "numpy": {"dtype", "ndarray"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy.core.numeric": {"_frombuffer"},
}
"""Module -> what a snapshot may name of it, besides the classes of this package."""


class Stateful(Protocol):
    """Something of which a snapshot holds the attributes in `KEPT`."""

    @property
    def KEPT(self) -> tuple[str, ...]:
        """Names of attributes."""


class SnapshotError(ValueError):
    """Bytes that are no snapshot of this version; the text is the reason."""


def taken(parts: Mapping[str, Stateful]) -> bytes:
    """The state of all parts."""
    state = {name: {each: getattr(part, each) for each in part.KEPT} for name, part in parts.items()}
    return pickle.dumps((VERSION, state), protocol=5)


def restore(parts: Mapping[str, Stateful], data: bytes) -> None:
    """Put a state back into parts that were made alike.

    Raises:
        SnapshotError: it is another version's, or damaged, names what no snapshot may name, or does not fit. Some
            parts may have been changed then.
    """

    class Unpickler(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> Any:
            if module.startswith("reconwatch.") and "." not in name:
                found = super().find_class(module, name)
                if isinstance(found, type):
                    return found
            elif name in ALLOWED.get(module, ()):
                return super().find_class(module, name)
            raise SnapshotError(f"it names {module}.{name}")

    try:
        version, state = Unpickler(io.BytesIO(data)).load()
    except SnapshotError:
        raise
    except Exception as error:  # whatever damaged bytes make of it
        raise SnapshotError(f"it is damaged ({type(error).__name__})") from error
    if version != VERSION:
        raise SnapshotError(f"it is of version {version}, this is {VERSION}")
    wanted = [(name, each) for name, part in parts.items() for each in part.KEPT]
    missing = [f"{name}.{each}" for name, each in wanted if each not in state.get(name, ())]
    if missing:
        raise SnapshotError(f"it lacks {missing[0]}")
    for name, each in wanted:
        try:
            setattr(parts[name], each, state[name][each])
        except (msgspec.MsgspecError, TypeError, ValueError, IndexError) as error:  # what a detector keeps has changed
            raise SnapshotError(f"{name}.{each} does not fit: {error}") from error
