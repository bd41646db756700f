"""What speaks for an answer of a guest, held to the rules written out by hand."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from guest_makers import made
from torch import Tensor

import vtexplore
from vtexplore.data.prepare import prepare
from vtexplore.probes._descent import steps
from vtexplore.probes._methods import METHODS
from vtexplore.probes._places import spread_over
from vtexplore.probes.fill_mask import mean_colour
from vtexplore.record import record
from vtexplore.types import Tokens

TEXT = "the red disc slides right"


def rule(weights: Tensor) -> Tensor:
    """Mean over heads of (∇A ⊙ A)⁺: [frame, query, key] (Chefer et al. 2021, eq. 5); 0 where nothing is read."""
    slope = torch.zeros_like(weights) if weights.grad is None else weights.grad
    return (slope * weights).clamp(min=0).mean(dim=1).detach()


def bar(relevance: Tensor) -> Tensor:
    """Eq. 8, 9."""
    rest = relevance - torch.eye(len(relevance))
    return torch.eye(len(relevance)) + rest / rest.sum(dim=1, keepdim=True).clamp(min=1e-30)


def maps_of(model: Any, ask: Any) -> list[Tensor]:
    """Weights of every attention in the order in which they are called, with their gradients."""
    kept: list[Tensor] = []

    def keep(_: Any, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
        out.retain_grad()
        kept.append(out)
        return out

    hooks = [
        module.register_forward_hook(keep)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Dropout) and name.rsplit(".", 2)[-2] in ("self", "att")
    ]
    ask().backward()
    for hook in hooks:
        hook.remove()
    return kept


def test_relevancy_of_lxmert_is_the_bimodal_rules_written_out(tmp_path: Path, toy_clip: Any) -> None:
    """Two layers of words, two of regions, two across, for each of four frames; read off the [CLS]."""
    guest = made("lxmert", tmp_path, "LxmertForPreTraining")
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    kept = maps_of(guest.model, lambda: guest(batch).match_logits.sum())
    assert len(kept) == 2 + 2 + 2 * 4
    told, found = [], []
    for frame in range(4):
        maps = [rule(weights)[frame] for weights in kept]
        tt, ii = torch.eye(batch.word_ids.shape[1]), torch.eye(9)
        ti, it = torch.zeros(len(tt), 9), torch.zeros(9, len(tt))
        for a in maps[:2]:
            tt = tt + a @ tt
        for a in maps[2:4]:
            ii = ii + a @ ii
        for layer in (maps[4:8], maps[8:]):
            a_ti, a_it, a_tt, a_ii = layer
            tt, ii, ti, it = (
                tt + a_ti @ it,
                ii + a_it @ ti,
                ti + bar(tt).T @ a_ti @ bar(ii),
                it + bar(ii).T @ a_it @ bar(tt),
            )
            tt, ti = tt + a_tt @ tt, ti + a_tt @ ti
            ii, it = ii + a_ii @ ii, it + a_ii @ it
        told.append(tt[0] - torch.eye(len(tt))[0])
        found.append(ti[0])
    result = vtexplore.explain(guest, toy_clip, TEXT, method="relevancy")
    regions = torch.stack(found).view(4, 3, 3) / 4  # the mean of four [CLS]
    mine = result.patch_map.reshape(4, 3, 2, 3, 2)  # a region lies on 2 × 2 cells
    assert mine.sum(axis=(2, 4)) == pytest.approx(regions.numpy(), rel=1e-3) and regions.max() > 0
    assert mine == pytest.approx(np.broadcast_to(mine[:, :, :1, :, :1], mine.shape), rel=1e-5)
    words = torch.stack(told).mean(dim=0).numpy()
    at = batch.piece_words[0]
    assert result.words_map == pytest.approx([words[at == word].sum() for word in range(5)], rel=1e-3)


def test_relevancy_of_xclip_goes_through_messages_and_time(tmp_path: Path, toy_clip: Any) -> None:
    """Messages are made of each layer's [CLS] and forgotten, moments of the last one, places are means over frames."""
    guest = made("xclip", tmp_path)
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    heard = record(guest, batch, rows="all", explicit=True)
    sites = heard.attention
    slopes = torch.autograd.grad(heard.output.match_logits.sum(), [a.weights for a in sites.values()])
    maps = {
        site: replace(a, weights=(a.weights * slope).clamp(min=0).detach()).full()[0].mean(dim=0)
        for (site, a), slope in zip(sites.items(), slopes, strict=True)
    }
    each = 1 + 16
    r = torch.eye(4 * each)
    cls, among = torch.arange(4) * each, torch.arange(4 * (each + 1)).view(4, -1)
    for layer in (0, 1):
        site = f"vision_model.encoder.layers.{layer}"
        sent = r[cls] if layer else torch.zeros(4, len(r))  # the first [CLS] is the model's own, and holds no patch
        sent = sent + maps[f"{site}.message_attn"] @ sent
        a = maps[site][among[:, :-1].flatten()]
        r = r + a[:, among[:, :-1].flatten()] @ r + a[:, among[:, -1]] @ sent
    moments = r[cls]
    moments = moments + maps["mit.encoder.layers.0"] @ moments
    place = r.view(4, each, -1)[:, 1:].mean(dim=0)
    text = sum(maps[f"prompts_generator.decoder.{i}.cross_attn"] @ place for i in (0, 1))
    seen = (moments.mean(dim=0) + text[0]).view(4, each)[:, 1:].view(4, 4, 4)
    result = vtexplore.explain(guest, toy_clip, TEXT, method="relevancy")
    assert result.patch_map == pytest.approx(seen.numpy(), rel=1e-3) and seen.max() > 0
    assert result.words_map.max() > 0


