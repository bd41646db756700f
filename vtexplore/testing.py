"""A model of your own, and a test that it keeps what it promises to probes, views and widgets.

Any ``nn.Module`` is accepted that says what it wants to see, shows its attentions to a tap, and names its positions.
``vtexplore/course/ten_lines.py`` is one. Then

    from vtexplore.testing import check_model
    check_model(Mine(), clip, "a red circle slides left")

raises ``ContractError``, which says each promise that is broken, or returns the promises that were tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.tap import Call, Tap, listening
from vtexplore.data.prepare import prepare
from vtexplore.errors import ContractError
from vtexplore.probes._videos import apart
from vtexplore.record import beside, record
from vtexplore.types import Batch, Clip, Inputs, Output, Stream, Tokens

CLOSE = 1e-4
OF_PLACES = {"code_logits", "order_logits", "relation_logits", "line_logits"}  # heads that say something of each place
PLACES = 3  # patches that are lit, one at a time


@dataclass(frozen=True)
class Kept:
    """The promises that a model was found to keep, and those that could not be tried on it."""

    model: str
    kept: tuple[str, ...]
    untried: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.model} keeps {len(self.kept)} promises:", *(f"  {p}" for p in self.kept)]
        return "\n".join([*lines, *(f"  (not tried: {p})" for p in self.untried)])


@dataclass
class Ear:
    """A listener that keeps all that it is shown."""

    calls: list[Call] = field(default_factory=list)
    states: list[tuple[str, Stream]] = field(default_factory=list)

    def hear(self, call: Call) -> Tensor | None:
        """Keep it."""
        self.calls.append(call)
        return None

    def see(self, site: str, stream: Stream) -> None:
        """Keep it."""
        self.states.append((site, stream))


@dataclass(frozen=True)
class Case:
    """A model, a batch of it with one clip, and what came of it, unheard and heard."""

    model: Any
    batch: Batch
    plain: Output
    heard: Output
    ear: Ear
    ahead: int


def check_model(model: Any, clip: Clip, text: str, *, places: bool = True, frames_ahead: int = 0) -> Kept:
    """Try a model on one clip and one text: does it keep what probes, views and widgets rely on?

    ``places``: also light a patch of the clip and see that the token which changes most is the one whose box and span
    hold it; leave it out for eyes that see far around each place. ``frames_ahead``: so many later frames a token sees.
    Raises ``ContractError``.
    """
    name = getattr(model, "name", type(model).__name__)
    if not isinstance(getattr(model, "inputs", None), Inputs):
        raise ContractError(f"{name} has no `inputs`. Give it vtexplore.types.Inputs: frames, size, words.")
    batch = beside(model, prepare([clip], [text], model.inputs))
    ear = Ear()
    with torch.inference_mode():
        plain = model(batch)
        if not isinstance(plain, Output):
            raise ContractError(f"{name} returned {type(plain).__name__}. Return vtexplore.types.Output.")
        with listening(ear):
            heard = model(batch)
    case = Case(model, batch, plain, heard, ear, frames_ahead)
    broken, kept, untried = [], [], []
    for promise, test in PROMISES.items():
        if promise == LIT and not places:
            untried.append(promise)
            continue
        found = list(test(case))
        if found == [UNTRIED]:
            untried.append(promise)
        elif found:
            broken.append(f"{promise}: {'; '.join(found[:3])}")
        else:
            kept.append(promise)
    if broken:
        raise ContractError("\n  ".join([f"{name} breaks {len(broken)} of {len(PROMISES)} promises.", *broken]))
    return Kept(name, tuple(kept), tuple(untried))


# ── promises: each yields what is wrong, one sentence a fault ─────────────────────────────────────

UNTRIED = "there is nothing to try it on"
Promise = Callable[[Case], Iterator[str]]


def _heads(case: Case) -> Iterator[str]:
    shapes = {
        "match_logits": 1,
        "video_embedding": 2,
        "text_embedding": 2,
        "answer_embedding": 2,
        "answer_logits": 2,
        "word_logits": 3,
        "code_logits": 3,
    }
    if not case.plain.heads():
        yield "no field of Output is filled"
    for head in case.plain.heads():
        said = getattr(case.plain, head)
        if len(said) != len(case.batch) or said.dim() != shapes.get(head, said.dim()):
            yield f"{head} is {list(said.shape)} for a batch of {len(case.batch)}"
        if not bool(said.isfinite().all()):
            yield f"{head} is not finite"
    words = case.plain.word_logits
    if words is not None and words.dim() == 3 and words.shape[1] != case.batch.word_ids.shape[1]:
        yield f"word_logits speak of {words.shape[1]} words, the batch has {case.batch.word_ids.shape[1]}"


def _same(case: Case) -> Iterator[str]:
    for head in case.plain.heads():
        if not torch.equal(getattr(case.plain, head), getattr(case.heard, head)):
            yield f"{head} changes when somebody listens"


def _quiet(case: Case) -> Iterator[str]:
    before = torch.random.get_rng_state()
    with torch.inference_mode():
        again = case.model(case.batch)
    if not torch.equal(before, torch.random.get_rng_state()):
        yield "random numbers are drawn"
    for head in case.plain.heads():
        if not torch.allclose(getattr(case.plain, head), getattr(again, head), atol=1e-5):
            yield f"{head} is another the second time"


def _named(case: Case) -> Iterator[str]:
    sites = [m.site for m in case.model.modules() if isinstance(m, Tap)]
    if not sites:
        yield "there is no Tap in it"
    if not all(sites) or len(set(sites)) < len(sites):
        yield "taps without a name, or two of one name: call name_taps(self) at the end of __init__"
    if silent := set(sites) - {call.site for call in case.ear.calls}:
        yield f"nothing is heard at {', '.join(sorted(silent))}"


def _counted(case: Case) -> Iterator[str]:
    for call in case.ear.calls:
        for what, tokens, there, groups in (
            ("queries", call.queries(), call.q, call.groups),
            ("keys", call.keys(), call.k, call.groups if call.key_groups is None else call.key_groups),
        ):
            if len(tokens) != len(case.batch):
                yield f"{call.site}: Tokens of {what} for {len(tokens)} items, of {len(case.batch)}"
            elif groups is None and {len(t) for t in tokens} != {there.shape[2]}:
                yield f"{call.site}: {len(tokens[0])} Tokens for {there.shape[2]} {what}"
            elif groups is not None and groups.shape[1] != there.shape[2]:
                yield f"{call.site}: groups of {groups.shape[1]} for {there.shape[2]} {what}"
            elif groups is not None and set(groups[groups >= 0].tolist()) != set(range(len(tokens[0]))):
                yield f"{call.site}: groups leave some of {len(tokens[0])} {what} out"
    for site, stream in case.ear.states:
        if {len(t) for t in stream.tokens()} != {stream.hidden.shape[1]}:
            yield f"{site}: {len(stream.tokens()[0])} Tokens for {stream.hidden.shape[1]} states"


def _summed(case: Case) -> Iterator[str]:
    for call in case.ear.calls:
        rows = call.weights().sum(dim=-1)
        off = torch.minimum((rows - 1).abs(), rows.abs()).max()  # a query that may see nothing hears 0
        if not float(off) < CLOSE:
            yield f"{call.site}: rows of weights sum to {float(rows.flatten()[0]):.3g}"


def _worded(case: Case) -> Iterator[str]:
    tried = False
    for call in case.ear.calls:
        for tokens, words in zip((*call.queries(), *call.keys()), (*case.batch.piece_words,) * 2, strict=True):
            at = tokens.where("text")
            tried |= bool(at.any())
            if stray := set(tokens.word[at].tolist()) - set(words.tolist()):
                yield f"{call.site}: a token says it is of word {min(stray)}, which the text has not got"
    if not tried:
        yield UNTRIED


def _placed(case: Case) -> Iterator[str]:
    tried = False
    for call in case.ear.calls:
        for item, tokens in enumerate(call.keys()):
            at = tokens.where("video")
            tried |= bool(at.any())
            box, span, view = tokens.box[at], tokens.span_s[at], case.batch.view[item]
            inside = (box[:, :2] >= view[:2] - CLOSE) & (box[:, 2:] <= view[2:] + CLOSE) & (box[:, :2] < box[:, 2:])
            if not (inside | np.isnan(box[:, :2])).all():
                yield f"{call.site}: a box lies outside what the model sees, or is empty"
            early, late = span[:, 0] < -CLOSE, span[:, 1] > case.batch.durations_s[item] + CLOSE
            if (early | late | (span[:, 0] >= span[:, 1])).any():
                yield f"{call.site}: a span lies outside the clip, or is empty"
    if not tried:
        yield UNTRIED


def _lit(case: Case) -> Iterator[str]:
    first = next((i for i, call in enumerate(case.ear.calls) if _patches(call.keys()[0]).any()), None)
    if first is None:
        yield UNTRIED
        return
    before, tokens = case.ear.calls[first], case.ear.calls[first].keys()[0]
    at = np.flatnonzero(_patches(tokens))
    for token in at[np.linspace(0, len(at) - 1, PLACES).round().astype(int)]:
        ear = Ear()
        with listening(ear), torch.inference_mode():
            case.model(_with_light(case.batch, tokens, int(token)))
        change = _of_keys(before, ear.calls[first], len(tokens))
        most = int(change.argmax())
        sees = case.batch.times_s[0][max(_frames(case.batch, tokens.span_s[token])[0] - case.ahead, 0)]
        start, end = tokens.span_s[most]
        in_time = start <= tokens.span_s[token, 0] + CLOSE and end > sees
        if not (np.array_equal(tokens.box[most], tokens.box[token]) and in_time):
            yield f"{before.site}: light on {tokens.labels[token]} changes {tokens.labels[most]} most"


def _patches(tokens: Tokens) -> np.ndarray:
    return tokens.where("video") & ~np.isnan(tokens.box).any(axis=1) & ~np.isnan(tokens.span_s).any(axis=1)


def _with_light(batch: Batch, tokens: Tokens, token: int) -> Batch:
    """The clip with the inner part of one token's box bright, in the frames of its span."""
    view, box = batch.view[0], tokens.box[token]
    height, width = batch.video.shape[3:]
    inner = (box + np.array([1, 1, -1, -1]) * np.tile((box[2:] - box[:2]) / 6, 2) - np.tile(view[:2], 2)) / np.tile(
        view[2:] - view[:2], 2
    )
    left, top, right, bottom = (inner.clip(0, 1) * [width, height, width, height]).round().astype(int)
    frames = _frames(batch, tokens.span_s[token])
    video = batch.video.clone()
    spot = video[0, frames, :, top : max(bottom, top + 1), left : max(right, left + 1)]
    video[0, frames, :, top : max(bottom, top + 1), left : max(right, left + 1)] = 1 - spot
    return replace(batch, video=video)


