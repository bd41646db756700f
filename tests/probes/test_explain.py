"""Why: on a model that can be taken apart by hand, and, for the places of patches, on every family."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from toy import toy_clip as make_clip
from toy_why import GRID, Evidence, brightness, noise_clip, one_patch

from vtexplore import registry
from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError, TextError, Unsupported
from vtexplore.probes import _follow
from vtexplore.probes._case import case_of
from vtexplore.probes._descent import Heard, Layer, names_of
from vtexplore.probes._follow import Flow, follow, normalised, rolled
from vtexplore.probes._methods import METHODS, found_by
from vtexplore.probes._places import patches
from vtexplore.probes._removal import REMOVALS, Without
from vtexplore.probes.explain import ExplainResult, explain
from vtexplore.probes.grounding import ground, placed
from vtexplore.probes.rollout import roll, rollout
from vtexplore.types import Tokens

AT = (1, 4, 2)  # off every diagonal: a transposed grid shows
POINTING = ("relevancy", "gradient × input", "integrated gradients", "occlusion")


@pytest.fixture(scope="module")
def words(toy_model: Any) -> str:
    return str(toy_model.inputs.vocabulary)


@pytest.fixture(scope="module")
def clear(words: str) -> Any:
    """A model whose only evidence in the frames is one patch, and in the text the word red."""
    return Evidence(words, one_patch(AT), {"red": 2.0, "disc": -0.5})


@pytest.fixture(scope="module")
def mixed(words: str) -> Any:
    """Every patch is worth something, for or against."""
    torch.manual_seed(1)
    return Evidence(words, torch.randn(GRID), {"red": 2.0})


# ── the only evidence ──


@pytest.mark.parametrize("method", POINTING)
def test_all_point_at_the_only_evidence(clear: Any, method: str) -> None:
    result = explain(clear, noise_clip(), method=method)
    heat = np.abs(result.heat())
    assert np.unravel_index(heat.argmax(), heat.shape) == AT and heat[AT] > 0.99
    assert result.what == "the matching score" and result.value != 0
    if METHODS[method].signed:
        assert result.word("red") == pytest.approx(2, abs=1e-4) and result.word("disc") == pytest.approx(-0.5, abs=1e-4)
    else:
        assert np.argmax(result.words_map) == result.words.index("red") and result.word("disc") == 0


def test_attention_does_not_know_what_it_is_for(clear: Any) -> None:
    for method in ("raw", "rollout"):
        heat = explain(clear, noise_clip(), method=method).heat()
        assert np.ptp(heat) < 1e-6 and heat.sum() == pytest.approx(1)


def test_parts_are_what_they_are_worth(mixed: Any) -> None:
    clip = noise_clip()
    batch = prepare([clip], [clip.caption], mixed.inputs)
    bright = brightness(batch.video)[0]
    worth = mixed.weight.each.detach()
    even = (worth * (bright - batch.video.mean())).numpy()
    for method in ("gradient × input", "integrated gradients"):
        assert np.allclose(explain(mixed, clip, method=method).patch_map, even, atol=1e-4)
    assert np.allclose(explain(mixed, clip, method="occlusion").patch_map, (worth * bright).numpy(), atol=1e-4)
    other = explain(mixed, clip, method="occlusion", removal="mean colour")
    assert np.allclose(other.patch_map, even, atol=1e-4) and other.measured == {"removal": "mean colour"}
    relevant = explain(mixed, clip, method="relevancy").patch_map
    assert np.allclose(relevant, (worth * bright).clamp(min=0).numpy(), atol=1e-4)


def test_parts_sum_to_the_change(mixed: Any) -> None:
    found = explain(mixed, noise_clip(), method="ig").measured
    assert found["gap"] < 0.01 and found["steps"] == 32


def test_steps_are_doubled_until_parts_sum_up(mixed: Any, monkeypatch: Any) -> None:
    class Bent(Evidence):
        def forward(self, batch: Any) -> Any:
            out = super().forward(batch)
            return replace(out, match_logits=torch.sin(20 * out.match_logits))

    torch.manual_seed(1)
    bent = Bent(mixed.inputs.vocabulary, torch.randn(GRID), {"red": 2.0})
    rough = explain(bent, noise_clip(), method="ig", steps=2, most=2, gap=0.001)
    fine = explain(bent, noise_clip(), method="ig", steps=2, gap=0.001)
    assert rough.measured["steps"] == 2 and rough.measured["gap"] > 0.005 and "still" in rough.notes[0]
    assert fine.measured["steps"] > 2 and fine.measured["gap"] <= 0.001


def test_windows_of_occlusion_move_together(clear: Any) -> None:
    found = explain(clear, noise_clip(), method="occlusion", window=(1, 3, 3)).patch_map
    assert np.ptp(found[1, 3:, :3]) == 0 and found[AT] > 0 and np.count_nonzero(found) == 9


def test_a_removal_asks_the_same_once(mixed: Any) -> None:
    without = Without(case_of(mixed, noise_clip()), "attention")
    whole, none = without.ends
    assert whole == pytest.approx(without.case.value, abs=1e-5) and none == pytest.approx(2, abs=1e-5)
    kept = np.random.default_rng(0).random((5, 144)) < 0.5
    first = without(kept)
    bright = brightness(without.case.batch.video)[0].numpy().ravel()
    worth = mixed.weight.each.detach().numpy().ravel()
    assert np.allclose(first, [2 + (worth * bright)[row].sum() for row in kept], atol=1e-4)
    assert len(without.known) == 7 and np.array_equal(without(kept[::-1]), first[::-1]) and len(without.known) == 7


# ── what is asked ──


def test_what_is_refused(clear: Any, toy_model: Any) -> None:
    clip = noise_clip()
    with pytest.raises(ConfigError, match="there are raw, rollout"):
        explain(clear, clip, method="magic")
    with pytest.raises(ConfigError, match="it takes site, head"):
        explain(clear, clip, method="raw", steps=3)
    with pytest.raises(Unsupported, match="masked words"):
        explain(clear, clip, word="red")
    with pytest.raises(ConfigError, match="Where is 'blue'"):
        explain(clear, clip, target="blue")
    with pytest.raises(TextError, match="one \\[MASK\\]"):
        explain(clear, clip, "the [MASK] [MASK]")
    with pytest.raises(ConfigError, match="attention, mean colour, blur"):
        explain(clear, clip, method="occlusion", removal="hammer")
    with pytest.raises(Unsupported, match="grid of patches"):
        explain(toy_model, make_clip())
    with pytest.raises(ConfigError, match="there is no 7"):
        explain(clear, clip, method="raw", site="layers.0", head=7)
    with pytest.raises(ConfigError, match="it is at layers.0"):
        explain(clear, clip, method="raw", site="elsewhere")


def test_it_survives_its_file(clear: Any, tmp_path: Any) -> None:
    result = explain(clear, noise_clip(), method="occlusion")
    result.save(tmp_path / "x.npz")
    again = ExplainResult.load(tmp_path / "x.npz")
    assert again.to_dict() == result.to_dict() and len(again.plot().alt) > 40


def test_a_new_method_is_a_function_and_a_row(clear: Any, monkeypatch: Any) -> None:
    from vtexplore.probes._methods import Found, Method

    def flat(case: Any, *, height: float = 1.0) -> Found:
        return Found(np.full(case.grid, height), np.zeros(len(case.words)))

    monkeypatch.setitem(METHODS, "flat", Method(flat, signed=False))  # type: ignore[arg-type]
    assert explain(clear, noise_clip(), method="flat", height=3.0).patch_map.max() == 3


# ── attention that is followed ──


def row(count: int, kind: str = "video") -> Tokens:
    return Tokens.make([f"{kind} {i}" for i in range(count)], [{kind}] * count)


def flow_of(*layers: tuple[Tokens, list[tuple[Tokens, Tokens, torch.Tensor]]]) -> Flow:
    """A flow of made-up layers, whose weights are [query, key]; every row of the last is read."""
    made = []
    for number, (tokens, calls) in enumerate(layers):
        heard = tuple(Heard(f"{number}", w[None, None], torch.zeros(1), q, k, None, None) for q, k, w in calls)
        made.append(Layer(f"{number}", heard, torch.zeros(1, len(tokens), 1), tokens, names_of(tokens)))
    slopes = {id(call): torch.ones_like(call.weights) for layer in made for call in layer.calls}
    return Flow(tuple(made), slopes, ((made[-1], torch.arange(len(made[-1].tokens))),), False)


def followed(flow: Flow, rule: Any) -> Any:
    strength = lambda call: call.full(call.weights).mean(dim=0)  # noqa: E731
    return _follow._walk(flow, strength, rule)


def test_attention_to_oneself_stays_there() -> None:
    tokens = row(5)
    flow = flow_of(*[(tokens, [(tokens, tokens, torch.eye(5))])] * 3)
    for rule in (_follow._rollout, _follow._relevancy):
        made = followed(flow, rule)[names_of(tokens)][names_of(tokens)]
        assert torch.allclose(made / made.sum(dim=1, keepdim=True), torch.eye(5))


def test_uniform_attention_is_uniform_off_the_diagonal() -> None:
    tokens = row(6)
    flow = flow_of(*[(tokens, [(tokens, tokens, torch.full((6, 6), 1 / 6))])] * 3)
    for rule in (_follow._rollout, _follow._relevancy):
        made = followed(flow, rule)[names_of(tokens)][names_of(tokens)]
        off = made[~torch.eye(6, dtype=torch.bool)]
        assert torch.allclose(off, off[0].expand_as(off)) and off[0] > 0


def test_rollout_is_the_rollout_of_whole_matrices() -> None:
    tokens, layers = row(7), torch.rand(4, 7, 7).softmax(-1)
    made = followed(flow_of(*[(tokens, [(tokens, tokens, a)]) for a in layers]), _follow._rollout)
    assert torch.allclose(made[names_of(tokens)][names_of(tokens)], rollout(list(layers)), atol=1e-6)


def test_divided_rows_are_one_matrix() -> None:
    """Two calls of one layer, a [CLS] and the others, give what one call of all rows gives."""
    tokens, a = row(6), torch.rand(6, 6)
    for rule in (_follow._rollout, _follow._relevancy):
        whole = followed(flow_of((tokens, [(tokens, tokens, a)])), rule)
        parts = followed(flow_of((tokens, [(tokens[:1], tokens, a[:1]), (tokens[1:], tokens, a[1:])])), rule)
        for one in whole.values():
            assert all(torch.equal(one[k], parts[names_of(tokens)][k]) for k in one)


def test_one_stream_hears_another_as_the_paper_says() -> None:
    """Chefer et al. 2021, eq. 5–11, in their order: image, text, text hears image."""
    image, text = row(4), row(3, "text")
    a_image, a_text, a_cross = torch.rand(4, 4), torch.rand(3, 3), torch.rand(3, 4)
    flow = flow_of(
        (image, [(image, image, a_image)]),
        (text, [(text, text, a_text)]),
        (text, [(text, image, a_cross)]),
    )
    made = followed(flow, _follow._relevancy)[names_of(text)]
    r_ii, r_tt = torch.eye(4) + a_image, torch.eye(3) + a_text
    assert torch.allclose(made[names_of(image)], normalised(r_tt).T @ a_cross @ normalised(r_ii), atol=1e-6)
    assert torch.allclose(made[names_of(text)], r_tt)  # nothing of the text has been in the image
    rows = normalised(r_ii) - torch.eye(4)
    assert torch.allclose(rows.sum(dim=1), torch.ones(4))


def test_a_rolled_row_over_two_streams_sums_to_one() -> None:
    image, text = row(4), row(3, "text")
    flow = flow_of(
        (image, [(image, image, torch.rand(4, 4).softmax(-1))]),
        (text, [(text, image, torch.rand(3, 4).softmax(-1)), (text, text, torch.rand(3, 3).softmax(-1))]),
    )
    made = followed(flow, _follow._rollout)[names_of(text)]
    assert torch.allclose(sum(m.sum(dim=1) for m in made.values()), torch.ones(3))


# ── every family ──

every = pytest.mark.parametrize("name", registry.names())
SAID = "the red circle slides left"


def lit(name: str) -> tuple[Any, Any, tuple[int, int, int]]:
    """A family, a case of a dark clip in which one patch is lit, and which."""
    model = fresh(name)
    case = case_of(model, noise_clip(caption=SAID))
    at = tuple(min(a, n - 1) for a, n in zip(AT, case.grid, strict=True))
    index = torch.zeros(1, *case.grid, dtype=torch.bool)
    index[(0, *at)] = True
    from vtexplore.probes._removal import over_pixels

    video = torch.where(over_pixels(case.batch, index), torch.rand_like(case.batch.video), 0.0)
    return model, replace(case, batch=replace(case.batch, video=video)), at  # type: ignore[return-value]


@every
def test_the_lit_patch_is_where_it_was_lit(name: str) -> None:
    """Pixels, tokens and the map agree on rows and columns."""
    model, case, at = lit(name)
    found = np.abs(found_by("edges", case).patches)
    assert np.unravel_index(found.argmax(), found.shape) == at
    dark, _ = model.embed(replace(case.batch, video=torch.zeros_like(case.batch.video)))
    bright, _ = model.embed(case.batch)
    moved = (bright.hidden - dark.hidden)[0].norm(dim=-1).detach().double().numpy()
    tokens = bright.tokens()[0]
    if moved[patches(tokens)].max() == 0:  # words are all that is left of the pixels, and the word is the same
        moved[np.flatnonzero(patches(tokens))[np.ravel_multi_index(at, case.grid)]] = 1
    heat, _ = case.spread(tokens, moved)
    assert heat is not None
    frame, *place = np.unravel_index(heat.argmax(), heat.shape)
    # A slot of some families sees the frame after its own as well.
    assert tuple(place) == at[1:] and 0 <= at[0] - frame <= registry.family(name).frames_ahead
    try:
        slope = np.abs(found_by("gradient × input", case, of="pixels").patches)
    except Unsupported:
        return
    assert np.unravel_index(slope.argmax(), slope.shape) == at


@every
def test_every_family_is_explained_or_says_why_not(name: str) -> None:
    model = fresh(name)
    case = case_of(model, noise_clip(caption=SAID))
    for method in ("raw", "rollout", "relevancy", "gradient × input"):
        found = found_by(method, case)
        assert found.patches.shape == case.grid and np.isfinite(found.patches).all() and found.words.shape == (5,)
        assert METHODS[method].signed or (found.patches >= 0).all()
    flow = follow(case)
    for _, made in rolled(flow):
        assert sum(float(m.sum()) for m in made.values()) == pytest.approx(1, abs=1e-4)


@every
def test_where_there_is_one_stream_it_is_the_rollout_that_was(name: str) -> None:
    model = fresh(name)
    case = case_of(model, noise_clip(caption=SAID))
    try:
        product, tokens, *_ = roll(model, case.batch)
    except Unsupported:
        return
    flow = follow(case)
    layer, rows = flow.read[0]  # what the match is read off
    if len(flow.read) > 1 or len(layer.names) != product.shape[1]:
        return  # words and patches meet in several streams, or only as embeddings
    assert torch.allclose(rolled(flow)[0][1][layer.names], product[0, rows].mean(dim=0), atol=1e-5)


@every
def test_hiding_patches_from_attention_is_what_the_whole_forward_says(name: str) -> None:
    """Also where the clip is embedded once."""
    model = fresh(name)
    case = case_of(model, noise_clip(caption=SAID))
    kept = np.random.default_rng(0).random((3, int(np.prod(case.grid)))) < 0.5
    gone = torch.from_numpy(~kept).view(3, *case.grid)
    for removal, take in REMOVALS.items():
        assert np.allclose(Without(case, removal)(kept), case(take(case.many(3), gone)), atol=1e-4), removal


def test_a_clip_whose_frames_have_a_cls_is_embedded_once() -> None:
    """Hiding a patch hides its frame's [CLS] too, and nothing else changes: no need to look at the clip again."""
    without = Without(case_of(fresh("violet"), noise_clip(caption=SAID)), "attention")
    once = without._once
    assert once is not None and len(once.heads) == 4 and len(once.at) == without.patches
    gone = torch.zeros(1, *without.case.grid, dtype=torch.bool)
    gone[0, 2, 0, 0] = True
    hidden = (~once.mask(gone))[0].nonzero()[:, 0]
    assert len(hidden) == 2 and int(once.heads[2]) in hidden


