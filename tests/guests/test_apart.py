"""Guests of two towers: what is embedded apart is read as the model itself reads both, and clips are looked at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from guest_makers import made

import vtexplore
from vtexplore import guests
from vtexplore.data.prepare import prepare
from vtexplore.errors import Unsupported
from vtexplore.probes._moves import ONCE
from vtexplore.record import record

TEXT, FOIL = "the red disc slides right", "the red disc slides left"
APART = [name for name in guests.names() if guests.kind_of(name).towers is not None]
apart = pytest.mark.parametrize("name", APART)


@contextmanager
def counted(guest: Any) -> Iterator[list[int]]:
    """How many frames each forward of the tower of pictures looks at."""
    seen: list[int] = []
    hook = guest.model.vision_model.register_forward_hook(
        lambda _, given, named, out: seen.append(len(named.get("pixel_values", given[0] if given else ()))),
        with_kwargs=True,
    )
    yield seen
    hook.remove()


def test_those_that_read_both_together_have_nothing_to_embed(tmp_path: Path) -> None:
    assert APART == ["clip", "xclip"]
    for name in sorted(set(guests.names()) - set(APART)):
        assert not hasattr(made(name, tmp_path), "embed")


@apart
@torch.no_grad()
def test_read_says_what_forward_says(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    batch = prepare([toy_clip, toy_clip], [TEXT, "a blue square"], guest.inputs)
    batch = replace(batch, video=torch.stack([batch.video[0], batch.video[1].flip(0)]))
    for asked in (batch, replace(batch, video_mask=torch.tensor([True, False]))):
        said, read = guest(asked), guest.read(*guest.embed(asked), asked)
        assert said.heads() == read.heads()
        for head in said.heads():
            assert torch.allclose(getattr(said, head), getattr(read, head), atol=1e-5)
    assert abs(guest(batch).match_logits[1] - guest(asked).match_logits[1]) > 0.01  # hidden, and so not the same


@apart
@torch.no_grad()
def test_parts_are_listened_to_as_the_whole(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    batch = prepare([toy_clip], [TEXT], guest.inputs)

    class InParts(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.guest = guest

        def forward(self, asked: Any) -> Any:
            return guest.read(*guest.embed(asked), asked)

    whole, parts = (record(model, batch, rows="all").attention for model in (guest, InParts()))
    assert set(whole) == set(parts)
    for site, heard in whole.items():
        assert torch.allclose(heard.weights, parts[site].weights, atol=1e-6)
        assert heard.queries[0].labels == parts[site].queries[0].labels


@apart
def test_all_orders_cost_a_few_looks(name: str, tmp_path: Path, toy_clip: Any) -> None:
    """24 orders of 4 frames, beside two texts: what the model looks at does not grow with either."""
    guest = made(name, tmp_path)
    with counted(guest) as seen:
        result = vtexplore.reorder(guest, toy_clip, TEXT, foil=FOIL, quiet=True)
    assert result.how == ONCE and len(result.rows) == 24
    assert sum(seen) == 68  # 4 for the clip, 8 for two other orders; all else are stills, controls, and no clip
    batch = prepare([toy_clip] * 2, [TEXT, FOIL], guest.inputs)
    for order in (1, 9, 23):
        moved = replace(batch, video=batch.video[:, torch.from_numpy(result.rows[order])])
        with torch.no_grad():
            assert result.scores[order] == pytest.approx(guest(moved).match_logits.numpy(), abs=1e-4)


def test_messages_know_no_order_and_places_in_time_do(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("xclip", tmp_path)
    frames, features = (vtexplore.reorder(guest, toy_clip, TEXT, what=w, quiet=True) for w in ("frames", "features"))
    assert frames.delta() != 0 and frames.scores == pytest.approx(features.scores, abs=1e-4)
    with pytest.raises(Unsupported, match="no places in time"):
        vtexplore.reorder(guest, toy_clip, TEXT, what="places", quiet=True)


@pytest.mark.parametrize(("name", "looks"), [("clip", 4), ("xclip", 3)])
def test_each_clip_is_looked_at_once_whatever_the_texts(name: str, looks: int, tmp_path: Path, toy_clip: Any) -> None:
    """26 texts and 2 clips: 2 looks, one to ask what the model can do, and one (CLIP) beside the other texts."""
    guest = made(name, tmp_path)
    texts = [f"a red disc {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"]
    with counted(guest) as seen:
        result = vtexplore.retrieve(guest, [toy_clip] * 2, texts, own=[0, 1] * 13, quiet=True)
    assert sum(seen) == looks * 4
    batch = prepare([toy_clip] * 3, [texts[i] for i in (0, 11, 25)], guest.inputs)
    with torch.no_grad():
        said = guest(batch)
    true = said.match_logits if said.text_embedding is None else torch.cosine_similarity(
        said.text_embedding, said.video_embedding
    )  # fmt: skip
    assert result.scores[[0, 11, 25], 1] == pytest.approx(true.numpy(), abs=1e-4)
