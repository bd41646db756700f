"""The commands about published weights."""

import json
from pathlib import Path

import pytest
import stand_ins
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

import vtexplore.cli  # noqa: F401 (puts the commands into the app)
from vtexplore import registry
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
