"""One recorded forward equals a plain one to the bit, and what it keeps equals the explicit path."""

import threading
from typing import Any

import numpy as np
import pytest
import torch

from vtexplore import registry
from vtexplore.blocks.tap import Tap, _listener, attend, listening, name_taps
from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError
from vtexplore.record import Record, Recorder, frames_of, record, sites
from vtexplore.types import Attention, Batch, Output, Stream, Tokens

TEXTS = ("the red disc slides right", "a blue square stands still, and the red disc slides")


@pytest.fixture
def batch(toy_model: Any, toy_clip: Any) -> Batch:
    return prepare([toy_clip], TEXTS, toy_model.inputs)


class Windows(torch.nn.Module):
    """Local attention over six tokens in two windows of four; two places are padding."""

    groups = torch.tensor([[0, 1, 2, 3], [4, 5, -1, -1]])

    def __init__(self) -> None:
        super().__init__()
        self.tap = Tap()
        name_taps(self)
        self.tap.site = "windows"

    def forward(self, batch: Batch) -> Output:
        x = torch.randn(len(batch), 2 * 3, 4, 5, generator=torch.Generator().manual_seed(1))  # window · head
        tokens = [Tokens.make(list("abcdef"), [{"video"}] * 6)] * len(batch)
        heard = attend(self.tap, x, x, x, queries=lambda: tokens, keys=lambda: tokens, groups=self.groups)
        return Output(video_embedding=heard.flatten(1))


def nothing(items: int) -> Batch:
    return Batch.bare(torch.zeros(items, 1, 3, 2, 2), torch.zeros(items, 3, dtype=torch.long))


# ── the same arithmetic ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "how",
    [{}, {"rows": "all"}, {"reduce": "heads"}, {"reduce": "received"}, {"reduce": "frames"}, {"hidden": True}],
    ids=str,
)
def test_recording_changes_nothing(toy_model: Any, batch: Batch, how: dict[str, Any]) -> None:
    with torch.inference_mode():
        plain = toy_model(batch)
    heard = record(toy_model, batch, **how).output
    for name in plain.heads():
        assert torch.equal(getattr(plain, name), getattr(heard, name)), name


@pytest.mark.parametrize("name", registry.names())
def test_recording_changes_nothing_in_a_family(name: str, toy_clip: Any) -> None:
    model = registry.build(name)
    some = prepare([toy_clip], ["the red circle slides left"], model.inputs)
    with torch.inference_mode():
        plain = model(some)
    kept = record(model, some, rows="all", hidden=True)
    for head in plain.heads():
        assert torch.equal(getattr(plain, head), getattr(kept.output, head)), head
    assert set(plain.heads()) == set(registry.family(name).heads)
    assert set(kept.attention) <= set(sites(model))


@pytest.mark.parametrize("name", registry.names())
def test_rows_of_every_site_are_those_of_the_explicit_path(name: str, toy_clip: Any) -> None:
    model = registry.build(name)
    some = prepare([toy_clip], ["the red circle slides left"], model.inputs)
    kept, explicit = record(model, some, rows="all"), record(model, some, rows="all", explicit=True)
    assert set(kept.attention) == set(explicit.attention)
    for site, attention in kept.attention.items():
        assert torch.allclose(attention.weights, explicit.attention[site].weights, atol=1e-5, rtol=0), site
    for head in kept.output.heads():
        torch.testing.assert_close(getattr(kept.output, head), getattr(explicit.output, head), atol=1e-4, rtol=1e-4)


def test_recording_draws_no_random_numbers(toy_model: Any, batch: Batch) -> None:
    before = torch.get_rng_state()
    record(toy_model, batch, rows="all", hidden=True)
    assert torch.equal(before, torch.get_rng_state())


# ── what is kept ──────────────────────────────────────────────────────────────────────────────────


def test_rows_sum_to_one_and_see_no_padding(toy_model: Any, batch: Batch) -> None:
    for attention in record(toy_model, batch, rows="all").attention.values():
        for item, keys in enumerate(attention.keys):
            assert torch.allclose(attention.weights[item].sum(-1), torch.ones(()), atol=1e-5)
            assert attention.weights[item][..., keys.where("pad")].abs().max() == 0


def test_text_rows_are_the_words_padded_to_one_length(toy_model: Any, batch: Batch) -> None:
    whole, rows = record(toy_model, batch, rows="all"), record(toy_model, batch)
    for site, attention in rows.attention.items():
        for item, queries in enumerate(attention.queries):
            words = whole.attention[site].queries[item].where("text")
            count = words.sum()
            assert queries.labels[:count] == tuple(np.array(batch.pieces[item])[words[-len(batch.pieces[item]) :]])
            assert torch.equal(attention.weights[item, :, :count], whole.attention[site].weights[item][:, words])
            assert not attention.weights[item, :, count:].any()
            assert all(m == frozenset({"pad"}) for m in queries.modality[count:])


