"""Tables of many clips: every clip once, whoever is killed when, and the same table by one process or by two."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from toy_many import glance

import vtexplore
import vtexplore.cli as cli
from vtexplore.errors import ConfigError, TextError, Unsupported, VideoError
from vtexplore.many import Stopped, Table, over
from vtexplore.many.items import items
from vtexplore.many.question import Question, find, options_of, probes
from vtexplore.statistics import bootstrap
from vtexplore.world import sample_scene, write_mp4

HERE = Path(__file__).parent
WORLD = "world:0..11"


@pytest.fixture(scope="module")
def whole() -> Table:
    """What one process finds, without a disk."""
    return over(glance, None, WORLD, quiet=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two videos with captions, one that is damaged, one without a caption, one whose caption cannot be read."""
    where = tmp_path / "clips"
    where.mkdir()
    for number, name in enumerate(("a", "b", "mute", "odd")):
        write_mp4(sample_scene(number), where / f"{name}.mp4", 32)
    for name in ("a", "b", "cut"):
        (where / f"{name}.json").write_text(json.dumps({"caption": f"clip {name}", "foil": f"no clip {name}"}))
    (where / "cut.mp4").write_bytes((where / "a.mp4").read_bytes()[:900])
    (where / "odd.json").write_text("{")
    return where


