"""Probes on guests, from a clip to a result: what they answer, and what they refuse."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from guest_makers import made

import vtexplore
from vtexplore import guests
from vtexplore.errors import Unsupported
from vtexplore.record import Record, record

TEXT, FOIL = "the red disc slides right", "the red disc slides left"
SEEING = [
    ("vilt", "ViltForMaskedLM"),
    ("bridgetower", "BridgeTowerForMaskedLM"),
    ("lxmert", "LxmertForPreTraining"),
    ("visual_bert", "VisualBertForPreTraining"),
]
MATCHING = [
    ("clip", "CLIPModel"),
    ("xclip", "XCLIPModel"),
    ("vilt", "ViltForImageAndTextRetrieval"),
    ("bridgetower", "BridgeTowerForImageAndTextRetrieval"),
    ("bridgetower", "BridgeTowerForContrastiveLearning"),
    ("lxmert", "LxmertForPreTraining"),
    ("visual_bert", "VisualBertForPreTraining"),
]


@pytest.mark.parametrize(("name", "cls"), SEEING)
def test_words_look_at_each_frame(name: str, cls: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path, cls)
    result = vtexplore.attend(guest, toy_clip, TEXT)
    frames, rows, columns = result.heat("red").shape
    assert frames == 4 and rows == columns
    shares = result.word_frame()
    assert shares.shape == (5, 4) and (shares > 0).all() and (shares.sum(axis=1) <= 1 + 1e-5).all()
    batch = vtexplore.prepare([toy_clip], [TEXT], guest.inputs)
    kept = record(guest, batch, sites=result.site).attention[result.site]
    assert kept.groups is None and kept.weights.shape[2] == 4 * (batch.piece_words[0] >= 0).sum()
    frame = kept.queries[0].span_s[:, :1] == kept.keys[0].span_s[:, 0]  # [row, key]: in one frame
    assert (kept.weights[0].amax(dim=0).numpy()[~frame & kept.keys[0].where("video")] == 0).all()


@pytest.mark.parametrize(("name", "cls"), SEEING)
def test_a_word_is_filled_in(name: str, cls: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path, cls)
    result = vtexplore.fill_mask(guest, toy_clip, TEXT, word="red", against=[toy_clip])
    assert 0 < result.probability("red") < 1 and abs(result.contrast("red")) < 1e-5
    assert abs(result.lift("red")) > 0 and result.p.sum(axis=1).max() <= 1 + 1e-5


def test_a_model_of_words_learns_nothing_from_a_clip(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("bert", tmp_path)
    result = vtexplore.fill_mask(guest, toy_clip, TEXT, word="red", against=[toy_clip])
    assert result.lift("red") == 0 and result.probability("red") > 0
    with pytest.raises(Unsupported, match="attends"):
        vtexplore.attend(guest, toy_clip, TEXT)


@pytest.mark.parametrize(("name", "cls"), MATCHING)
def test_sentences_are_matched_and_frames_reordered(name: str, cls: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path, cls)
    result = vtexplore.match(guest, toy_clip, [TEXT, FOIL])
    assert len(set(result.score.tolist())) == 2
    order = vtexplore.reorder(guest, toy_clip, TEXT, quiet=True)
    assert (order.delta() == 0) == guest.kind.frames_independent == (name != "xclip")
    assert order.p() == 1 or name == "xclip"


@torch.no_grad()
def test_a_clip_scores_the_mean_of_its_frames(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("clip", tmp_path)
    batch = vtexplore.prepare([toy_clip], [TEXT], guest.inputs)
    each = guest.model(
        input_ids=batch.word_ids, attention_mask=batch.word_mask.long(), pixel_values=guest.pixels(batch)[0]
    )
    out = guest(batch)
    assert torch.allclose(out.match_logits, each.logits_per_image.mean(), atol=1e-5)
    assert guest.inputs.frames == 4 and made("clip", tmp_path, frames=2).inputs.frames == 2


def test_an_image_and_a_text_in_one_sequence_roll_out(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("vilt", tmp_path, "ViltForImageAndTextRetrieval", frames=1)
    assert vtexplore.attend(guest, toy_clip, TEXT, method="rollout").heat("red").shape == (1, 4, 4)


EXPLAINED = [("clip", "CLIPModel"), MATCHING[2], MATCHING[3]]


@pytest.mark.parametrize(("name", "cls"), EXPLAINED)
@pytest.mark.parametrize("method", ["relevancy", "rollout", "raw"])
def test_a_score_is_followed_to_patches(name: str, cls: str, method: str, tmp_path: Path, toy_clip: Any) -> None:
    result = vtexplore.explain(made(name, tmp_path, cls), toy_clip, TEXT, method=method)
    assert result.patch_map.shape == (4, 4, 4) and (result.patch_map.sum(axis=(1, 2)) > 0).all()


@pytest.mark.parametrize(("name", "cls"), EXPLAINED[1:])
def test_patches_are_taken_away(name: str, cls: str, tmp_path: Path, toy_clip: Any) -> None:
    result = vtexplore.explain(made(name, tmp_path, cls), toy_clip, TEXT, method="occlusion")
    assert (np.abs(result.patch_map) > 0).any(axis=(1, 2)).all()


def test_what_has_no_gradient_is_refused(tmp_path: Path, toy_clip: Any) -> None:
    with pytest.raises(Unsupported, match="No gradient of ln p.red. comes through"):
        vtexplore.explain(made("bert", tmp_path), toy_clip, TEXT, word="red", method="gradient × input")


@pytest.mark.parametrize("name", guests.names())
def test_a_record_of_a_guest_is_a_file(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    kept = record(guest, vtexplore.prepare([toy_clip], [TEXT], guest.inputs), rows="all", hidden=True)
    kept.save(tmp_path / "kept.safetensors")
    back = Record.load(tmp_path / "kept.safetensors")
    assert set(back.attention) == set(kept.attention) and back.about["model"] == name
    assert all(torch.equal(back.attention[s].full(), kept.attention[s].full()) for s in kept.attention)
