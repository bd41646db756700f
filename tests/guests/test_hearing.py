"""Maps that transformers never returns, each held to its layer's own arithmetic; what is hidden; several at once."""

from copy import deepcopy
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from guest_makers import made
from torch import Tensor

from vtexplore import guests
from vtexplore.data.prepare import prepare
from vtexplore.data.text import encode, vocabulary
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.record import record
from vtexplore.types import Batch

TEXT = "the red disc slides right"


def heard(guest: Any, batch: Batch) -> dict[str, Tensor]:
    """Weights of each site as its layer had them: [batch · window, head, query, key]."""
    found = record(guest, batch, rows="all").attention
    return {s: a.weights if a.groups is None else a.weights.transpose(1, 2).flatten(0, 1) for s, a in found.items()}


def entering(module: Any, run: Any) -> list[Tensor]:
    """What enters a module, call by call."""
    seen: list[Any] = []
    hook = module.register_forward_pre_hook(
        lambda _, given, named: seen.append((*given, *named.values())), with_kwargs=True
    )
    run()
    hook.remove()
    return [x for given in seen[:1] for x in given if isinstance(x, Tensor)]


def by_hand(q: Tensor, k: Tensor, heads: int) -> Tensor:
    q, k = (x.unflatten(-1, (heads, -1)).transpose(1, 2) for x in (q, k))
    return (q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5).softmax(dim=-1)


