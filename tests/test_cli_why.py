"""Commands that ask why, with a model that can be taken apart by hand and ``noise.mp4`` for a clip."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_why import Evidence, noise_clip, one_patch

import vtexplore.cli_why as cli_why
from vtexplore import registry


@pytest.fixture
def run(monkeypatch: Any, typed: Any, toy_model: Any) -> Any:
    model, real = Evidence(toy_model.inputs.vocabulary, one_patch((1, 4, 2)), {"red": 1.0}), cli_why.open_clip
    monkeypatch.setattr(registry, "load", lambda name, *a: model)
    monkeypatch.setattr(cli_why, "open_clip", lambda name: noise_clip() if name == "noise.mp4" else real(name))
    return typed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "noise.mp4", "the red disc"], "it is strongest in frame 2"),
        (["explain", "noise.mp4", "--method", "occlusion", "--removal", "blur"], "'red' has most to do with it"),
        (["faithfulness", "noise.mp4", "--method", "ig", "--method", "raw"], "integrated gradients: deletion -"),
    ],
)
def test_each_says_what_its_picture_shows(run: Any, tmp_path: Path, arguments: list[str], said: str) -> None:
    code, out, err = run(*arguments, "-o", str(tmp_path / "a.png"), "--dpi", "40")
    assert code == 0 and said in out and "note: " in err and (tmp_path / "a.png").is_file()
    if arguments[0] == "explain":
        code, out, _ = run(*arguments, "--json")
        assert code == 0 and json.loads(out)["about"]["model"] == "evidence"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["explain", "noise.mp4", "--method", "magic"], "there are raw"),
        (["explain", "noise.mp4", "--method", "raw", "--removal", "blur"], "no option 'removal'"),
        (["explain", "noise.mp4", "--word", "red"], "masked words"),
        (["faithfulness", "noise.mp4", "--method", "magic"], "there are raw"),
        (["explain", "noise.mp4", "-o", "a.pdf"], "a.pdf"),
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
    for command in ("explain", "faithfulness"):
        assert f"  {command} " in out
        code, shown, _ = run(command, "--help")
        assert code == 0 and f"vtexplore {command}" in shown.partition("xample")[2]
