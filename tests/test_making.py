"""The command that makes miniatures, in a few steps and into another folder: parts, words of video, a family."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from vtexplore import miniatures, registry
from vtexplore.assets import find
from vtexplore.blocks.clip_words import ClipWords
from vtexplore.weights import load_miniature

IN_WORDS = [
    n for n in registry.names() if isinstance(getattr(registry.build(n, device="meta"), "eyes", None), ClipWords)
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where miniatures are written; the shared parts that come with vtexplore lie there."""
    shutil.copytree(find("miniatures/shared"), tmp_path / "miniatures" / "shared")
    monkeypatch.setattr(miniatures, "find", lambda name: tmp_path / name)
    return tmp_path / "miniatures"


@pytest.mark.slow
@pytest.mark.parametrize("name", IN_WORDS)
def test_eyes_then_words_of_video_then_the_family(name: str, home: Path, tmp_path: Path) -> None:
    (home / "shared" / "s3d.safetensors").unlink(missing_ok=True)
    for _ in range(2):  # the second time, nothing is left to do
        miniatures.train("s3d", folder=tmp_path / "eyes", steps=2)
        miniatures.train(name, folder=tmp_path / "run", steps=2)
    part, card = (json.loads((home / f"{which}.json").read_text("utf-8")) for which in ("shared/s3d", name))
    assert {"action", "colour", "shape", "action%"} <= set(part["heldout"])
    assert "s3d" in card["shared"] and card["training"]
    model = registry.build(name)
    load_miniature(model, name, registry.family(name).parts, home)
    assert len(model.eyes.words) > 1, "a single word says nothing of a video"
    assert not any(p.requires_grad for p in model.eyes.parameters())


def test_words_of_video_are_found_once(tmp_path: Path) -> None:
    for name in IN_WORDS:
        torch.manual_seed(0)
        model = registry.build(name)
        found = miniatures.visual_words(model, 8, 0, tmp_path / name)
        (path,) = (tmp_path / name).iterdir()
        again = miniatures.visual_words(model, 8, 0, tmp_path / name)
        other = miniatures.visual_words(model, 8, 0, tmp_path / "other" / name)
        assert torch.equal(found.centroids, again.centroids) and torch.equal(found.centroids, other.centroids)
        path.unlink()
