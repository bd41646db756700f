"""What of a clip changes places, and the scores that follow: four interventions that are never mixed.

    frames     the frames, before the model sees them
    tubelets   whole groups of frames that the model takes in as one, so that motion inside a group stays
    features   what the model made of each frame in the true order; places in time stay where they were
    places     the places in time alone; what was seen, and in which order, stays

"frames", "features" and "places" say the same of a model that encodes frames one by one, and of no other: where
frames have met before, features carry motion with them that pixels in another order would have lost.

Where a clip's frames (or tubelets) turn out to be encoded independently, they are encoded once and read in all
orders. Nobody is believed: the clip backwards, and in an order that is drawn, is embedded to see whether it gives the
very tokens, in that order. Otherwise every order is a forward of its own, several at a time. Orders in which only
equals change places show the same, and are asked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from vtexplore.blocks.embeddings import PatchPlaces, WordEmbeddings
from vtexplore.blocks.video_swin import PatchEmbedding
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._ask import matches, needs
from vtexplore.probes._videos import apart
from vtexplore.probes.retrieve import EQUAL
from vtexplore.record import frames_of, record
from vtexplore.types import Batch, Stream

WHAT = {
    "frames": "frames, before the model sees them",
    "tubelets": "whole tubelets: motion inside them stays",
    "features": "what was made of each frame in the true order",
    "places": "places in time, nothing else",
}
ONCE = "encoded once, read in all orders"
FORWARDS, READS = 8, 64  # clips at one time: more would not fit into a processor's cache

Ask = Callable[[np.ndarray], Tensor]
"""Orders [order, unit] to scores [order, text], for a few orders at a time."""


@dataclass(frozen=True)
class Move:
    """How a clip's orders are asked for: ``units`` change places, of ``frames`` frames each; ``how``, in words.

    ``kinds`` int [unit]: units of one kind hold the very same.
    """

    units: int
    frames: int
    how: str
    ask: Ask
    at_once: int
    kinds: np.ndarray

    def scores(self, rows: np.ndarray, quiet: bool = True, every: bool = False) -> np.ndarray:
        """Orders int [order, unit] to scores float32 [order, text]; ``every`` one is asked, equal or not."""
        from tqdm.auto import tqdm

        seen = np.arange(len(rows))[:, None] if every else self.kinds[rows]
        _, first, same = np.unique(seen, axis=0, return_index=True, return_inverse=True)
        asked, out = rows[first], []
        with torch.inference_mode(), tqdm(total=len(asked), unit="order", disable=quiet or len(asked) < 100) as bar:
            for start in range(0, len(asked), self.at_once):
                some = asked[start : start + self.at_once]
                out.append(self.ask(some).float().cpu().numpy())
                bar.update(len(some))
        return np.asarray(np.concatenate(out)[same.ravel()])


def tube(model: Any, batch: Batch) -> tuple[int, bool]:
    """How many frames the model takes in as one, 1 or more, and whether such groups overlap."""
    frames = batch.video.shape[1]
    slots = model.grid(batch)[0] if hasattr(model, "grid") else frames
    if slots < frames:
        return -(-frames // slots), False
    tubes = [m for m in _parts(model, PatchEmbedding) if m.patch[0] > m.stride[0]]
    return (tubes[0].patch[0], True) if tubes else (1, False)


def lost_motion(model: Any, batch: Batch, whole: bool = False) -> tuple[str, ...]:
    """The notice that frames in another order lose more than their order, where a model takes in several as one.

    ``whole``: groups that do not overlap stayed together, and so lost nothing.
    """
    each, overlap = tube(model, batch)
    if each == 1 or (whole and not overlap):
        return ()
    among, control = "overlapping groups" if overlap else "groups", 'what="tubelets"'
    return (
        f"The model takes in {among} of {each} frames at a time, so frames in another order lose motion inside "
        f"them as well. The control is {f'reorder(…, {control})' if whole else control}.",
    )


@torch.inference_mode()
def move(model: Any, batch: Batch, what: str) -> Move:
    """The intervention ``what`` on a batch that holds one clip beside each text, on the model's device.

    Raises ``ConfigError`` for an unknown one, ``Unsupported`` where a model cannot have it.
    """
    frames, name = batch.video.shape[1], getattr(model, "name", type(model).__name__)
    if what == "frames":
        return _at_input(model, batch, 1)
    if what == "tubelets":
        each, overlap = tube(model, batch)
        if overlap:
            asked = partial(_tubes_moved, model, batch)
            return Move(frames, each, "one forward an order", asked, _at_once(FORWARDS, batch), np.arange(frames))
        if each == 1 or frames % each:
            raise Unsupported(f"{name} takes frames one by one, so there are no tubelets. Move what='frames'.")
        return _at_input(model, batch, each)
    if what in ("features", "places"):
        once = Once.of(model, batch)
        if once is None:
            raise Unsupported(
                f"{name} does not say what it makes of each frame before it reads them together. Move what='frames'."
            )
        found = _features(once) if what == "features" else _places(once)
        count = len(once.slots)
        return Move(count, frames // count, ONCE, found, _at_once(READS, batch), np.arange(count))
    raise ConfigError(f"What changes places is one of {', '.join(WHAT)}; not {what!r}.")


def matched(model: Any, batch: Batch) -> Tensor:
    """The matching scores of a batch [item]; ``Unsupported`` for a model without that head."""
    if apart(model):
        video, text = model.embed(batch)
        return torch.as_tensor(matches(model, video, text, batch))
    return torch.as_tensor(needs(model, model(batch), "match_logits", "matching"))


# ── a clip embedded once ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Once:
    """One clip, embedded, and the texts beside it; ``slots`` are the positions of each stretch of time.

    ``early``: not as it is embedded in the end, but as its stretches are seen before the model ``understand``s them
    together.
    """

    model: Any
    batch: Batch
    video: Stream
    text: Stream
    slots: np.ndarray
    early: bool = False

    @staticmethod
    def of(model: Any, batch: Batch, early: bool = False) -> Once | None:
        """None where a model does not embed videos and texts apart, or its tokens are of no one time each."""
        if not apart(model) or (early and not hasattr(model, "understand")):
            return None
        video = _looked(model, batch.take([0]), early)
        slots = frames_of(video.tokens()[0])
        if not slots or len({len(at) for at in slots}) > 1:
            return None
        return Once(model, batch, video, model.text(batch), np.stack(slots), early)

    def moved(self, rows: np.ndarray) -> Tensor:
        """What stands at each stretch of time, in other orders: [order, token, channel]; all else stays."""
        return self.video.hidden[0][torch.from_numpy(moved_index(self.slots, len(self.video), rows))]

    def ask(self, rows: np.ndarray) -> Tensor:
        """Scores [order, text] of the clip in other orders."""
        return self.read(self.moved(rows))

    def read(self, hidden: Tensor) -> Tensor:
        """Scores [order, text] of one embedded clip in several orders [order, token, channel]."""
        count, texts = len(hidden), len(self.batch)
        nothing = torch.zeros(count * texts, dtype=torch.long, device=hidden.device)
        if self.early:
            alone = _repeated(self.batch.take([0]), count)
            hidden = self.model.understand(self.video.take(nothing[:count]).with_hidden(hidden), alone).hidden
        video = self.video.take(nothing).with_hidden(hidden.repeat_interleave(texts, dim=0))
        text = self.text.take(torch.arange(texts, device=hidden.device).repeat(count))
        return torch.as_tensor(matches(self.model, video, text, _repeated(self.batch, count))).view(count, texts)


def _looked(model: Any, batch: Batch, early: bool) -> Stream:
    """Videos as they are embedded, or ``early``, as each of their stretches is seen."""
    found: Stream = model.see(batch) if early else model.embed(batch)[0]
    return found


def moved_index(slots: np.ndarray, length: int, rows: np.ndarray) -> np.ndarray:
    """Positions whose content comes to each position, int [order, length]: slot k holds what was in slot row[k]."""
    index = np.tile(np.arange(length), (len(rows), 1))
    index[:, slots.ravel()] = slots[rows].reshape(len(rows), -1)
    return index


def _repeated(batch: Batch, count: int, video: Tensor | None = None) -> Batch:
    """A clip's batch [text] so many times over [count · text], with a video each [count, …] or its own."""
    texts = len(batch)
    many = replace(batch, video=batch.video[:, :0]).take([*range(texts)] * count)
    shown = batch.video[:1].expand(count * texts, -1, -1, -1, -1) if video is None else video
    return replace(many, video=shown if video is None or texts == 1 else shown.repeat_interleave(texts, dim=0))


