"""The README says what the registry, the cards and the benchmarks say."""

import re
from pathlib import Path

import pytest

from vtexplore import readme
from vtexplore.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]


def test_the_tables_are_up_to_date() -> None:
    assert readme.main(["--check"]) == 0, "run: python -m vtexplore.readme"


def test_missing_marks_are_named() -> None:
    with pytest.raises(ConfigError, match="picture:start"):
        readme.rewrite("# a page without marks")


def test_rewriting_twice_changes_nothing() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert readme.rewrite(readme.rewrite(text)) == readme.rewrite(text)


def test_files_and_pictures_that_it_names_are_there() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"`((?:vtexplore|assets)/[\w./]+)`", text)
    assert len(named) > 5 and not [name for name in named if not (ROOT / name).exists()]
