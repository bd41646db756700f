"""Films made here, every frame of which says its number; see films.py."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import films


@pytest.fixture(scope="session")
def film(tmp_path_factory):
    """A film by its name in ``films.KINDS``, made once."""
    folder, made = tmp_path_factory.mktemp("films"), {}

    def make(name):
        if name not in made:
            made[name] = films.make(folder, name)
        return made[name]

    return make
