"""What only MERLOT does: a frame a line, untold places, relations, words hidden by the text's own attention."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from fresh import fresh

from vtexplore import registry
from vtexplore.blocks.frames_and_lines import in_rows, one_a_line
from vtexplore.data.prepare import subtitles
from vtexplore.errors import ConfigError
from vtexplore.models.merlot import MERLOT, Config
from vtexplore.tasks import inputs_for, scene_batch
from vtexplore.types import Batch
from vtexplore.world import narration, script


@pytest.fixture(scope="module")
def model() -> Any:
    return fresh("merlot", depth=1)


@pytest.fixture(scope="module")
def told(model: Any) -> Batch:
    """Two scripts of four steps, each narrated without drift: a line a step."""
    scenes = [script(i, 4) for i in range(2)]
    inputs = inputs_for(model.inputs, scenes[0].duration_s)
    batch = scene_batch(scenes, inputs, texts=["a red circle slides left"] * 2)
    return replace(batch, speech=subtitles([narration(s, 0, 0.0, 0.0) for s in scenes], inputs))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_each_line_is_shown_with_the_frame_nearest_to_its_middle(told: Batch) -> None:
    maps = torch.arange(8.0).expand(2, 8).reshape(2, 8, 1, 1, 1)
    batch, shown, there = one_a_line(told, maps)
    middles = told.speech.spans_s.mean(-1)  # type: ignore[union-attr]
    assert shown.shape == (2, 4, 1, 1, 1) and there.all() and batch.times_s.shape == (2, 4)
    assert (abs(batch.times_s - middles) <= 0.51).all(), "frames stand a second apart"
    assert torch.equal(shown.flatten(1), torch.from_numpy(batch.times_s).float() - 0.5)
    silent = replace(told, speech=None)
    assert one_a_line(silent, maps)[1] is maps


@torch.no_grad()
def test_places_may_be_drawn_as_large_as_what_they_are_added_to(model: Any) -> None:
    as_all = fresh("merlot", depth=1, place_std=None)
    for one, in_time, in_a_frame in ((model, 1.0, 0.3), (as_all, 0.049, 0.049)):  # BERT's 0.02, at a width of 128
        assert one.enter.slot.weight.std().item() == pytest.approx(in_time, rel=0.05)
        assert one.enter.cell.cell.std().item() == pytest.approx(in_a_frame, rel=0.05)


@torch.no_grad()
def test_the_sequence(model: Any, told: Batch) -> None:
    video, text = model.embed(told)
    tokens = (video + in_rows(text, 2, 24)).tokens()[0]
    assert model.grid(told) == (4, 3, 3) and len(tokens) == 4 * 10 + 4 * 24 + 24 == 160
    assert tokens.labels[0] == "[CLS] of frame 1" and tokens.labels[11] == "row 1 column 1 of frame 2"
    assert all(tokens.labels[40 + 24 * line] == "[CLS]" for line in range(5)), "a line begins where it always does"
    out = model(told)
    assert out.relation_logits.shape == (2, 4, 4, 4) and out.line_logits.shape == (2, 5, 4, 4)
    assert out.word_logits.shape[:2] == told.word_ids.shape


@torch.no_grad()
def test_a_match_is_read_off_the_relations_of_the_text(model: Any, told: Batch) -> None:
    out = model(told)
    p = out.line_logits[:, -1].softmax(-1)  # [batch, frame, relation]
    assert torch.allclose(out.match_logits, ((1 - p[..., 0]) / p[..., 0]).log().mean(1), atol=1e-4)


@torch.no_grad()
def test_frames_that_nobody_places_are_read_by_what_they_show(model: Any, told: Batch) -> None:
    order = torch.tensor([[0, 1, 2, 3], [3, 1, 0, 2]])
    here, moved = model(told), model.reorder(told, order)
    assert here.heads() == moved.heads()
    assert not torch.allclose(here.relation_logits[0], moved.relation_logits[0], atol=1e-4), "places are not told"
    again = model.reorder(told, order.flip(0))
    assert not torch.allclose(moved.line_logits, again.line_logits, atol=1e-5)


@torch.no_grad()
def test_only_the_places_that_are_told_differ(model: Any, told: Batch) -> None:
    """Unknown places: had they one embedding, frames could be exchanged, and their relations with them."""
    same = fresh("merlot", depth=1)
    same.enter.slot.weight[same.config.first_unknown :] = same.enter.slot.weight[same.config.first_unknown]
    order = torch.tensor([[2, 0, 3, 1]] * 2)
    straight, moved = (same.reorder(told, o).relation_logits for o in (torch.arange(4).expand(2, 4), order))
    rows = torch.arange(2)[:, None, None]
    assert torch.allclose(moved, straight[rows, order[:, :, None], order[:, None]], atol=1e-4)


@torch.no_grad()
def test_what_is_hidden_of_a_frame_goes_where_the_frame_goes(model: Any, told: Batch) -> None:
    lit = torch.rand(2, 8, 3, 3, generator=seeded()) < 0.5
    batch, _, _ = one_a_line(replace(told, patch_mask=lit), torch.zeros(2, 8, 1, 1, 1))
    at = torch.from_numpy(batch.times_s - 0.5).long()
    assert torch.equal(batch.patch_mask, lit[torch.arange(2)[:, None], at]), "the line's own frame's"  # type: ignore[arg-type]
    order = torch.tensor([[3, 1, 0, 2]] * 2)
    sees = [model.look(replace(told, patch_mask=mask))[0] for mask in (lit, torch.zeros_like(lit))]
    seen, dark = sees[0].mask.unflatten(1, (4, 10)), sees[1].mask
    assert torch.equal(seen[..., 1:].flatten(2), batch.patch_mask.flatten(2)) and not dark.any()  # type: ignore[union-attr]
    heard: list[Any] = []
    listening = model.enter.register_forward_pre_hook(lambda _, given: heard.append(given[0]))
    try:
        model.reorder(replace(told, patch_mask=lit), order)
    finally:
        listening.remove()
    assert torch.equal(heard[0].mask.unflatten(1, (4, 10)), seen[torch.arange(2)[:, None], order])


@torch.no_grad()
def test_a_frame_of_which_nothing_is_seen_knows_its_place_and_nothing_else(model: Any, told: Batch) -> None:
    dark, again = (
        model(replace(told, video=video, patch_mask=torch.zeros(2, 8, 3, 3, dtype=torch.bool)))
        for video in (told.video, 1 - told.video)
    )
    assert torch.allclose(dark.relation_logits, again.relation_logits, atol=1e-5), "nothing is seen"
    assert (dark.relation_logits[:, 0] - dark.relation_logits[:, 1]).abs().max() > 1e-3, "frames differ by their places"


def test_losses_with_speech_reach_every_weight(told: Batch) -> None:
    model = fresh("merlot", depth=1).train()
    losses = model.loss(told, seeded())
    assert set(losses) == {"pairs", "words", "relations"} and all(v > 0 for v in losses.values())
    sum(losses.values()).backward()
    assert not [n for n, p in model.named_parameters() if p.grad is None]


def test_as_released_every_pair_hardly_counts(told: Batch) -> None:
    """Places that tell nothing begin at 16, and count as known below 64."""
    meant, released = (fresh("merlot", depth=1, known_below=below, shuffle_rate=1.0) for below in (16, 64))
    a, b = (model.loss(told, seeded())["relations"] for model in (meant, released))
    assert Config().known_below == 64 and 0 < b.item() < 0.1 * a.item()


@torch.no_grad()
def test_words_are_hidden_in_proportion_to_a_pass_over_language_alone(
    model: Any, told: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vtexplore.objectives import attended_spans

    kept = []
    draw = attended_spans.draw

    def spy(received: Any, may: Any, *rest: Any) -> Any:
        kept.append((received, may))
        return draw(received, may, *rest)

    monkeypatch.setattr(attended_spans, "draw", spy)
    model.loss(told, seeded())
    model.loss(replace(told, video=1 - told.video), seeded())
    (received, may), (same, _) = kept
    assert torch.equal(received, same), "no frame has a say"
    assert received.shape == may.shape == (2, 4 * 24) and (received[may] > 0).all()
    assert not may[:, ::24].any(), "the first token of a line is never hidden"


def test_more_frames_than_places(model: Any) -> None:
    long = Batch.bare(torch.rand(1, 33, 3, 96, 96), torch.tensor([[2, 9, 3]]))
    with torch.no_grad(), pytest.raises(ConfigError, match="33 frames are too many"):
        model(long)


@torch.no_grad()
def test_from_pixels_through_the_papers_stem() -> None:
    from vtexplore.blocks.resnet_stem import StemConfig

    torch.manual_seed(0)
    stem = StemConfig(depths=(1, 1, 1), widths=(8, 8, 8), groups=4)
    small = registry.build("merlot", stem=stem, width=16, depth=1, inner=32)
    out = small(Batch.bare(torch.rand(2, 4, 3, 96, 96), torch.tensor([[2, 9, 3]] * 2)))
    assert out.relation_logits.shape == (2, 4, 4, 4) and out.match_logits.isfinite().all()


def test_the_papers_size() -> None:
    """A frame of 384 px is 24 × 24 cells, pooled to 12 × 12, behind a [CLS]."""
    with torch.device("meta"):
        model = MERLOT(Config())
    shown = Batch.bare(torch.empty(1, Config().inputs.frames, 3, 384, 384, device="meta"), torch.zeros(1, 3).long())
    assert model.grid(shown) == (5, 12, 12)
    assert len(model.fusion.layers) == len(model.frames.layers.layers) == 12
    assert 2.0e8 < sum(p.numel() for p in model.parameters()) < 2.6e8
