"""Commands for many clips of the world, with a toy for a model."""

import json
from pathlib import Path
from typing import Any

import pytest

import vtexplore.cli_many as cli_many
from vtexplore import registry


@pytest.fixture
def run(monkeypatch: Any, typed: Any, toy_model: Any, toy_clip: Any) -> Any:
    monkeypatch.setattr(registry, "load", lambda name, *a: toy_model)
    monkeypatch.setattr(registry, "build", lambda name, *a: toy_model)
    lie = "the blue square slides right"
    monkeypatch.setattr(cli_many, "open_clips", lambda names, split, foil=None: ([toy_clip] * 3, [lie] * 3))
    return typed


@pytest.mark.parametrize(
    ("arguments", "said", "key"),
    [
        (["masked-words", "clips/", "--others", "2", "--floor"], "colour", "classes"),
        (["foils", "clips/", "--foil", "order", "--simple", "colour"], "(P+T)", "shares"),
    ],
)
def test_each_says_what_its_picture_shows(run: Any, tmp_path: Path, arguments: list[str], said: str, key: str) -> None:
    code, out, err = run(*arguments, "-o", str(tmp_path / "a.png"), "--dpi", "40")
    assert code == 0 and said in out and "note: " in err and (tmp_path / "a.png").is_file()
    code, out, _ = run(*arguments, "--json")
    assert code == 0 and key in json.loads(out)


def test_help_teaches(run: Any) -> None:
    for name in ("masked-words", "foils"):
        assert f"  {name} " in run("--help")[1]
        assert f"vtexplore {name}" in run(name, "--help")[1].partition("xample")[2]


def test_a_foil_of_an_unknown_kind_is_one_sentence() -> None:
    from vtexplore.errors import ConfigError
    from vtexplore.terminal import open_clips

    with pytest.raises(ConfigError, match="colour"):
        open_clips(["world:0..1"], "heldout", "love")
    clips, foils = open_clips(["world:0..1"], "heldout", "colour")
    assert len(clips) == len(foils) == 2 and foils[0] != clips[0].caption