# ── frames and tubelets ───────────────────────────────────────────────────────────────────────────


def _at_input(model: Any, batch: Batch, each: int) -> Move:
    """Groups of ``each`` frames change places before the model sees them."""
    units = batch.video.shape[1] // each

    def shown(rows: np.ndarray) -> Tensor:
        frames = (rows[:, :, None] * each + np.arange(each)).reshape(len(rows), -1)
        return batch.video[0][torch.from_numpy(frames)]

    for early in (False, True):
        once = Once.of(model, batch, early)
        if once is not None and _independent(once, units, shown):
            kinds = _kinds(once.video.hidden[0][torch.from_numpy(once.slots)])
            return Move(units, each, ONCE, once.ask, _at_once(READS, batch), kinds)

    def ask(rows: np.ndarray) -> Tensor:
        return matched(model, _repeated(batch, len(rows), shown(rows))).view(len(rows), len(batch))

    kinds = _kinds(batch.video[0, : units * each].unflatten(0, (units, each)))
    return Move(units, each, "one forward an order", ask, _at_once(FORWARDS, batch), kinds)


def _at_once(clips: int, batch: Batch) -> int:
    """Orders at one time, each beside all texts."""
    return max(1, clips // len(batch))


def _kinds(units: Tensor) -> np.ndarray:
    """Units [unit, …] with the very same content get one number: int [unit]."""
    return np.array([next(i for i in range(len(units)) if torch.equal(units[i], one)) for one in units])


def _independent(once: Once, units: int, shown: Callable[[np.ndarray], Tensor]) -> bool:
    """Whether a clip in another order is embedded as the very same tokens in that order."""
    if len(once.slots) != units:
        return False
    rows = np.stack([np.arange(units)[::-1], np.random.default_rng(0).permutation(units)])
    alone = once.batch.take([0, 0])
    return _same(_looked(once.model, replace(alone, video=shown(rows)), once.early).hidden, once.moved(rows))


def _same(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=EQUAL, atol=EQUAL)


def _tubes_moved(model: Any, batch: Batch, rows: np.ndarray) -> Tensor:
    """Overlapping tubelets change places where they leave the patch embedding, each with its motion."""
    index = torch.from_numpy(rows).repeat_interleave(len(batch), dim=0)
    items = torch.arange(len(index))[:, None]
    hooks = [m.register_forward_hook(lambda _, __, out: out[items, index]) for m in _parts(model, PatchEmbedding)]
    try:
        return matched(model, _repeated(batch, len(rows))).view(len(rows), len(batch))
    finally:
        for hook in hooks:
            hook.remove()


# ── features and places ───────────────────────────────────────────────────────────────────────────


def _features(once: Once) -> Ask:
    """What was made of each stretch of time changes places."""
    if (found := _patch_places(once)) is not None:
        module, patches = found
        return lambda rows: once.read(module(patches[0][torch.from_numpy(rows)]))
    alone = once.batch.take([0])
    still = once.model.embed(replace(alone, video=alone.video[:, :1].expand_as(alone.video).contiguous()))[0].hidden
    if not _same(still[0][once.slots], still[0][once.slots[:1]].expand(*once.slots.shape, -1)):
        raise Unsupported(
            f"What {getattr(once.model, 'name', 'this model')} makes of a frame holds its place in time already, so "
            "the two cannot be parted. Move what='frames'."
        )
    return once.ask


def _places(once: Once) -> Ask:
    """Each stretch of time gets the place of another: where its features would stand, had they been moved."""
    if (found := _patch_places(once)) is not None:
        module, patches = found
        time = module.time[0, : len(once.slots)]  # [slot, 1, channel]

        def ask(rows: np.ndarray) -> Tensor:
            times = time[torch.from_numpy(rows.argsort(axis=1))]
            return once.read(functional_call(module, {"time": times}, (patches.expand(len(rows), -1, -1, -1, -1),)))

        return ask
    positions = [m.position for m in _parts(once.model, WordEmbeddings)]
    joint = _joint_slots(once)
    heard: list[int] = []
    if positions and joint is not None:
        slots, length = joint
        asked = partial(_positions_moved, once, positions, slots, length, heard)
        asked(np.arange(len(slots))[None])
        if heard:
            return asked
    raise Unsupported(
        f"{getattr(once.model, 'name', 'This model')} gives frames no places in time, or "
        "none that could be moved alone. Move what='frames'."
    )


def _positions_moved(
    once: Once, positions: list[nn.Embedding], slots: np.ndarray, length: int, heard: list[int], rows: np.ndarray
) -> Tensor:
    """Places are looked up in other orders wherever the joint sequence gets its places."""
    index = torch.from_numpy(moved_index(slots, length, rows.argsort(axis=1)))

    def swap(_: nn.Module, asked: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        (place,) = asked
        if place.dim() != 2 or place.shape[1] != length:
            return None
        heard.append(length)
        return (place.gather(1, index.to(place.device).repeat_interleave(len(once.batch), dim=0)),)

    hooks = [position.register_forward_pre_hook(swap) for position in positions]
    try:
        return once.read(once.video.hidden.expand(len(rows), -1, -1))
    finally:
        for hook in hooks:
            hook.remove()


def _joint_slots(once: Once) -> tuple[np.ndarray, int] | None:
    """Where each stretch of time stands in a sequence that holds words and video, and that sequence's length."""
    for stream in record(once.model, once.batch.take([0]), hidden=True).hidden.values():
        tokens = stream.tokens()[0]
        slots = frames_of(tokens)
        if tokens.where("text").any() and len(slots) == len(once.slots) and len({len(at) for at in slots}) == 1:
            return np.stack(slots), len(tokens)
    return None


def _patch_places(once: Once) -> tuple[PatchPlaces, Tensor] | None:
    """The block that gives patches their places, and what it is given, if what it says is the embedded clip."""
    for module in _parts(once.model, PatchPlaces):
        given: list[Tensor] = []
        hook = module.register_forward_pre_hook(lambda _, asked, given=given: given.append(asked[0]))
        try:
            video = once.model.embed(once.batch.take([0]))[0].hidden
        finally:
            hook.remove()
        if given and _same(module(given[0]), video):
            return module, given[0]
    return None


def _parts(model: Any, kind: type) -> list[Any]:
    return [m for m in model.modules() if isinstance(m, kind)] if isinstance(model, nn.Module) else []
