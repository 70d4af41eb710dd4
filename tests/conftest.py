"""What many tests need: a site, a small catalog, and short ways to say what happened on the wire."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: these tests judge results, and machines are shared. In CI every run tries the same examples, so that a
# change is judged by what it changed; elsewhere each run looks for new ones.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "here")

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
"""Real captures and corpora that lie beside a developer's checkout; a clone alone has none and skips those tests."""


@pytest.fixture(scope="session")
def shared_captures() -> Path:
    """The folder of captures made with real clients."""
    folder = SHARED / "captures"
    if not folder.is_dir():
        pytest.skip("the captures of real clients lie beside the developers' checkouts only")
    return folder


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests neither read nor leave a cache or a catalog in the user's home."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    os.environ["XDG_DATA_HOME"] = str(tmp_path_factory.mktemp("data"))