def test_rows_may_be_positions(toy_model: Any, batch: Batch) -> None:
    whole, rows = record(toy_model, batch, rows="all"), record(toy_model, batch, rows=[3, 1])
    weights = whole.attention["layers.1"].weights
    assert torch.allclose(rows.attention["layers.1"].weights, weights[:, :, [3, 1]], atol=1e-6)
    assert rows.attention["layers.1"].queries[0].labels == tuple(
        whole.attention["layers.1"].queries[0].labels[i] for i in (3, 1)
    )


def test_reducers_are_sums_and_means_of_the_rows(toy_model: Any, batch: Batch) -> None:
    whole = record(toy_model, batch, rows="all").attention["layers.1"]
    received = record(toy_model, batch, reduce="received").attention["layers.1"]
    assert torch.allclose(received.weights, whole.weights.sum(2, keepdim=True), atol=1e-4)
    text = record(toy_model, batch).attention["layers.1"]
    heads = record(toy_model, batch, reduce="heads").attention["layers.1"]
    assert torch.allclose(heads.weights, text.weights.mean(1, keepdim=True), atol=1e-6)
    frames = record(toy_model, batch, reduce="frames").attention["layers.1"]
    assert frames.weights.shape[-1] == 5 and frames.keys[0].labels == (
        "frame 1",
        "frame 2",
        "frame 3",
        "frame 4",
        "text",
    )
    for item, keys in enumerate(text.keys):
        for number, at in enumerate(frames_of(keys)):
            summed = text.weights[item][..., at].sum(-1)
            assert torch.allclose(frames.weights[item][..., number], summed, atol=1e-5)
        assert torch.allclose(frames.weights[item].sum(-1), text.weights[item].sum(-1), atol=1e-5)


def test_windows_are_kept_when_asked_for_and_scattered_on_request() -> None:
    model = Windows()
    some = nothing(2)
    assert record(model, some).attention == {}  # text rows: a window holds no words
    local = record(model, some, sites="windows").attention["windows"]
    assert local.weights.shape == (2, 3, 2, 4, 4) and local.heads == 3
    full = local.full()
    assert full.shape == (2, 3, 6, 6)
    assert torch.equal(full[..., :4, :4], local.weights[:, :, 0]) and torch.equal(
        full[..., 4:, 4:], local.weights[:, :, 1, :2, :2]
    )
    assert full[..., :4, 4:].abs().max() == full[..., 4:, :4].abs().max() == 0
    mean = record(model, some, sites="windows", reduce="heads").attention["windows"]
    assert torch.allclose(mean.weights[:, 0], local.weights.mean(1))


class PerFrame(torch.nn.Module):
    """Two words, each repeated for two frames, look at the two patches of their frame."""

    def __init__(self) -> None:
        super().__init__()
        self.tap = Tap()
        name_taps(self)
        self.tap.site = "cross"

    def forward(self, batch: Batch) -> Output:
        q, k = (torch.randn(len(batch), 2 * 3, 2, 5, generator=torch.Generator().manual_seed(s)) for s in (1, 2))
        words = [Tokens.make(list("abab"), [{"text"}] * 4)] * len(batch)
        patches = [Tokens.make(["cls", *"pqrs"], [{"video"}] * 5)] * len(batch)
        keys = torch.tensor([[0, 1, 2], [0, 3, 4]])
        k = torch.cat([k, k[:, :, :1]], dim=2)
        heard = attend(
            self.tap, q, k, k, queries=lambda: words, keys=lambda: patches,
            groups=torch.tensor([[0, 1], [2, 3]]), key_groups=keys,
        )  # fmt: skip
        return Output(video_embedding=heard.flatten(1))


def test_words_that_look_around_in_groups_are_rows_like_others(tmp_path: Any) -> None:
    model, some = PerFrame(), nothing(2)
    local = record(model, some, rows="all").attention["cross"]
    assert local.weights.shape == (2, 3, 2, 2, 3) and local.groups is not None and local.key_groups is not None
    full = local.full()
    assert full.shape == (2, 3, 4, 5) and torch.allclose(full.sum(-1), torch.ones(()), atol=1e-6)
    assert not full[..., :2, 3:].any() and not full[..., 2:, 1:3].any() and full[..., 0].all()
    rows = record(model, some).attention["cross"]
    assert rows.groups is None and torch.equal(rows.weights, full)
    picked = record(model, some, rows=[2, 0]).attention["cross"]
    assert torch.equal(picked.weights, full[:, :, [2, 0]]) and picked.queries[0].labels == ("a", "a")
    received = record(model, some, reduce="received").attention["cross"]
    assert torch.allclose(received.weights, full.sum(2, keepdim=True))
    record(model, some, rows="all").save(tmp_path / "kept")
    back = Record.load(tmp_path / "kept").attention["cross"]
    assert torch.equal(back.full(), full)


