"""What holds for every guest: read from the folder, so that a new page is tested unseen."""

from pathlib import Path
from typing import Any

import pytest
import torch
from guest_makers import made
from torch import Tensor

from vtexplore import guests
from vtexplore.data.prepare import prepare
from vtexplore.data.text import vocabulary
from vtexplore.record import record
from vtexplore.testing import check_model
from vtexplore.types import Batch

TEXTS = ("the red disc slides right", "a blue square, and still.")
CLASSES = [(name, cls) for name in guests.names() for cls in guests.kind_of(name).classes]
every = pytest.mark.parametrize("name", guests.names())


@pytest.fixture(params=CLASSES, ids=lambda pair: pair[1])
def guest(request: Any, tmp_path: Path) -> Any:
    return made(request.param[0], tmp_path, request.param[1])


def batch_of(guest: Any, clip: Any) -> Batch:
    return prepare([clip, clip], list(TEXTS), guest.inputs)


def tensors(out: Any) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out]
    if isinstance(out, dict):
        out = tuple(out.values())
    return [t for part in out for t in tensors(part)] if isinstance(out, tuple | list) else []


def raw(guest: Any, batch: Batch, tokenizer: Any) -> dict[str, Tensor]:
    """The batch by transformers' own names, made without the guest."""
    frames, wants = batch.video.shape[1], guest.wants
    mean, std = (torch.tensor(x).view(3, 1, 1) for x in (guest.looking.mean, guest.looking.std))
    pixels = (batch.video - mean) / std
    out: dict[str, Tensor] = {}
    each = 1
    if wants.frames is None and wants.grid != (0, 1, 1):
        pixels = pixels.flatten(0, 1)
    if wants.grid != (0, 1, 1):
        out["pixel_values"] = pixels
    if wants.words and wants.frames is None and guest.name != "clip":
        each = frames
    if wants.regions:
        boxes, features = guest.detector(batch.video)
        names = {"lxmert": ("visual_pos", "visual_feats")}.get(guest.name, ("", "visual_embeds"))
        out |= {name: x.flatten(0, 1) for name, x in zip(names, (boxes, features), strict=True) if name}
    if wants.words:
        told = tokenizer(
            [t for t in TEXTS for _ in range(each)],
            padding="max_length", max_length=guest.inputs.max_words, return_tensors="pt",
        )  # fmt: skip
        out |= {name: told[name] for name in ("input_ids", "attention_mask")}
    return out


@torch.no_grad()
def test_a_guest_says_what_the_model_says(guest: Any, toy_clip: Any) -> None:
    """Texts cut by the tokenizer itself, pixels normalised by hand: the very same outputs."""
    batch = batch_of(guest, toy_clip)
    tokenizer = getattr(vocabulary(guest.inputs.vocabulary), "tokenizer", None)
    ours = tensors(guest.run(guest.kind.feed(guest, batch), batch).to_tuple())
    given = raw(guest, batch, tokenizer)
    with guest.kind.around(guest, batch):
        theirs = tensors(guest.model(**given).to_tuple())
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


@torch.no_grad()
def test_maps_are_those_of_eager(guest: Any, toy_clip: Any) -> None:
    """Every map that transformers returns, found among the sites; the default kernel stays in use."""
    batch = batch_of(guest, toy_clip)
    before = guest.model.config._attn_implementation
    found = record(guest, batch, rows="all").attention
    assert guest.model.config._attn_implementation == before
    maps = [a.weights if a.groups is None else a.weights.transpose(1, 2).flatten(0, 1) for a in found.values()]
    guest.model.set_attn_implementation("eager")
    feed = guest.kind.feed(guest, batch)
    with guest.kind.around(guest, batch):
        out = guest.model(**feed.inputs, output_attentions=True)
    theirs = [t for name in out if "attentions" in name for t in tensors(out[name])]
    theirs += [t for name in out if "model_output" in name for t in tensors(out[name].attentions)]
    assert theirs
    for one in theirs:
        near = [i for i, m in enumerate(maps) if m.shape == one.shape and torch.allclose(m, one, atol=1e-5)]
        assert near, one.shape
        del maps[near[0]]


def test_a_guest_keeps_its_promises(guest: Any, toy_clip: Any) -> None:
    if guest.size in {"ViltModel", "BridgeTowerModel", "LxmertModel", "VisualBertModel"}:
        pytest.skip("no head")
    kept = check_model(guest, toy_clip, TEXTS[0])
    assert len(kept.kept) >= 9, kept
