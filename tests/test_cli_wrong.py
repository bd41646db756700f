"""Commands about order and foils that are given nothing, one thing alone, or the same thing twice."""

import json
from pathlib import Path
from typing import Any

import pytest
from toy_order import FALLS, RISES, Judge, story_words

from vtexplore import registry
from vtexplore.world import sample_scene, write_mp4

FOLDERS: dict[str, dict[str, str] | None] = {
    "empty": None,
    "mute": {},
    "same": {"caption": RISES, "false": f" {RISES.title()}.", "blank": " "},
    "fine": {"caption": RISES, "false": FALLS},
}
COMPARE, RECOVER, FOILS = ["compare-orders"], ["recover-order"], ["foils", "--foil", "false"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips in each: nothing at all, untold, with foils that are captions, and as they should be."""
    where = tmp_path_factory.mktemp("folders")
    write_mp4(sample_scene(3), where / "clip.mp4", 64)
    video = (where / "clip.mp4").read_bytes()
    (where / "clip.mp4").unlink()
    for name, told in FOLDERS.items():
        (where / name).mkdir()
        for clip in "ab" if told is not None else "":
            (where / name / f"{clip}.mp4").write_bytes(video)
            if told:
                (where / name / f"{clip}.json").write_text(json.dumps(told))
    return where


@pytest.fixture
def run(monkeypatch: Any, typed: Any, folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    model = Judge(story_words(tmp_path_factory.mktemp("story")))
    monkeypatch.setattr(registry, "load", lambda name, *a: model)
    monkeypatch.chdir(folders)
    return typed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        *(([*one, "empty"], "no video in this folder") for one in (COMPARE, RECOVER, FOILS, ["masked-words"])),
        *(([*one, "world:5..3"], "holds no scene") for one in (COMPARE, RECOVER, FOILS, ["masked-words"])),
        *(
            (one, "has no caption of its own")
            for one in ([*COMPARE, "mute"], [*RECOVER, "mute"], ["reorder", "mute/a.mp4"])
        ),
        ([*FOILS, "mute"], "{false}"),
        *(([*one, "same"], "is the text itself") for one in (FOILS, [*COMPARE, "--foil", "false"])),
        (["reorder", "same/a.mp4", RISES, "--foil", f"{RISES}."], "is the text itself"),
        (["foils", "fine", "--foil", "false", "--simple", "caption"], "is the text itself"),
        (["foils", "same", "--foil", "blank"], "is empty"),
        ([*COMPARE, "world:0..9", "--foil", "order"], "no foil of the kind 'order'"),
        (["before-after", "mute/a.mp4", "mute/b.mp4"], "what happens in each"),
        (["before-after", "fine/a.mp4", "fine/b.mp4"], "something else in each"),
        (["before-after", "fine/a.mp4", "fine/b.mp4", "--says", RISES, "--says", " "], "what happens in each"),
        (["before-after", "empty", "fine"], "this is a folder"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_cannot_be_compared_is_one_sentence_and_code_2(
    run: Any, folders: Path, arguments: list[str], said: str
) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and err.startswith("vtexplore: ") and said in err
    assert "Traceback" not in err and err.count("\n") == 1 and {p.name for p in folders.iterdir()} == set(FOLDERS)


@pytest.mark.parametrize(
    "arguments",
    [
        ["before-after", "--pairs", "0"],
        ["reorder", "fine/a.mp4", "--frames", "1"],
        ["reorder", "fine/a.mp4", "--draws", "0"],
        [*COMPARE, "fine", "--draws", "0"],
        [*RECOVER, "fine", "--frames", "1"],
        COMPARE,
        RECOVER,
        FOILS,
        ["foils", "fine"],
    ],
    ids=" ".join,
)
def test_none_of_a_thing_is_wrong_usage(run: Any, arguments: list[str]) -> None:
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and "Error: " in err and "Traceback" not in err


@pytest.mark.parametrize("command", [COMPARE, RECOVER, FOILS], ids=" ".join)
def test_one_clip_alone_is_a_case(run: Any, command: list[str]) -> None:
    code, out, err = run(*command, "fine/a.mp4")
    assert code == 0 and "1 clips" not in out + err and "1 clip shows a case, not a rate." in err