@pytest.mark.parametrize("name", ["lxmert", "visual_bert", "xclip", "clip"])
def test_gradient_x_input_is_autograd_by_hand(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    video = batch.video.clone().requires_grad_()
    (slope,) = torch.autograd.grad(guest(replace(batch, video=video)).match_logits.sum(), [video])
    worth = (slope * (batch.video - mean_colour(batch).video)).sum(dim=2)[0]  # [frame, height, width]
    slots, rows, columns = guest.grid(batch)
    side = worth.shape[-1] // rows
    by_hand = worth.view(slots, rows, side, columns, side).sum(dim=(2, 4))
    result = vtexplore.explain(guest, toy_clip, TEXT, method="gradient × input", of="pixels")
    assert result.patch_map == pytest.approx(by_hand.numpy(), abs=1e-3 * float(by_hand.abs().max()))
    masks = "[MASK]" in vtexplore.data.text.vocabulary(guest.inputs.vocabulary).ids
    assert np.isnan(result.words_map).all() != masks and any("no [MASK]" in note for note in result.notes) != masks


@pytest.mark.parametrize("name", ["lxmert", "visual_bert", "xclip", "clip"])
def test_every_method_answers(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    for method in METHODS:
        result = vtexplore.explain(guest, toy_clip, TEXT, method=method)
        assert np.abs(result.patch_map).sum() > 0, method
        if method == "occlusion":
            assert result.measured["removal"] == ("attention" if name == "clip" else "mean colour")


def test_what_is_on_a_region_lies_evenly_on_its_box() -> None:
    box = np.array([[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]])
    cells = Tokens.make([*"abcd"] * 2, [{"video"}] * 8, np.tile(box, (2, 1)), np.repeat([[0, 1], [1, 2]], 4, axis=0))
    region = Tokens.make(
        [*"xyz"],
        [{"video", "region"}] * 3,
        np.array([[0.25, 0, 1, 0.5], [0, 0, 1, 1], [1.5, 1.2, 1.6, 1.3]]),
        np.array([[0, 1], [0, 2], [1, 2]]),
    )
    want = np.array([[1 / 3, 2 / 3, *[0] * 6], [1 / 8] * 8, [*[0] * 7, 1]])
    assert spread_over(region, cells) == pytest.approx(want)


def test_a_stream_made_of_another_goes_on_where_that_was(tmp_path: Path, toy_clip: Any) -> None:
    """Read off the graph of X-CLIP: which stream each begins as, and how many tokens each of its own is made of."""
    from vtexplore.probes._case import case_of
    from vtexplore.probes._follow import follow

    flow = follow(case_of(made("xclip", tmp_path), toy_clip, TEXT))
    trace = steps(flow.layers)
    begins = [(names[0][0], sources) for step in trace for names, sources in step.begins.items()]
    made_of = {
        label: (source.stream[0][0], source.depth, (source.share > 0).sum(dim=1).tolist())
        for label, sources in begins
        for source in sources
    }
    frames = "[CLS] of frame 1"
    assert made_of == {
        "message 2 of frame 1": (frames, 1, [1] * 4),
        frames: (frames, 2, [1] * 4),  # of moments
        TEXT: ("[CLS]", 2, [1]),
        "row 1 column 1 of frame 1": (frames, 2, [4] * 16),
    }
