"""The command line: exit codes, one sentence on stderr, one JSON document on stdout, no half files."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from toy import ToyAnswerer

import vtexplore.cli as cli
from vtexplore import registry
from vtexplore.world import sample_scene, write_mp4

load = registry.load  # the real one


@pytest.fixture
def run(monkeypatch: Any, typed: Any, toy_model: Any, toy_clip: Any) -> Any:
    """Run a command in this process, with the toy for a model and ``toy.mp4`` for a clip."""
    real, toys = cli._clip, {"violet": toy_model, "bridgeformer": ToyAnswerer(toy_model.inputs.vocabulary)}
    monkeypatch.setattr(registry, "load", lambda name, *a: toys.get(name) or registry.family(name))
    monkeypatch.setattr(cli, "_clip", lambda name: toy_clip if name == "toy.mp4" else real(name))
    return typed


def test_attend_saves_a_picture_and_says_what_it_shows(run: Any, tmp_path: Path) -> None:
    code, out, err = run("attend", "toy.mp4", "--word", "red", "-o", str(tmp_path / "a.png"), "--dpi", "50")
    assert code == 0 and "attention of 'red'" in out and "on the red disc" in out and "note: " in err
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == 640


def test_a_stretch_of_a_file_is_named_with_it(run: Any, tmp_path: Path) -> None:
    write_mp4(sample_scene(3), tmp_path / "a.mp4")
    code, out, _ = run("attend", f"{tmp_path}/a.mp4#t=1,2.5", "the red disc slides right", "--json")
    assert code == 0 and json.loads(out)["clip"] == "a.mp4#t=1,2.5"
    code, out, err = run("attend", f"{tmp_path}/a.mp4#t=1,99", "the red disc slides right", "--json")
    assert code == 2 and not out and "no stretch from 1 to 99 s" in err


def test_where_and_how_models_compute_is_said_before_the_command(run: Any, monkeypatch: Any, toy_model: Any) -> None:
    said: list[dict[str, str]] = []
    monkeypatch.setattr(registry, "load", lambda name, **how: said.append(how) or toy_model)
    assert run("--device", "cpu", "--precision", "bf16", "attend", "toy.mp4", "--json")[0] == 0
    assert run("attend", "toy.mp4", "--json")[0] == 0
    assert said == [{"device": "cpu", "precision": "bf16"}, {}]
    monkeypatch.setattr(registry, "load", load)
    code, out, err = run("--precision", "fp8", "attend", "toy.mp4")
    assert code == 2 and not out and err == "vtexplore: There is no precision 'fp8'. Use fp32, bf16, fp16 or auto.\n"


def test_json_is_all_there_is_on_stdout(run: Any) -> None:
    for command in (["attend", "toy.mp4"], ["fill", "toy.mp4", "--word", "red"], ["list"], ["show", "violet"]):
        code, out, _ = run(*command, "--json")
        assert code == 0 and json.loads(out)
    assert json.loads(run("attend", "toy.mp4", "--json")[1])["site"] == "layers.1"


def test_fill_asks_beside_others_and_frame_by_frame(run: Any, tmp_path: Path) -> None:
    asked = ["--word", "red", "--against", "2", "--frames", "--foil", "red", "--foil", "blue"]
    code, out, err = run("fill", "toy.mp4", *asked, "--json", "-o", str(tmp_path / "f.png"), "--dpi", "50")
    found = json.loads(out)
    assert code == 0 and len(found["other_clips"]) == 2 and (tmp_path / "f.png").exists()
    assert len(found["numbers"]["shapley"]) == 4 and found["numbers"]["contrast"] is not None
    assert found["among_foils"]["p"]["the clip"] > 0.5 and found["foils"] == ["red", "blue"]
    assert "not among the 11" not in err and run("fill", "toy.mp4", "--word", "red", "--foil", "elephant")[0] == 2


def test_list_and_show_read_the_registry(run: Any) -> None:
    _, out, _ = run("list")
    assert all(name in out for name in registry.names())
    for name in registry.names():
        code, out, _ = run("show", name)
        assert code == 0 and registry.family(name).arxiv in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["attend", "toy.mp4", "the red elephant"], "elephant"),
        (["attend", "toy.mp4", "--word", "green"], "no word 'green'"),
        (["attend", "toy.mp4", "--site", "nowhere"], "layers.0, layers.1"),
        (["attend", "absent.mp4", "the red disc"], "absent.mp4"),
        (["attend", "toy.mp4", "-o", "a.pdf"], "a.pdf"),
        (["attend", "world:x"], "world:3"),
        (["fill", "toy.mp4", "the red disc"], "[MASK]"),
        (["answer", "toy.mp4", "the red disc", "--phrase", "blue disc"], "no phrase"),
        (["answer", "toy.mp4", "the [red disc]", "--choice", "red disc"], "two of them or more"),
        (["retrieve", "absent"], "no such folder"),
        (["show", "viollet"], "violet"),
        (["world", "-o", "a.txt"], ".mp4"),
        (["world", "--count", "3", "-o", "a.mp4"], "--count"),
        (["tour", "absent.mp4"], "absent.mp4"),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_code_2(
    run: Any, tmp_path: Path, monkeypatch: Any, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*arguments)
    assert code == 2 and out == "" and err.startswith("vtexplore: ") and said in err
    assert "Traceback" not in err and err.count("\n") == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["attend"], ["attend", "toy.mp4", "--head", "-1"], ["nothing"]])
def test_wrong_usage_is_code_2(run: Any, arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2 and err and "Traceback" not in err


def test_control_c_is_130(run: Any, monkeypatch: Any) -> None:
    def stop(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_clip", stop)
    code, out, err = run("attend", "toy.mp4", "the red disc")
    assert (code, out) == (130, "") and "stopped" in err


def test_a_mistake_of_ours_is_not_hidden(run: Any, monkeypatch: Any) -> None:
    def broken(name: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "_clip", broken)
    monkeypatch.setattr(sys, "argv", ["vtexplore", "attend", "toy.mp4"])
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_help_teaches(run: Any) -> None:
    code, out, _ = run("--help")
    assert code == 0 and "vtexplore tour" in out
    for command in ("list", "show", "attend", "fill", "answer", "retrieve", "train", "evaluate", "world", "tour"):
        assert f"  {command} " in out
        code, shown, _ = run(command, "--help")
        assert code == 0 and f"vtexplore {command}" in shown.partition("xample")[2]


def test_a_scene_becomes_a_video_and_a_sheet(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("world", "--seed", "3", "--size", "64", "-o", str(tmp_path / "clip.mp4"))
    assert code == 0 and (tmp_path / "clip.mp4").stat().st_size > 1000 and out.startswith("3: ")
    code, out, _ = run("world", "--seed", "1", "--count", "2", "-o", str(tmp_path / "sheet.png"))
    with Image.open(tmp_path / "sheet.png") as image:
        assert code == 0 and image.size[0] == 1280
    assert len(json.loads(run("world", "--count", "3", "--json")[1])) == 3


def test_a_question_with_choices(run: Any, tmp_path: Path) -> None:
    question = ["answer", "toy.mp4", "the [red disc] slides right", "--choice", "red disc", "--choice", "blue square"]
    code, out, err = run(*question, "-o", str(tmp_path / "a.png"), "--dpi", "40")
    assert code == 0 and "the _____ slides right" in out and "note: " in err and (tmp_path / "a.png").is_file()
    code, out, _ = run(*question, "--kind", "options", "--json")
    assert code == 0 and json.loads(out)["choices"] == ["red disc", "blue square"]


def test_a_folder_is_searched(run: Any, tmp_path: Path) -> None:
    for number, text in enumerate(("the red disc", "the blue square")):
        write_mp4(sample_scene(number), tmp_path / f"{number}.mp4", 64)
        (tmp_path / f"{number}.json").write_text(json.dumps({"caption": text}))
    code, out, _ = run("retrieve", str(tmp_path), "the blue square", "-o", str(tmp_path / "hits.png"), "--dpi", "40")
    assert code == 0 and "Clips nearest to 'the blue square'" in out and (tmp_path / "hits.png").is_file()
    code, out, _ = run("retrieve", str(tmp_path), "--kind", "recalls", "--json")
    assert code == 0 and json.loads(out)["texts"] == ["the red disc", "the blue square"]


def test_the_tour_says_where_it_is(run: Any, tmp_path: Path) -> None:
    code, out, _ = run("tour", "toy.mp4", "-o", str(tmp_path / "t.html"))
    assert code == 0 and str(tmp_path / "t.html") in out and (tmp_path / "t.html").is_file()


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "vtexplore", "list", "--json"], capture_output=True, text=True)
    assert done.returncode == 0 and [page["name"] for page in json.loads(done.stdout)] == list(registry.names())


def test_a_family_without_a_miniature_is_one_sentence(run: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """It is listed and shown; what would need its weights says how to make them."""
    monkeypatch.setattr(registry, "load", load)
    monkeypatch.setattr(registry, "shipped", lambda name: False)
    monkeypatch.chdir(tmp_path)
    listed = {page["name"]: page for page in json.loads(run("list", "--json")[1])}
    for name in registry.names():
        assert listed[name]["miniature"] is False and "miniature: none is shipped yet" in run("show", name)[1]
        looks = (["attend", "toy.mp4"], ["fill", "toy.mp4"], ["tour", "toy.mp4"])
        for command in (*([*look, "-m", name] for look in looks), ["evaluate", name]):
            code, out, err = run(*command)
            assert (code, out, err.count("\n")) == (2, "", 1) and f"Make it: vtexplore train {name}" in err
    assert run("list")[1].count("no miniature yet") == len(registry.names()) and not list(tmp_path.iterdir())
