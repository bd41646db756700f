"""Commands about visual words, with a toy for a model and ``toy.mp4`` for a clip."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_film import ToyReader

import vtexplore.cli_words as cli_words
from vtexplore import registry


@pytest.fixture
def run(monkeypatch: Any, typed: Any, toy_model: Any, toy_clip: Any) -> Any:
    model, real = ToyReader(toy_model.inputs.vocabulary), cli_words.open_clip
    monkeypatch.setattr(registry, "load", lambda name, *a: model if name == "videobert" else toy_model)
    monkeypatch.setattr(cli_words, "open_clip", lambda name: toy_clip if name == "toy.mp4" else real(name))
    return typed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cloze", "toy.mp4", "the [MASK] disc slides [MASK]", "--other", "world:3"], "The clip: "),
        (["cloze", "toy.mp4", "the [MASK] disc", "--among", "red", "--among", "blue"], "red (right)"),
        (["words", "toy.mp4"], "A clip in visual words"),
        (["words", "toy.mp4", "--kind", "gallery"], "4 of 4 words"),
        (["forecast", "toy.mp4", "--at", "1", "--ahead", "1", "--ahead", "2"], "2 ahead: "),
        (["illustrate", "the red disc slides right", "--moments", "2"], "Moment 2, no text"),
    ],
)
def test_each_says_what_its_picture_shows(run: Any, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments, "-o", str(tmp_path / "a.png"), "--dpi", "40")
    assert code == 0 and said in out and "note: " in err and (tmp_path / "a.png").is_file()
    code, out, _ = run(*arguments, "--json")
    assert code == 0 and json.loads(out)["about"]["model"] == "toy"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["cloze", "toy.mp4", "the red disc"], "[MASK]"),
        (["cloze", "toy.mp4", "the [MASK] disc", "--among", "elephant"], "elephant"),
        (["words", "toy.mp4", "--kind", "gallery", "--page", "7"], "1 page"),
        (["words", "absent.mp4"], "absent.mp4"),
        (["words", "toy.mp4", "-m", "violet"], "videobert"),
        (["forecast", "toy.mp4", "--at", "9"], "4 moments"),
        (["illustrate", "the red elephant"], "elephant"),
        (["illustrate", "the red disc", "-o", "a.pdf"], "a.pdf"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_code_2(
    run: Any, tmp_path: Path, monkeypatch: Any, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and err.startswith("vtexplore: ") and said in err
    assert "Traceback" not in err and err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_help_teaches(run: Any) -> None:
    _, out, _ = run("--help")
    for command in ("cloze", "words", "forecast", "illustrate"):
        assert f"  {command} " in out
        code, shown, _ = run(command, "--help")
        assert code == 0 and f"vtexplore {command}" in shown.partition("xample")[2]