def test_a_question_is_followed_through_the_bridge() -> None:
    able = [n for n in registry.names() if "answer_embedding" in registry.family(n).heads]
    for name in able:
        case = case_of(fresh(name), noise_clip(), "the [red circle] slides left")
        assert case.words == ("the", "[MASK]", "[MASK]", "slides", "left") and "red circle" in case.what
        for method in ("raw", "rollout", "relevancy", "gradient × input"):
            found = found_by(method, case)
            assert np.abs(found.patches).sum() > 0 and np.abs(found.words).sum() > 0


# ── grounding ──


def test_scores_of_a_map_that_can_be_counted() -> None:
    covered = np.array([1.0, 1, 0, 0])
    assert placed(np.array([3.0, 1, 2, 0]), covered) == {"iou": pytest.approx(1 / 3), "precision": pytest.approx(5 / 6)}
    assert placed(np.array([2.0, 2, 0, 0]), covered) == {"iou": 1, "precision": 1}
    assert placed(np.ones(4), covered)["iou"] == pytest.approx(1 / 3)  # one of two is expected to be right
    assert np.isnan(list(placed(np.ones(4), np.zeros(4)).values())).all()


class Speaking(Evidence):
    """Says a colour by the patches of the toy's clip that have it; p(word) is known to no other."""

    def forward(self, batch: Any) -> Any:
        red, blue = ((batch.video[:, :, a] - batch.video[:, :, b]).clamp(min=0) for a, b in ((0, 2), (2, 0)))
        out = super().forward(batch)
        logits = torch.zeros(*batch.word_ids.shape, self.words.num_embeddings)
        seen = torch.ones(1) if batch.patch_mask is None else batch.patch_mask.float()
        for ids, amount in ((7, red), (8, blue)):
            small = torch.nn.functional.adaptive_avg_pool2d(amount, GRID[1:]) * seen
            logits[..., ids] = 5 * small.sum(dim=(1, 2, 3))[:, None]
        return replace(out, word_logits=logits)


def test_any_method_is_grounded(words: str) -> None:
    model = Speaking(words, one_patch(AT))
    found = ground(model, [make_clip(), make_clip()], method="occlusion", resamples=20)
    assert found.sites == ("occlusion",) and found.best == ("occlusion", 0) and found.clips == 2
    colour = found.roles["colour"]
    assert colour["mass"] > 0.5 * colour["attainable"] and colour["pointing"] == 1 and colour["iou"] > 0.2
    assert colour["precision"] > 0.5 and 0 <= colour["centre"] <= 1 and "beyond_prior" in colour
    assert any("speaks for the word" in note for note in found.notes)
    assert "It points right in" in found.plot().alt
    edges = ground(model, [make_clip()], method="edges", resamples=20)
    assert edges.roles["colour"]["mass"] < colour["mass"]