@torch.no_grad()
def test_along_time(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("timesformer", tmp_path)
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    layer = guest.model.timesformer.encoder.layer[1].temporal_attention.attention
    (x, *_) = entering(layer, lambda: guest(batch))
    q, k, _ = layer.qkv(x).chunk(3, dim=-1)
    site = heard(guest, batch)["encoder.layer.1.temporal_attention"]
    assert site.shape == (16, 4, 4, 4) and torch.allclose(site, by_hand(q, k, 4), atol=1e-6)
    tokens = record(guest, batch, rows="all").attention["encoder.layer.1.temporal_attention"]
    same_place = [tokens.queries[0][group.numpy()].box for group in tokens.groups]
    assert all((box == box[0]).all() for box in same_place)


@torch.no_grad()
def test_across_the_bridge(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("bridgetower", tmp_path, "BridgeTowerModel")
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    outs: list[Any] = []
    layer = guest.model.cross_modal_text_layers[1]
    hook = layer.register_forward_hook(lambda _, __, out: outs.append(out[2]))
    guest(batch)
    hook.remove()
    maps = heard(guest, batch)
    assert torch.allclose(maps["cross_modal_text_layers.1.crossattention"], outs[0], atol=1e-6)
    block = guest.model.vision_model.visual.transformer.resblocks[1]
    (x, *_) = entering(block.attn, lambda: guest(batch))
    weights = block.attn(x, x, x, average_attn_weights=False)[1]
    assert torch.allclose(maps["vision_model.visual.transformer.resblocks.1"], weights, atol=1e-6)


@torch.no_grad()
def test_texts_written_anew_by_a_video(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("xclip", tmp_path)
    batch = prepare([toy_clip, toy_clip], [TEXT, "a blue square"], guest.inputs)
    cross = guest.model.prompts_generator.decoder[0].cross_attn
    q, k, _ = entering(cross, lambda: guest(batch))
    site = heard(guest, batch)["prompts_generator.decoder.0.cross_attn"]
    assert torch.allclose(site, by_hand(cross.q_proj(q), cross.k_proj(k), 4), atol=1e-6)
    found = record(guest, batch, rows="all", sites="prompts_generator").attention[
        "prompts_generator.decoder.0.cross_attn"
    ]
    assert found.queries[0].labels == (TEXT, "a blue square") and len(found.keys[0]) == 16


# ── what is hidden ────────────────────────────────────────────────────────────────────────────────

every = pytest.mark.parametrize("name", guests.names())


@every
@torch.no_grad()
def test_a_hidden_patch_is_not_seen(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    batch = prepare([toy_clip, toy_clip], [TEXT], guest.inputs)
    slots, rows, columns = guest.grid(batch)
    mask = torch.ones(2, slots, rows, columns, dtype=torch.bool)
    mask[0, -1, -1, -1] = False
    hidden = Batch(**{**vars(batch), "patch_mask": mask})
    if not guest.kind.hides_patches:
        with pytest.raises(Unsupported, match="Paint them"):
            guest(hidden)
        return
    video = batch.video.clone()
    side, each = guest.inputs.size_px // rows, guest.inputs.frames // slots
    video[:, -each:, :, -side:, -side:] = torch.rand_like(video[:, -each:, :, -side:, -side:])
    other = Batch(**{**vars(hidden), "video": video})
    a, b, free = guest(hidden), guest(other), guest(batch)
    for head in set(a.heads()) - {"text_embedding"}:
        a0, b0, f0, a1, b1 = (getattr(o, head)[i] for o, i in ((a, 0), (b, 0), (free, 0), (a, 1), (b, 1)))
        assert torch.allclose(a0, b0, atol=1e-6) and not torch.equal(a1, b1)
        assert not torch.allclose(a0, f0, atol=1e-7)
    weights = heard(guest, hidden)
    assert all(w.isfinite().all() for w in weights.values())


@torch.no_grad()
def test_two_threads_do_not_hear_each_other(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("clip", tmp_path)
    batches = [prepare([toy_clip], [t], guest.inputs) for t in (TEXT, "a blue square")]
    alone = [heard(guest, b) for b in batches]
    found: dict[int, list[dict[str, Tensor]]] = {0: [], 1: []}
    threads = [Thread(target=lambda i=i: found[i].extend(heard(guest, batches[i]) for _ in range(8))) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in (0, 1):
        assert len(found[i]) == 8
        assert all(torch.equal(maps[s], alone[i][s]) for maps in found[i] for s in maps)


@torch.no_grad()
def test_a_copy_is_heard_by_itself(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("clip", tmp_path)
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    copy = deepcopy(guest)
    for parameter in copy.parameters():
        parameter.mul_(1.5)
    before = heard(guest, batch)
    assert not any(torch.equal(before[site], weights) for site, weights in heard(copy, batch).items())
    assert all(torch.equal(before[site], weights) for site, weights in heard(guest, batch).items())


@torch.no_grad()
def test_nothing_is_left_behind_by_a_forward_that_fails(tmp_path: Path, toy_clip: Any) -> None:
    guest = made("clip", tmp_path)
    batch = prepare([toy_clip], [TEXT], guest.inputs)
    whole = guest(batch).match_logits

    def fail(site: str, weights: Tensor) -> Tensor:
        raise KeyError(site)

    with pytest.raises(KeyError):
        record(guest, batch, edit=fail)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in guest.model.modules())
    assert guest.model.config.text_config._attn_implementation == "sdpa"
    assert torch.equal(guest(batch).match_logits, whole)


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["bert", "clip", "bridgetower"])
def test_texts_are_cut_as_the_tokenizer_cuts_them(name: str, tmp_path: Path) -> None:
    guest = made(name, tmp_path)
    known = vocabulary(guest.inputs.vocabulary)
    texts = ["the red disc, slides.", "Red reds the red", "a"]
    ours = encode(texts, 30, known.name)
    theirs = known.tokenizer(texts, padding="max_length", max_length=30)  # type: ignore[attr-defined]
    assert ours.ids.tolist() == theirs["input_ids"] and ours.mask.tolist() == [
        [bool(m) for m in row] for row in theirs["attention_mask"]
    ]
    assert ours.piece_words.max(axis=1).tolist() == [3, 3, 0]
    assert "red" in known.ids and "red" in ours.pieces[0]


def test_a_tokenizer_with_no_mask_says_so(tmp_path: Path) -> None:
    guest = made("clip", tmp_path)
    with pytest.raises(TextError, match=r"no \[MASK\]"):
        encode(["a [MASK] disc"], 20, guest.inputs.vocabulary)


# ── what wrap refuses ─────────────────────────────────────────────────────────────────────────────


def test_wrap_says_what_is_missing(tmp_path: Path) -> None:
    model = guests.kind_of("clip").small("CLIPModel", 70)
    with pytest.raises(ConfigError, match="tokenizer"):
        guests.wrap(model)
    with pytest.raises(ConfigError, match="cannot be wrapped"):
        guests.wrap(guests.kind_of("clip").small("CLIPForImageClassification", 70))
    with pytest.raises(ConfigError, match="No guest is known of type 'Linear'"):
        guests.wrap(torch.nn.Linear(1, 1))
    lxmert = made("lxmert", tmp_path)
    with pytest.raises(ConfigError, match="cells"):
        guests.wrap(lxmert.model, _tokenizer(lxmert))
    with pytest.raises(ConfigError, match="4 frames, not 8"):
        made("videomae", tmp_path, frames=8)


def _tokenizer(guest: Any) -> Any:
    return vocabulary(guest.inputs.vocabulary).tokenizer  # type: ignore[attr-defined]