def test_a_prefix_names_all_sites_below(toy_model: Any, batch: Batch) -> None:
    assert sites(toy_model) == ("layers.0", "layers.1")
    assert set(record(toy_model, batch, sites="layers").attention) == {"layers.0", "layers.1"}
    assert set(record(toy_model, batch, sites=["layers.1"]).attention) == {"layers.1"}
    with pytest.raises(ConfigError, match=r"no site 'layer'.*layers\.0"):
        record(toy_model, batch, sites="layer")
    with pytest.raises(ConfigError, match="unknown reducer"):
        record(toy_model, batch, reduce="median")


def test_states_are_those_that_the_layers_hand_on(toy_model: Any, batch: Batch) -> None:
    kept = record(toy_model, batch, hidden=True)
    assert list(kept.hidden) == ["layers.0", "layers.1"]
    stream = kept.hidden["layers.1"]
    assert stream.hidden.shape[:2] == (2, len(stream.tokens()[0]))


# ── edits and gradients ───────────────────────────────────────────────────────────────────────────


def test_an_edit_that_changes_nothing_changes_nothing(toy_model: Any, batch: Batch) -> None:
    plain = record(toy_model, batch).output.match_logits
    same = record(toy_model, batch, edit=lambda site, weights: weights).output.match_logits
    torch.testing.assert_close(plain, same, atol=1e-4, rtol=1e-4)


def test_ablating_a_head_changes_what_it_feeds(toy_model: Any, batch: Batch) -> None:
    def without(site: str, weights: torch.Tensor) -> torch.Tensor:
        keep = torch.ones(2)
        keep[1] = 0 if site == "layers.1" else 1
        return weights * keep[None, :, None, None]

    plain, ablated = record(toy_model, batch), record(toy_model, batch, edit=without, rows="all")
    assert ablated.attention["layers.1"].weights[:, 1].abs().max() == 0
    assert not torch.allclose(plain.output.match_logits, ablated.output.match_logits)


def test_gradients_reach_the_weights(toy_model: Any, batch: Batch) -> None:
    for p in toy_model.parameters():
        p.requires_grad_(False)
    heard = record(toy_model, batch, edit=lambda site, weights: weights.requires_grad_())
    weights = heard.attention["layers.1"].weights
    (grad,) = torch.autograd.grad(heard.output.match_logits.sum(), weights)
    assert grad.shape == weights.shape and grad.abs().max() > 0


# ── scope ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_listener_hears_its_own_thread_only(toy_model: Any, batch: Batch) -> None:
    recorder = Recorder(rows="all")
    with listening(recorder):
        other = threading.Thread(target=lambda: toy_model(batch))
        other.start()
        other.join()
        assert recorder.attention == {}
        toy_model(batch)
    assert set(recorder.attention) == {"layers.0", "layers.1"}


def test_a_listener_is_gone_after_an_error(toy_model: Any, batch: Batch) -> None:
    with pytest.raises(ZeroDivisionError):
        record(toy_model, batch, edit=lambda site, weights: 1 / 0)
    assert _listener.get() is None


def test_threads_record_side_by_side(toy_model: Any, toy_clip: Any) -> None:
    found: dict[str, Record] = {}

    def work(text: str) -> None:
        found[text] = record(toy_model, prepare([toy_clip], [text], toy_model.inputs))

    threads = [threading.Thread(target=work, args=(text,)) for text in TEXTS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for text in TEXTS:
        alone = record(toy_model, prepare([toy_clip], [text], toy_model.inputs))
        assert torch.equal(alone.attention["layers.1"].weights, found[text].attention["layers.1"].weights)


# ── files ─────────────────────────────────────────────────────────────────────────────────────────


def _same(a: Attention, b: Attention) -> None:
    assert torch.equal(a.weights, b.weights) and (a.site, a.reduced, a.dropout) == (b.site, b.reduced, b.dropout)
    assert [t.to_dict() for t in (*a.queries, *a.keys)] == [t.to_dict() for t in (*b.queries, *b.keys)]
    assert (a.groups is None) == (b.groups is None) and (a.groups is None or torch.equal(a.groups, b.groups))


def test_a_record_survives_its_file(toy_model: Any, batch: Batch, tmp_path: Any) -> None:
    for kept in (record(toy_model, batch, hidden=True), record(Windows(), nothing(1), sites="windows")):
        kept.save(tmp_path / "a" / "kept.safetensors")
        back = Record.load(tmp_path / "a" / "kept.safetensors")
        assert back.about == kept.about and list(back.attention) == list(kept.attention)
        for site in kept.attention:
            _same(kept.attention[site], back.attention[site])
        for site, stream in kept.hidden.items():
            assert isinstance(stream, Stream) and torch.equal(stream.hidden, back.hidden[site].hidden)
        for head in kept.output.heads():
            assert torch.equal(getattr(kept.output, head), getattr(back.output, head))
        assert [p.name for p in (tmp_path / "a").iterdir()] == ["kept.safetensors"]


def test_a_file_that_is_no_record_is_named(tmp_path: Any) -> None:
    (tmp_path / "x").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="cannot be read"):
        Record.load(tmp_path / "x")
    with pytest.raises(ConfigError, match="cannot be read"):
        Record.load(tmp_path / "absent")
