"""What holds for every family: read from the registry, so that a new page is tested unseen."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from torch import Tensor, nn

from vtexplore import registry
from vtexplore.blocks.tap import Call, Tap, listening
from vtexplore.data.text import encode
from vtexplore.errors import ConfigError
from vtexplore.probes._ask import ALONE, alone
from vtexplore.record import record
from vtexplore.types import Batch, Inputs, Stream

TEXTS = ("a red circle slides left", "the blue star grows and then it spins", "a green ring vanishes")
VIEW = np.array([-0.25, 0.0, 1.25, 1.0])  # a clip taller than wide, padded at both sides

OF_FRAMES = {"code_logits", "order_logits"}  # heads that say something of each frame, at its own place

every = pytest.mark.parametrize("name", registry.names())


@cache
def mini(name: str) -> Any:
    return fresh(name)


def made_up(inputs: Inputs, texts: tuple[str, ...] = TEXTS) -> Batch:
    """Noise and sentences, as this family wants them."""
    words = encode(list(texts), inputs.max_words, inputs.vocabulary)
    video = torch.rand(len(texts), inputs.frames, 3, inputs.size_px, inputs.size_px)
    batch = Batch.bare(video, torch.from_numpy(words.ids), torch.from_numpy(words.mask))
    view = np.tile(VIEW, (len(texts), 1))
    return replace(batch, view=view, texts=texts, pieces=words.pieces, piece_words=words.piece_words)


@dataclass
class Ear:
    """A listener that keeps everything it is shown."""

    calls: list[Call] = field(default_factory=list)
    seen: list[tuple[str, Stream]] = field(default_factory=list)

    def hear(self, call: Call) -> None:
        self.calls.append(call)

    def see(self, site: str, stream: Stream) -> None:
        self.seen.append((site, stream))


@torch.no_grad()
def heard(model: nn.Module, batch: Batch) -> tuple[Any, Ear]:
    ear = Ear()
    with listening(ear):
        output = model(batch)
    return output, ear


def differ(a: Any, b: Any) -> float:
    """The largest difference between two outputs."""
    assert a.heads() == b.heads()
    return max((getattr(a, h) - getattr(b, h)).abs().max().item() for h in a.heads())


# ── the page ──────────────────────────────────────────────────────────────────────────────────────


@every
def test_the_page_says_who_it_is(name: str) -> None:
    family = registry.family(name)
    assert family.name == name and family.title and family.paper and family.objectives
    assert 2016 <= family.year <= 2030 and family.arxiv[:2] == str(family.year)[2:]
    assert {"mini", "published"} <= set(family.sizes)
    module = __import__(f"vtexplore.models.{name}", fromlist=["FAMILY"])
    assert family.arxiv in module.__doc__ and "Deviations" in module.__doc__
    with pytest.raises(ConfigError, match="mini"):
        registry.build(name, "huge")
    with pytest.raises(ConfigError, match="inputs"):
        registry.build(name, nonsense=1)


@every
def test_heads_are_those_that_the_page_names(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    with torch.no_grad():
        output = model(batch)
    assert output.heads() == registry.family(name).heads
    for head in output.heads():
        assert getattr(output, head).isfinite().all() and len(getattr(output, head)) == len(batch)
    if output.match_logits is not None:
        assert output.match_logits.shape == (len(batch),)
    if output.word_logits is not None:
        assert output.word_logits.shape[1] == batch.word_ids.shape[1]
    _, ear = heard(model, batch)
    if output.code_logits is not None:
        last = ear.seen[-1][1].tokens()[0]
        assert output.code_logits.shape[1] == last.where("video").sum()


@every
def test_every_tap_is_named_and_listened_to(name: str) -> None:
    model = mini(name)
    _, ear = heard(model, made_up(model.inputs))
    sites = [m.site for m in model.modules() if isinstance(m, Tap)]
    assert all(sites) and len(set(sites)) == len(sites)
    assert {c.site for c in ear.calls} == set(sites)
    assert sum(isinstance(m, nn.MultiheadAttention) for m in model.modules()) == 0


@every
def test_as_many_tokens_as_positions(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    _, ear = heard(model, batch)
    for call in ear.calls:
        queries, keys = call.queries(), call.keys()
        assert len(queries) == len(keys) == len(batch)
        if call.groups is None:
            assert {len(t) for t in queries} == {call.q.shape[2]} and {len(t) for t in keys} == {call.k.shape[2]}
        else:
            others = call.groups if call.key_groups is None else call.key_groups
            asking, asked = (g[g >= 0].tolist() for g in (call.groups, others))
            assert sorted(asking) == list(range(len(queries[0]))), call.site
            assert set(asked) == set(range(len(keys[0]))), call.site
            assert call.q.shape[1] % len(call.groups) == 0 and len(others) == len(call.groups)
            assert call.q.shape[2] == call.groups.shape[1] and call.k.shape[2] == others.shape[1]
    for _, stream in ear.seen:
        assert {len(t) for t in stream.tokens()} == {stream.hidden.shape[1]} == {stream.mask.shape[1]}


@every
def test_words_stand_where_their_tokens_say(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    _, ear = heard(model, batch)
    with_words = [s for _, s in ear.seen if any(t.where("text").any() for t in s.tokens())]
    assert with_words
    for item, tokens in enumerate(with_words[-1].tokens()):
        at = tokens.where("text")
        said = [p for p, w in zip(batch.pieces[item], batch.piece_words[item]) if w >= 0]
        times = at.sum() // len(said)  # a text may stand there once for each frame
        assert times >= 1 and [tokens.labels[i] for i in np.flatnonzero(at)] == said * times
        assert (tokens.word[~at] == -1).all() and np.isnan(tokens.box[at]).all()
        pads = np.array(["pad" in m for m in tokens.modality])
        assert (pads == ~with_words[-1].mask[item].numpy()).all()


# ── the patch test ────────────────────────────────────────────────────────────────────────────────


def without_branches(model: nn.Module) -> None:
    """Zero what attention and MLPs add: an attention ends in its last Linear, an MLP is called ``mlp``."""
    for module in model.modules():
        ends = []
        if any(isinstance(child, Tap) for child in module.children()):
            ends.append([c for c in module.children() if isinstance(c, nn.Linear)][-1])
        if isinstance(mlp := getattr(module, "mlp", None), nn.Sequential):
            ends.append([c for c in mlp if isinstance(c, nn.Linear)][-1])
        for end in ends:
            nn.init.zeros_(end.weight)
            nn.init.zeros_(end.bias)


@every
def test_a_lit_patch_lights_its_token(name: str) -> None:
    """Without attention and MLPs, what a patch of pixels changes are tokens whose box and span hold it.

    Where the patch embedding of a frame sees later frames too (``frames_ahead``), the tokens of as many
    earlier frames change as well; the one that changes most is among them, and it is the frame's own for
    the first frame, which nobody sees ahead.
    """
    family = registry.family(name)
    torch.manual_seed(1)
    model = registry.build(name)
    without_branches(model)
    inputs = model.inputs
    batch = made_up(inputs, TEXTS[:1])
    if model.grid(batch)[1:] == (1, 1):
        pytest.skip("no patches; its own test lights stretches of time")
    base = replace(batch, video=torch.full_like(batch.video, 0.5) + 0.01 * batch.video)

    def last_of(shown: Batch) -> Stream:
        """What the last layer that has patches hands on."""
        return [s for _, s in heard(model, shown)[1].seen if s.tokens()[0].where("video").any()][-1]

    last = last_of(base)
    tokens = last.tokens()[0]
    patches = np.flatnonzero(tokens.where("video"))
    side = (tokens.box[patches[0], 2] - tokens.box[patches[0], 0]) / (VIEW[2] - VIEW[0]) * inputs.size_px
    assert side == round(side) and len(patches)
    px, cells = round(side), round(inputs.size_px / side)
    for frame, row, column in ((0, 0, 0), (inputs.frames - 1, cells - 1, 1), (inputs.frames // 2, 1, cells - 1)):
        video = base.video.clone()
        video[0, frame, :, row * px : (row + 1) * px, column * px : (column + 1) * px] = torch.rand(3, px, px)
        lit = last_of(replace(base, video=video)).hidden
        change = (lit - last.hidden)[0].norm(dim=1).numpy()
        x, y = VIEW[:2] + (np.array([column, row]) + 0.5) / cells * (VIEW[2:] - VIEW[:2])
        box, span = tokens.box, tokens.span_s
        here = (box[:, 0] < x) & (x < box[:, 2]) & (box[:, 1] < y) & (y < box[:, 3])
        times = batch.times_s[0, max(frame - family.frames_ahead, 0) : frame + 1]
        then = np.any([(span[:, 0] <= t) & (t < span[:, 1]) for t in times], axis=0)
        assert here[change.argmax()] and then[change.argmax()], (frame, row, column)
        assert set(np.flatnonzero(change > 1e-5)) == set(np.flatnonzero(here & then))
        assert (here & then).sum() == len(times)


# ── arithmetic ────────────────────────────────────────────────────────────────────────────────────


@every
@torch.no_grad()
def test_an_item_does_not_see_its_batch(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    together = model(batch)
    for item in range(len(batch)):
        alone = model(batch.take([item]))
        for head in together.heads():
            assert torch.allclose(getattr(together, head)[item], getattr(alone, head)[0], atol=1e-5)
    twice = model(batch.take([2, 0, 2]))
    for head in twice.heads():
        assert torch.allclose(getattr(twice, head)[0], getattr(twice, head)[2], atol=1e-5)


@every
@torch.no_grad()
def test_videos_and_texts_embedded_apart_are_read_together(name: str) -> None:
    """What measures rest on: embed videos once, and read them beside any texts."""
    model = mini(name)
    batch = made_up(model.inputs)
    video = model.embed(batch)[0]
    turned = torch.tensor([1, 2, 0])
    for shown, items in ((batch.video, torch.arange(3)), (batch.video[turned], turned)):
        apart = model.read(video.take(items), model.text(batch), batch)
        together = model(replace(batch, video=shown))
        assert "match_logits" in apart.heads()
        for head in apart.heads():
            assert torch.allclose(getattr(apart, head), getattr(together, head), atol=1e-5), head


@pytest.mark.parametrize(
    ("name", "head"), [(n, head) for n in registry.names() for head in ALONE if head in registry.family(n).heads]
)
def test_a_head_asked_alone_says_the_same(name: str, head: str) -> None:
    """Who can tell of one head without the others tells the same, also of clips that are not there."""
    model, batch = mini(name), made_up(registry.family(name).inputs())
    batch = replace(batch, video_mask=torch.tensor([True, False, True]))
    with torch.no_grad():
        told, among = (getattr(out, head) for out in (alone(model, head, *model.embed(batch), batch), model(batch)))
    assert told.shape == among.shape and torch.allclose(told, among, atol=1e-5)


@pytest.mark.parametrize("name", [n for n in registry.names() if hasattr(registry.family(n).build, "understand")])
@torch.no_grad()
def test_what_is_seen_and_then_understood_is_what_is_embedded(name: str) -> None:
    model, batch = mini(name), made_up(registry.family(name).inputs())
    video = model.embed(batch)[0]
    found = model.understand(model.see(batch), batch)
    assert torch.allclose(found.hidden, video.hidden, atol=1e-6) and torch.equal(found.mask, video.mask)


@every
@torch.no_grad()
def test_padding_and_dropped_clips_are_not_seen(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    plain = model(batch)
    ids = torch.where(batch.word_mask, batch.word_ids, batch.word_ids.max())
    other = model(replace(batch, word_ids=ids))
    assert torch.allclose(plain.match_logits, other.match_logits, atol=1e-5)
    dropped = replace(batch, video_mask=torch.tensor([True, False, True]))
    a = model(dropped)
    b = model(replace(dropped, video=1 - dropped.video))
    assert not torch.allclose(a.match_logits[0], b.match_logits[0], atol=1e-6)
    for head in set(plain.heads()) - OF_FRAMES:
        gone, other_gone, kept = getattr(a, head)[1], getattr(b, head)[1], getattr(a, head)[0]
        assert gone.isfinite().all() and torch.allclose(gone, other_gone, atol=1e-5), head
        assert torch.allclose(kept, getattr(plain, head)[0], atol=1e-5), head


@every
def test_listening_changes_nothing_and_the_explicit_path_agrees(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    with torch.no_grad():
        plain = model(batch)
    assert differ(heard(model, batch)[0], plain) == 0
    rows = record(model, batch, sites=[m.site for m in model.modules() if isinstance(m, Tap)], rows="all")
    assert differ(rows.output, plain) == 0
    explicit = record(model, batch, sites=tuple(rows.attention), rows="all", explicit=True)
    assert differ(explicit.output, plain) < 1e-5
    assert set(explicit.attention) == set(rows.attention)
    for site, attention in rows.attention.items():
        assert torch.allclose(attention.weights, explicit.attention[site].weights, atol=1e-5), site
        assert torch.allclose(attention.weights.sum(-1), torch.ones(()), atol=1e-5)


@every
@torch.no_grad()
def test_whether_the_order_of_frames_matters(name: str) -> None:
    model = mini(name)
    batch = made_up(model.inputs)
    there, back = model(batch), model(replace(batch, video=batch.video.flip(1)))
    heads = set(there.heads()) - OF_FRAMES
    same = {torch.allclose(getattr(there, h), getattr(back, h), atol=2e-6) for h in heads}
    assert same == {registry.family(name).frames_independent}


# ── training ──────────────────────────────────────────────────────────────────────────────────────


def trained(name: str, generator: torch.Generator) -> tuple[nn.Module, dict[str, Tensor]]:
    torch.manual_seed(2)
    model = registry.build(name).train()
    return model, model.loss(made_up(model.inputs), generator)


@every
def test_losses_reach_every_weight(name: str) -> None:
    model, losses = trained(name, torch.Generator().manual_seed(0))
    assert all(v.dim() == 0 and v.isfinite() for v in losses.values())
    sum(losses.values()).backward()
    without = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not without
    frozen = [n for n, p in model.named_parameters() if not p.requires_grad]
    places = registry.family(name).parts.values()
    prefixes = tuple(p for place in places for p in ([place] if isinstance(place, str) else place.values()))
    assert all(n.startswith(prefixes) for n in frozen)


@every
def test_losses_depend_on_the_generator_alone(name: str) -> None:
    a, b, c = (trained(name, torch.Generator().manual_seed(seed))[1] for seed in (3, 3, 4))
    assert all(torch.equal(a[k], b[k]) for k in a)
    assert any(not torch.equal(a[k], c[k]) for k in a)