def _frames(batch: Batch, span_s: np.ndarray) -> np.ndarray:
    """The frames of the first clip that lie in a span."""
    return np.flatnonzero((batch.times_s[0] >= span_s[0] - CLOSE) & (batch.times_s[0] < span_s[1] + CLOSE))


def _of_keys(before: Call, after: Call, count: int) -> np.ndarray:
    """How much each key changed: [position]."""
    moved = (after.k - before.k)[0].float().norm(dim=-1)  # [window · head, place]
    groups = before.groups if before.key_groups is None else before.key_groups
    if groups is None:
        return np.asarray(moved.sum(dim=0).cpu())
    each = moved.unflatten(0, (len(groups), -1)).sum(dim=1)
    out = torch.zeros(count, device=each.device)
    there = groups >= 0
    out[groups[there]] = each[there]
    return np.asarray(out.cpu())


def _edited(case: Case) -> Iterator[str]:
    with torch.no_grad():
        same = record(case.model, case.batch, rows="all", edit=lambda site, weights: weights).output
        none = record(case.model, case.batch, rows="all", edit=lambda site, weights: weights * 0).output
    for head in case.plain.heads():
        if not torch.allclose(getattr(case.plain, head), getattr(same, head), atol=CLOSE):
            yield f"{head} changes when weights are handed back as they are"
    if all(torch.equal(getattr(same, head), getattr(none, head)) for head in case.plain.heads()):
        yield "nothing changes when all weights are 0: the layers do not use what a listener hands back"


