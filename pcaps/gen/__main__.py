"""Makes the captures of this folder's parent: `python pcaps/gen [--check] [FOLDER]`.

The bytes depend on nothing but this code. `--check` writes nothing and fails if a capture or its checksum in the
manifest is not what this code makes.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

from stories import STORIES

HOME = Path(__file__).resolve().parent.parent


def stamped(manifest: str, sums: dict[str, str]) -> str:
    """The manifest's text with the checksum behind each file's name made true; all else stays as it was written."""
    for name, digest in sums.items():
        pattern = rf"(- file: {re.escape(name)}\n +sha256:).*"
        manifest, count = re.subn(pattern, rf"\g<1> {digest}", manifest)
        if count != 1:
            sys.exit(f"pcaps/manifest.yaml: write `- file: {name}` with a `sha256:` line behind it, once")
    return manifest


def main(arguments: list[str]) -> None:
    """Write the captures to FOLDER (default: pcaps/, with the checksums of its manifest), or check them."""
    check = "--check" in arguments
    folder = Path(next((word for word in arguments if not word.startswith("-")), HOME))
    made = {name: make() for name, make in STORIES.items()}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    if check:
        stale = [name for name, data in made.items() if (folder / name).read_bytes() != data]
        manifest = (HOME / "manifest.yaml").read_text(encoding="utf-8")
        stale += ["manifest.yaml"] if stamped(manifest, sums) != manifest else []
        sys.exit(f"not what pcaps/gen makes (run `make pcaps`): {', '.join(stale)}" if stale else 0)
    for name, data in made.items():
        (folder / name).write_bytes(data)
        print(f"{folder / name}: {len(data):,} bytes")
    if folder == HOME:
        path = HOME / "manifest.yaml"
        path.write_text(stamped(path.read_text(encoding="utf-8"), sums), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
