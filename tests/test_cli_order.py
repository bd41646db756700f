"""The command about order, with a model that knows it."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_order import FALLS, RISES, Judge, Storyteller, stairs, story_words

import vtexplore.cli_order as cli_order
from vtexplore import registry


@pytest.fixture
def run(monkeypatch: Any, typed: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = Judge(story_words(tmp_path_factory.mktemp("story")))
    monkeypatch.setattr(registry, "load", lambda name, *a: model)
    monkeypatch.setattr(cli_order, "open_clip", lambda name: stairs())
    return typed


def test_it_says_what_its_picture_shows(run: Any, tmp_path: Path) -> None:
    code, out, err = run("reorder", "a.mp4", "--foil", FALLS, "-o", str(tmp_path / "a.png"), "--dpi", "40")
    assert code == 0 and "all 24 orders" in out and "note: " in err and (tmp_path / "a.png").is_file()
    code, out, _ = run("reorder", "a.mp4", "--frames", "3", "--json")
    found = json.loads(out)
    assert code == 0 and len(found["scores"]) == 6 and found["named"]["reversed"] == 5 and "frames" not in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--what", "places"], "what='frames'"), (["--what", "time"], "features"), (["-o", "a.pdf"], "a.pdf")],
)
def test_what_goes_wrong_is_one_sentence_and_code_2(run: Any, arguments: list[str], said: str) -> None:
    code, out, err = run("reorder", "a.mp4", *arguments)
    assert code == 2 and out == "" and err.startswith("vtexplore: ") and said in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said", "key"),
    [
        (["compare-orders", "a.mp4", "b.mp4", "--foil", "false"], "2 clips in 24 orders", "measures"),
        (["recover-order", "a.mp4", "b.mp4"], "τ", "best"),
        (["before-after", "a.mp4", "b.mp4"], "told apart both ways", "scores"),
    ],
)
def test_many_clips_are_asked_together(
    run: Any, monkeypatch: Any, tmp_path_factory: Any, tmp_path: Path, arguments: list[str], said: str, key: str
) -> None:
    clips = [stairs(name="a", caption="the red disc spins"), stairs(name="b", caption="the blue disc grows")]
    if arguments[0] == "before-after":
        model = Storyteller(story_words(tmp_path_factory.mktemp("told")))
        monkeypatch.setattr(registry, "load", lambda name, *a: model)
        monkeypatch.setattr(cli_order, "open_clip", lambda name: clips["ab".index(name[0])])
    monkeypatch.setattr(
        cli_order, "open_clips", lambda names, *a: (clips, [FALLS, RISES] if "--foil" in arguments else [])
    )
    code, out, err = run(*arguments, "-o", str(tmp_path / "a.png"), "--dpi", "40")
    assert code == 0 and said in out and "note: " in err and (tmp_path / "a.png").is_file()
    code, out, _ = run(*arguments, "--json")
    assert code == 0 and key in json.loads(out)


def test_a_pair_is_two_clips(run: Any) -> None:
    code, out, err = run("before-after", "a.mp4")
    assert code == 2 and out == "" and "two clips" in err and err.count("\n") == 1


def test_help_teaches(run: Any) -> None:
    for name in ("reorder", "compare-orders", "before-after", "recover-order"):
        assert f"  {name} " in run("--help")[1]
        assert f"vtexplore {name}" in run(name, "--help")[1].partition("xample")[2]
