"""Notebooks: no logic, deterministic, executed, small; and every cell runs."""

import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LINES, BYTES = 10, 2 * 10**6


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def cells(path: Path, kind: str = "code") -> list[dict[str, Any]]:
    found = json.loads(path.read_text("utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == kind]


def test_there_are_some() -> None:
    assert NOTEBOOKS


def test_cells_are_short_and_hold_no_logic(path: Path) -> None:
    for cell in cells(path):
        source = "".join(cell["source"])
        assert len(source.splitlines()) <= LINES, source
        assert not any(line.startswith(("def ", "class ", "while ", "!", "%")) for line in source.splitlines()), source


def test_cells_have_ids_that_do_not_change(path: Path) -> None:
    every = json.loads(path.read_text("utf-8"))["cells"]
    assert [cell["id"] for cell in every] == [f"{path.stem[:2]}-{i:02d}" for i in range(1, len(every) + 1)]


def test_it_says_what_it_cannot_tell_and_ends_with_three_exercises(path: Path) -> None:
    prose = "\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))
    assert "cannot tell" in prose and "The claim" in prose and "minutes" in prose
    code = ["".join(cell["source"]) for cell in cells(path)]
    assert any("assert " in source for source in code)
    assert all("check(" in source for source in code[-3:]) and prose.count("\n**1.**") == 1


def test_it_is_stored_executed_and_small(path: Path) -> None:
    assert path.stat().st_size < BYTES
    for number, cell in enumerate(cells(path), 1):
        assert cell["execution_count"] == number, "run: make notebooks"
        assert not [out for out in cell["outputs"] if out["output_type"] == "error"]


@pytest.mark.slow
def test_every_cell_runs(path: Path) -> None:
    import nbformat
    from nbclient import NotebookClient

    book = nbformat.read(path, as_version=4)
    NotebookClient(book, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