def lines(out: Path) -> list[dict[str, Any]]:
    """Every line that was written, whole ones only."""
    found = []
    for path in sorted(Path(f"{out}.parts").glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found


# ── one process ───────────────────────────────────────────────────────────────────────────────────


def test_a_row_a_clip_in_order_and_a_file_that_says_the_same(whole: Table, tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    kept = over(glance, None, WORLD, out=out, quiet=True)
    assert kept.rows == whole.rows and [row["id"] for row in kept.rows] == [f"world:{i}" for i in range(12)]
    with out.open(newline="", encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [float(row["light"]) for row in written] == whole.column("light").tolist()
    assert list(written[0]) == ["id", "clip", "text", "light", "words", "rgb_0", "rgb_1", "rgb_2", "long", "error"]
    own = glance(None, sample_scene(7).clip())
    assert written[7]["text"] == own.text and float(written[7]["light"]) == own.light
    assert written[7]["long"] == str(own.long) and written[7]["error"] == ""


def test_what_is_done_is_not_asked_again(tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "t.csv"
    over(glance, None, "world:0..4", out=out, quiet=True)
    more = over(glance, None, "world:2..7", out=out, quiet=True)  # another list of the same run
    assert [line["key"][0] for line in lines(out)] == [f"world:{i}" for i in range(8)]
    assert [row["id"] for row in more.rows] == [f"world:{i}" for i in range(2, 8)]
    monkeypatch.setattr("toy_many.time.sleep", lambda s: pytest.fail("asked again"))
    assert over(glance, None, "world:0..7", out=out, quiet=True).column("words").tolist() == [
        len(sample_scene(i).caption.text.split()) for i in range(8)
    ]


@pytest.mark.parametrize("kept", [1, 25, 60, 10_000])
def test_a_line_that_was_cut_off_is_asked_again(whole: Table, tmp_path: Path, kept: int) -> None:
    out = tmp_path / "t.csv"
    over(glance, None, "world:0..4", out=out, quiet=True)
    shard = Path(f"{out}.parts") / "rank-0.jsonl"
    *before, last = shard.read_bytes().splitlines(keepends=True)
    shard.write_bytes(b"".join(before) + last[:-1][:kept])  # 10 000: all but the end of the line
    again = over(glance, None, WORLD, out=out, quiet=True)
    assert again.rows == whole.rows
    assert Counter(line["key"][0] for line in lines(out)) == Counter(f"world:{i}" for i in range(12))


def test_a_clip_that_cannot_be_asked_is_a_row(folder: Path, tmp_path: Path, capsys: Any) -> None:
    out = tmp_path / "t.csv"
    table = over(glance, None, [folder, folder / "absent.mp4"], out=out, quiet=True)
    rows = {Path(str(row["id"])).name: row for row in table.rows}
    assert list(rows) == ["a.mp4", "b.mp4", "cut.mp4", "mute.mp4", "odd.mp4", "absent.mp4"]
    said = {Path(name).name: error for name, error in table.errors.items()}
    assert "damaged" in said["cut.mp4"] and "no caption" in said["mute.mp4"] and "odd.json" in said["odd.mp4"]
    assert "absent.mp4" in said["absent.mp4"] and len(said) == 4 and "(4 failed)" in str(table)
    assert np.isnan(table.column("light")).tolist() == [False, False, True, True, True, True]
    assert table.summary["words"][:2] == (2, 2.0)
    # What was mended is asked again, because the file is another; the rest is not.
    (folder / "cut.mp4").write_bytes((folder / "b.mp4").read_bytes())
    (folder / "mute.json").write_text('{"caption": "now it speaks"}')
    again = over(glance, None, [folder, folder / "absent.mp4"], out=out, quiet=True)
    assert sorted(Path(name).name for name in again.errors) == ["absent.mp4", "odd.mp4"] and len(lines(out)) == 8


def test_errors_are_tried_again_when_asked_to(tmp_path: Path, monkeypatch: Any) -> None:
    out = tmp_path / "t.csv"
    real = Question.ask

    def fails_at_3(self: Question, model: Any, item: Any) -> Any:
        if item.id == "world:3":
            raise RuntimeError("the disk is away")
        return real(self, model, item)

    monkeypatch.setattr(Question, "ask", fails_at_3)
    assert over(glance, None, WORLD, out=out, quiet=True).errors == {"world:3": "RuntimeError: the disk is away"}
    monkeypatch.setattr(Question, "ask", real)
    assert over(glance, None, WORLD, out=out, quiet=True).errors
    assert not over(glance, None, WORLD, out=out, retry=True, quiet=True).errors and len(lines(out)) == 13


def test_another_run_is_refused(tmp_path: Path, toy_model: Any) -> None:
    out = tmp_path / "t.csv"
    over(glance, None, "world:0..1", out=out, quiet=True)
    before = out.read_bytes()
    with pytest.raises(ConfigError, match="options is .* not .*scale"):
        over(glance, None, "world:0..1", out=out, quiet=True, scale=2.0)
    with pytest.raises(ConfigError, match="model is 'NoneType', not 'toy'"):
        over(glance, toy_model, "world:0..1", out=out, quiet=True)
    with pytest.raises(ConfigError, match="probe is 'glance', not 'fill_mask'"):
        over("fill_mask", None, "world:0..1", out=out, quiet=True, word=1)
    assert out.read_bytes() == before and len(lines(out)) == 2


def test_other_weights_are_another_run(tmp_path: Path) -> None:
    net = torch.nn.Linear(2, 2).to(torch.bfloat16)
    over(glance, net, "world:0..1", out=tmp_path / "t.csv", quiet=True)
    over(glance, net, "world:0..2", out=tmp_path / "t.csv", quiet=True)
    with torch.no_grad():
        net.weight[0, 0] += 1
    with pytest.raises(ConfigError, match="weights"):
        over(glance, net, "world:0..2", out=tmp_path / "t.csv", quiet=True)


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"scael": 1}, ConfigError, "Did you mean scale"),
        ({"scale": -1.0}, ConfigError, "darker than black"),
        ({"scale": "bright"}, TypeError, "not supported"),
        ({"text": "{nothing}"}, ConfigError, "as {nothing}; there is caption"),
        ({"out": "t.txt"}, ConfigError, "t.txt"),
        ({"split": "test"}, ConfigError, "heldout"),
    ],
)
def test_bad_options_end_it_before_anything_is_written(
    tmp_path: Path, monkeypatch: Any, options: dict[str, Any], error: type[Exception], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=said):
        over(glance, None, "world:0..3", **{"out": "t.csv", "quiet": True} | options)
    assert not list(tmp_path.iterdir())


def test_a_model_that_cannot_is_found_out_at_once(tmp_path: Path, toy_answerer: Any, toy_clip: Any) -> None:
    with pytest.raises(Unsupported):
        over("match", toy_answerer, [toy_clip], out=tmp_path / "t.csv", texts=["the red disc", "a square"], quiet=True)
    assert not list(tmp_path.iterdir())


def test_control_c_says_what_is_kept(tmp_path: Path, monkeypatch: Any) -> None:
    real = Question.ask

    def stop_at_5(self: Question, model: Any, item: Any) -> Any:
        if item.id == "world:5":
            raise KeyboardInterrupt
        return real(self, model, item)

    monkeypatch.setattr(Question, "ask", stop_at_5)
    with pytest.raises(Stopped, match="5 of 12 clips are done and kept"):
        over(glance, None, WORLD, out=tmp_path / "t.csv", quiet=True)
    with pytest.raises(Stopped, match="Nothing was kept"):
        over(glance, None, WORLD, quiet=True)
    assert len(lines(tmp_path / "t.csv")) == 5 and not (tmp_path / "t.csv").exists()


