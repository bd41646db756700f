"""The commands about published weights."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
import stand_ins
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import vtexplore.cli  # noqa: F401 (puts the commands into the app)
from vtexplore import registry
from vtexplore.published.layout import Layout
from vtexplore.terminal import app


def run(*arguments: object) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments])
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


def test_the_list_names_every_file_its_licence_and_whether_it_is_here(tmp_path: Path) -> None:
    code, out, _ = run("weights")
    assert code == 0
    for name in registry.publications():
        known = registry.published(name)
        assert known.title in out
        for file in known.files:
            assert file.name in out and file.licence in out and file.source in out
    assert "in the cache" not in out
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "MCQ.pth").write_bytes(b"x")
    rows = json.loads(run("weights", "bridgeformer", "--json")[1])["bridgeformer"]
    assert [row["cached"] for row in rows] == [True, False]
    assert all(row["how"] for row in rows)


def test_a_file_is_fetched_or_explained(tmp_path: Path) -> None:
    code, out, err = run("weights", "bridgeformer", "--fetch", "MCQ.pth")
    assert (code, out) == (2, "") and "drive.google.com" in err and err.count("\n") == 1
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    (tmp_path / "hub" / "checkpoints" / "MCQ.pth").write_bytes(b"x")
    code, out, _ = run("weights", "bridgeformer", "--fetch", "MCQ.pth")
    assert code == 0 and "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" in out
    assert "no checksum is published" in out
    code, _, err = run("weights", "bridgeformer", "--fetch", "MQC.pth")
    assert code == 2 and "it has MCQ.pth, MCQ_CLIP.pth" in err
    assert run("weights", "--fetch", "MCQ.pth")[0] == 2


def test_what_a_family_would_use_of_a_file(tmp_path: Path) -> None:
    tensors = stand_ins.tensors_of("s3d_kinetics")
    stand_ins.write(tmp_path / "s3d.pt", "s3d_kinetics", tensors)
    code, out, _ = run("weights", "s3d", "--file", tmp_path / "s3d.pt")
    assert code == 0 and f"used: {len(tensors)} tensors" in out and "'module.' is left out" in out
    report = json.loads(run("weights", "s3d", "--file", tmp_path / "s3d.pt", "--json")[1])
    assert report["missing"] == [] and report["files"] == {"s3d.pt": "Kinetics"}
    code, out, err = run("weights", "hero", "--file", tmp_path / "s3d.pt")
    assert (code, out) == (2, "") and "s3d.pt is a file of S3D, not of HERO" in err


def test_a_pickle_becomes_safetensors(tmp_path: Path) -> None:
    stand_ins.trainer(tmp_path / "a.pth", {"w": torch.ones(2)})
    code, out, _ = run("convert", tmp_path / "a.pth")
    assert code == 0 and "left out: arch, epoch, optimizer, monitor_best, config" in out
    assert load_file(tmp_path / "a.safetensors")["w"].tolist() == [1, 1]
    told = json.loads(run("convert", tmp_path / "a.pth", "-o", tmp_path / "b.safetensors", "--json")[1])
    assert told["tensors"] == 1 and Path(told["saved"]).exists()
    assert run("convert", tmp_path / "a.pth", "-o", tmp_path / "c.pt")[0] == 2
    code, out, err = run("convert", tmp_path / "none.pth", "-o", tmp_path / "d.safetensors")
    assert (code, out) == (2, "") and err.startswith("vtexplore: There is no file")
    assert {p.name for p in tmp_path.iterdir()} == {"a.pth", "a.safetensors", "b.safetensors"}


# ── --weights of the other commands ──


def test_every_command_that_takes_a_family_takes_other_weights() -> None:
    from typer.main import get_command

    commands = get_command(app).commands  # type: ignore[attr-defined]
    options = {name: {param.name for param in one.params} for name, one in commands.items()}
    taking = {name for name, params in options.items() if "model" in params}
    assert {"attend", "fill", "answer", "retrieve", "reorder", "explain", "probe", "tour", "cloze"} <= taking
    assert {name for name in taking if "weights" not in options[name]} == set()


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of VIOLET's own names at the miniature's size, as if its authors had published such files."""
    state = registry.build("violet", dvae=None).state_dict()
    layout = Layout("small", "", [("(.+)", r"\1")], lambda shapes: set(shapes) == set(state), "mini", {"dvae": None})
    known = replace(registry.published("violet"), layouts=(layout,))
    monkeypatch.setattr(registry, "published", lambda name: known)
    torch.save(state, tmp_path / "mine.pt")
    return tmp_path / "mine.pt"


def test_a_probe_asks_the_weights_of_a_file(mine: Path) -> None:
    code, out, _ = run("attend", "world:3", "--weights", mine, "--json")
    told = json.loads(out)["about"]
    assert code == 0 and told["weights"] == sha256(mine.read_bytes()).hexdigest()
    asked = ("-p", "texts={caption}", "-p", "texts={colour}", "--weights", mine, "--json")
    code, out, err = run("probe", "match", "world:0..1", *asked)
    assert code == 0, err
    assert json.loads(out)["weights"] == told["weights"]


def test_weights_that_cannot_be_had_are_one_sentence(tmp_path: Path) -> None:
    stand_ins.write(tmp_path / "s3d.pt", "s3d_kinetics", stand_ins.tensors_of("s3d_kinetics"))
    for given, said in (
        (tmp_path / "s3d.pt", "s3d.pt is a file of S3D, not of VIOLET"),
        (tmp_path / "none.pt", "There is no file"),
        ("published", "ckpt_violet_pretrain.pt is not on this machine"),
    ):
        picture = tmp_path / "a.png"
        code, out, err = run("attend", "world:3", "--weights", given, "-o", picture)
        assert (code, out) == (2, "") and said in err and err.count("\n") == 1 and not picture.exists()