def _dropped(case: Case) -> Iterator[str]:
    gone = replace(case.batch, video_mask=torch.zeros_like(case.batch.has_video))
    with torch.inference_mode():
        one, other = case.model(gone), case.model(replace(gone, video=1 - gone.video))
    for head in set(one.heads()) - OF_PLACES:
        if not torch.allclose(getattr(one, head), getattr(other, head), atol=CLOSE):
            yield f"{head} changes with the pixels of a clip that is hidden (batch.video_mask)"


def _apart(case: Case) -> Iterator[str]:
    if not apart(case.model):  # a model that reads both together from its first layers
        return
    with torch.inference_mode():
        read = case.model.read(*case.model.embed(case.batch), case.batch)
    for head in read.heads():
        whole = getattr(case.plain, head)
        if whole is None or not torch.allclose(getattr(read, head), whole, atol=CLOSE):
            yield f"{head} is not what the whole forward says"


LIT = "light on a patch changes its own token most"
PROMISES: dict[str, Promise] = {
    "heads are finite and as large as the batch": _heads,
    "listening changes nothing": _same,
    "the same is said twice, and nothing is drawn": _quiet,
    "each attention has a tap with a name of its own": _named,
    "there are as many Tokens as positions": _counted,
    "rows of weights sum to 1": _summed,
    "words are the text's": _worded,
    "boxes and spans lie in the clip": _placed,
    LIT: _lit,
    "weights handed back are used": _edited,
    "a hidden clip is not seen": _dropped,
    "what is embedded apart, if anything is, is read as both together": _apart,
}