# ── which clips ───────────────────────────────────────────────────────────────────────────────────


def test_ids_are_unique_and_two_questions_of_a_file_share_its_clip(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "ask.csv"
    table.write_text("path,text,scale,why\nclips/a.mp4,one,,x\nclips/a.mp4,two words,2,y\nworld:3,,,\n", "utf-8")
    found = over(glance, None, table, quiet=True)
    assert [row["id"] for row in found.rows] == ["clips/a.mp4", "clips/a.mp4#2", "world:3"]
    assert [row["clip"] for row in found.rows] == ["clips/a.mp4", "clips/a.mp4", "world:3"]
    assert found.column("words").tolist()[:2] == [1, 2] and found.rows[2]["text"] == sample_scene(3).caption.text
    one, two, _ = found.column("light")
    assert two == pytest.approx(2 * one) and found.summary["light"][0] == 2  # clips, not rows


def test_clips_of_one_name_are_different_clips() -> None:
    clips = [replace(sample_scene(i).clip(), name="clip") for i in range(3)]
    table = over(glance, None, (clip for clip in clips), quiet=True)
    assert [row["clip"] for row in table.rows] == ["clip", "clip#2", "clip#3"]


def test_a_split_of_the_world_has_its_own_scenes() -> None:
    train, heldout = items("world:4"), items("world:4", "heldout")
    assert train[0].id != heldout[0].id and heldout[0].open().caption == sample_scene(4, "heldout").caption.text


@pytest.mark.parametrize(
    ("clips", "error", "said"),
    [
        ("world:9..2", ConfigError, "second number"),
        ("world:x", ConfigError, "world:0..99"),
        ("nowhere", VideoError, "no such file or folder"),
        ([], ConfigError, "no clip to ask"),
        ("absent.csv", ConfigError, "absent.csv"),
        ("bare.csv", ConfigError, "'path' among them"),
        ("wide.csv", ConfigError, "row 2"),
    ],
)
def test_what_is_no_clip_is_said(tmp_path: Path, monkeypatch: Any, clips: Any, error: Any, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bare.csv").write_text("file,text\na.mp4,b\n")
    Path("wide.csv").write_text("path,text\na.mp4,b,c\n")
    with pytest.raises(error, match=said):
        items(clips)


# ── which question ────────────────────────────────────────────────────────────────────────────────


def test_every_probe_of_one_clip_is_there_unlisted() -> None:
    found = probes()
    assert {"attend", "fill_mask", "match", "answer", "masking", "cloze", "fill_codes", "forecast"} <= set(found)
    assert not {"retrieve", "illustrate", "compare_masking", "read_video", "over"} & set(found)
    assert find("fill-mask") is vtexplore.fill_mask and find("toy_many:glance") is glance
    for wrong, said in (
        ("fill_maks", "fill_mask"),
        ("toy_many:nothing", "imported"),
        ("toy_many:not_a_probe", "first"),
    ):
        with pytest.raises(ConfigError, match=said):
            find(wrong)


def test_options_are_read_as_the_probe_wants_them() -> None:
    assert options_of(find("fill_mask"), ["word=3", "top=2", "nulls=no clip"]) == {
        "word": 3,
        "top": 2,
        "nulls": ["no clip"],
    }
    assert options_of(find("attend"), ["site=1", "head=null"]) == {"site": "1", "head": None}
    assert options_of(find("fill_codes"), ["box=[0, 0, 1, 0.5]"]) == {"box": (0, 0, 1, 0.5)}
    assert options_of(find("match"), ["texts=a b", "texts=c"]) == {"texts": ["a b", "c"]}
    others = options_of(find("match"), ["texts=a", "against=world:1..2"])["against"]
    assert [clip.name for clip in others] == [sample_scene(i).caption.text for i in (1, 2)]
    assert options_of(glance, ["scale=2", "at=7", "refuse=7"]) == {"scale": 2, "at": 7, "refuse": "7"}


@pytest.mark.parametrize(
    ("given", "said"),
    [("top", "key=value"), ("top=many", "int is wanted"), ("top=true", "int"), ("wrod=red", "word")],
)
def test_options_that_cannot_be_read(given: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        options_of(find("fill_mask"), [given])


def test_what_is_said_of_a_clip_stands_in_braces(folder: Path, toy_model: Any, toy_clip: Any) -> None:
    said = items(folder / "a.mp4")[0].say
    assert (said("caption"), said("foil")) == ("clip a", "no clip a")
    scene = items("world:5")[0]
    assert scene.say("caption") == sample_scene(5).caption.text != scene.say("colour")
    table = over("match", toy_model, [toy_clip], texts=["{caption}", "the blue square slides right"], quiet=True)
    assert table.rows[0]["text"] == toy_clip.caption
    with pytest.raises(ConfigError, match="needs an option texts"):
        over("match", toy_model, [toy_clip], quiet=True)


def test_a_foil_that_a_scene_has_not_got_is_an_error_of_its_row() -> None:
    lacking = next(i for i in range(50) if sample_scene(i).foil("order", i) is None)
    with pytest.raises(TextError, match="no foil"):
        items(f"world:{lacking}")[0].say("order")
    assert (
        "no foil"
        in over(glance, None, f"world:{lacking}..{lacking + 1}", text="{order}", quiet=True).errors.popitem()[1]
    )


# ── what a row says ───────────────────────────────────────────────────────────────────────────────


def test_a_result_says_its_single_numbers_and_short_lists() -> None:
    result = glance(None, sample_scene(0).clip())
    row = result.row()
    assert row["light"] == result.light and row["rgb_2"] == result.rgb[2] and row["long"] is result.long
    assert set(row) == {"text", "light", "words", "rgb_0", "rgb_1", "rgb_2", "long"}


def test_rows_say_what_results_say(toy_model: Any, toy_answerer: Any, toy_clip: Any) -> None:
    filled = vtexplore.fill_mask(toy_model, toy_clip, word="red")
    row = filled.row()
    assert (row["answer"], row["right"], row["rank"]) == ("red", filled.top(1)[0][0] == "red", filled.rank("red"))
    assert row["lift"] == filled.lift() and row["p_no_clip"] == filled.probability("red", "no clip")
    assert "answer" not in vtexplore.fill_mask(toy_model, toy_clip, "a [MASK] square").row()

    matched = vtexplore.match(toy_model, toy_clip, ["the red disc", "the blue square"], against=[toy_clip])
    row = matched.row()
    assert row["margin"] == matched.margin() and row["score_1"] == matched.score[1]
    assert row["best"] == matched.best and row["beyond_0"] == pytest.approx(0, abs=1e-4)

    looked = vtexplore.attend(toy_model, toy_clip)
    row = looked.row()
    masses = {word: looked.score(word)["mass"] for word in ("red", "disc", "slides", "blue", "square")}
    assert {word: row[f"mass_{word}"] for word in masses} == masses and masses["red"] > 5 * masses["disc"]
    assert row["mass"] == pytest.approx(np.mean(list(masses.values()))) and row["words"] == 5
    assert row["look"] == "layers.1 head 1"
    assert "mass" not in vtexplore.attend(toy_model, replace(toy_clip, truth=None)).row()

    answered = vtexplore.answer(
        toy_answerer, toy_clip, "the [red disc] slides right", choices=["red disc", "blue square"]
    )
    row = answered.row()
    assert row["right"] == (answered.best == "red disc") and row["lift"] == answered.lift()
    assert row["p_no_clip"] == answered.probability("red disc", "no clip")
    assert row["margin"] == pytest.approx(float(answered.scores[0, 0] - answered.scores[0, 1]))

    hidden = vtexplore.masking(toy_model, toy_clip, draws=20).row()
    assert 0 < hidden["hidden_attended"] < 1 and 0 <= hidden["content_random"] <= 1


def test_rows_of_who_reads_words_of_video() -> None:
    clip = sample_scene(3).clip()
    model = fresh("videobert")
    codes = vtexplore.fill_codes(model, clip, frame=1)
    assert codes.row()["right"] == codes.right()["the model"] and codes.row()["hidden"] == 1
    read = vtexplore.read_words(model, clip, draw=lambda m, i: np.zeros((1, 8, 8, 3), np.uint8))
    assert read.row()["codes"].split() == [str(c) for c in read.codes]
    told = vtexplore.cloze(model, clip, "the [MASK] [MASK] [MASK]")
    right = [told.right(gap) for gap in range(3)]
    assert told.row()["right"] == pytest.approx(np.mean(right)) and told.row()["right_2"] == right[2]
    ahead = vtexplore.forecast(model, clip, at=0, ahead=(1,), draw=lambda m, i: np.zeros((1, 8, 8, 3), np.uint8))
    assert ahead.row()["p_1"] == pytest.approx(float(ahead.p[0, ahead.truth[0]]))


# ── what they say together ────────────────────────────────────────────────────────────────────────


def test_means_are_over_clips(whole: Table) -> None:
    light = np.array([row["light"] for row in whole.rows])
    expected = [float(v[0]) for v in bootstrap(light[:, None], np.arange(12))]
    assert whole.mean("light")[0] == pytest.approx(light.mean()) and whole.mean("long")[0] == np.mean(
        [row["long"] for row in whole.rows]
    )
    low, high = whole.mean("light")[1:]
    assert low < light.mean() < high and (low, high) == pytest.approx(expected[1:], rel=0.05)
    for name in ("text", "nothing", "error"):
        with pytest.raises(ConfigError, match="no column of numbers"):
            whole.mean(name)
    assert whole.to_dict()["columns"]["light"]["clips"] == 12 and "12 clips show cases" in whole.notes[0]
    assert "Only a glance." in whole.notes


def test_two_tables_are_compared_clip_by_clip(whole: Table) -> None:
    brighter = over(glance, None, "world:2..11", scale=1.5, quiet=True)
    mean, low, high, p = brighter.versus(whole, "light")
    assert mean == pytest.approx(0.5 * whole.column("light")[2:].mean()) and 0 < low < mean < high
    assert p == pytest.approx(2 / 2**10)  # every clip became brighter: all signs as they are, or all turned
    with pytest.raises(ConfigError, match="No clip has"):
        whole.versus(over(glance, None, "world:90", quiet=True), "light")


def test_a_table_writes_what_has_no_value_as_nothing(tmp_path: Path) -> None:
    rows = (
        {"id": "a", "clip": "a", "x": float("nan"), "said": 'so, "so"\nand é'},
        {"id": "b", "clip": "b", "error": "e"},
    )
    table = Table(rows, {}, ())
    table.save(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["id", "clip", "x", "said", "error"],
            ["a", "a", "", 'so, "so"\nand é', ""],
            ["b", "b", "", "", "e"],
        ]
    assert table.column("said").tolist() == ['so, "so"\nand é', ""] and table.summary == {}
    with pytest.raises(ConfigError, match="no column 'y'"):
        table.column("y")


# ── real processes ────────────────────────────────────────────────────────────────────────────────

PAIR = """
import os, sys; sys.path.insert(0, {here!r})
from pathlib import Path
from toy_many import glance
from vtexplore import over
Path({told!r}, os.environ["RANK"]).write_text(str(os.getpid()))
table = over(glance, None, "world:0..39", out={out!r}, quiet=True)
"""


def until(true: Callable[[], bool], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3] if Path("/proc").is_dir() else True


@pytest.mark.slow
def test_kill_9_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    """Two real processes, really killed; one process goes on."""
    out, told, script = tmp_path / "t.csv", tmp_path / "told", tmp_path / "pair.py"
    told.mkdir()
    script.write_text(PAIR.format(here=str(HERE), told=str(told), out=str(out)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    group = subprocess.Popen(command, env={**os.environ, "GLANCE_S": "0.25"}, stderr=subprocess.DEVNULL)
    shards = [Path(f"{out}.parts") / f"rank-{rank}.jsonl" for rank in range(2)]
    until(lambda: all(s.is_file() and s.read_bytes().count(b"\n") > 2 for s in shards) or group.poll() is not None)
    group.kill()  # first who would clean up after the others
    for pid in told.iterdir():
        os.kill(int(pid.read_text()), signal.SIGKILL)
    group.wait()
    before = Counter(line["key"][0] for line in lines(out))
    assert 6 <= len(before) < 40 and set(before.values()) == {1} and not out.exists()
    of_each = [
        {json.loads(line)["key"][0] for line in s.read_bytes().splitlines(True) if b"\n" in line} for s in shards
    ]
    assert all(of_each) and not of_each[0] & of_each[1], "two processes that believe they are alone ask the same"
    resumed = over(glance, None, "world:0..39", out=out, quiet=True)
    assert Counter(line["key"][0] for line in lines(out)) == Counter(f"world:{i}" for i in range(40))
    alone = over(glance, None, "world:0..39", quiet=True)
    alone.save(tmp_path / "alone.csv")
    assert resumed.rows == alone.rows and out.read_bytes() == (tmp_path / "alone.csv").read_bytes()


def command_line(*arguments: str, glance_s: str = "0", **options: Any) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": paths, "GLANCE_S": glance_s}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def hear_control_c() -> None:  # a shell's background jobs are started deaf to it, and so are their children
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    command = [sys.executable, "-m", "vtexplore", "probe", *arguments]
    return subprocess.Popen(command, env=environment, preexec_fn=hear_control_c, **pipes, **options)


@pytest.mark.slow
def test_two_processes_make_the_table_of_one(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    done = command_line("toy_many:glance", "world:0..7", "-o", str(out), "--processes", "2", "--json")
    said, err = done.communicate()
    assert done.returncode == 0, err
    assert json.loads(said)["rows"] == 8, "one document, of the main process"
    shards = sorted(Path(f"{out}.parts").glob("rank-*.jsonl"))
    assert [s.read_bytes().count(b"\n") for s in shards] == [4, 4]
    over(glance, None, "world:0..7", quiet=True).save(tmp_path / "alone.csv")
    assert out.read_bytes() == (tmp_path / "alone.csv").read_bytes() and "100%" in err


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_control_c_keeps_rows_and_leaves_nobody_behind(tmp_path: Path, processes: str) -> None:
    out = tmp_path / "t.csv"
    arguments = ("toy_many:glance", "world:0..199", "-o", str(out), "--processes", processes)
    running = command_line(*arguments, glance_s="0.2", start_new_session=True)
    until(lambda: len(lines(out)) > 3 or running.poll() is not None)
    os.killpg(running.pid, signal.SIGINT)  # as a terminal does
    said, err = running.communicate(timeout=300)
    kept = len(lines(out))
    assert running.returncode == 130 and said == "" and not out.exists(), err
    assert f"{kept} of 200 clips are done and kept" in err or processes == "2"
    time.sleep(1)
    assert 3 < len(lines(out)) == kept < 200, "somebody still writes"


# ── the command ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def run(monkeypatch: Any, capsys: Any) -> Any:
    """Run a command in this process, without a model."""
    monkeypatch.setattr("vtexplore.registry.load", lambda name, device="cpu": None)

    def inner(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vtexplore", "probe", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return inner


def test_the_command_says_what_it_found(run: Any, folder: Path, tmp_path: Path, whole: Table) -> None:
    out = str(tmp_path / "t.csv")
    code, said, err = run("toy_many:glance", WORLD, "-o", out)
    assert code == 0 and "light" in said and f"saved: {out}" in said and "note: 12 clips" in err
    code, said, err = run("toy_many:glance", str(folder), "-o", str(tmp_path / "u.csv"), "--json", "-p", "scale=2")
    told = json.loads(said)
    assert code == 0 and told["failed"] == 3 and told["columns"]["words"]["mean"] == 2
    assert err.count("failed: ") == 3 and "cut.mp4" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing", WORLD], "There is no probe"),
        (["toy_many:glance", "nowhere"], "no such file or folder"),
        (["toy_many:glance", WORLD, "-p", "scale=bright"], "float is wanted"),
        (["toy_many:glance", WORLD, "-p", "scale=-1"], "darker than black"),
        (["toy_many:glance", WORLD, "-o", "t.txt"], "t.txt"),
        (["toy_many:glance", WORLD, "--processes", "2"], "--out table.csv"),
        (["match", WORLD], "texts"),
    ],
)
def test_what_goes_wrong_is_code_2(run: Any, tmp_path: Path, monkeypatch: Any, arguments: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and said in err and err.count("\n") == 1 and not list(tmp_path.iterdir())


def test_not_one_clip_is_code_2_and_a_table_of_errors(run: Any, folder: Path, tmp_path: Path) -> None:
    code, out, err = run("toy_many:glance", str(folder / "cut.mp4"), "-o", str(tmp_path / "t.csv"))
    assert code == 2 and "Not one clip" in err and "damaged" in (tmp_path / "t.csv").read_text()


def test_help_teaches(run: Any) -> None:
    code, out, _ = run("--help")
    assert code == 0 and "accelerate launch -m vtexplore probe" in out and "vtexplore probe fill_mask" in out
