"""Frames as players: what is each worth, alone and beside the others, when any of them may be missing?

    seen = subsets(4)                       every choice of four frames, bool [16, 4]
    worth = …                               what is scored when only these are seen, [16, …]
    shapley(worth).sum(0)                   = worth of all − worth of none (efficiency)

A frame's Shapley value (1953) is what it adds, on average over all orders in which frames may join. It is summed from
all 2^T subsets. captum's ``ShapleyValues`` comes to the same values, through T! orders of T steps each: 322560
questions for 8 frames in place of 256. (A test holds one to the other where both can be had.)
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from math import comb
from typing import Any

import numpy as np
import torch

from vtexplore.errors import Unsupported
from vtexplore.probes._videos import Watched, apart, joined
from vtexplore.record import beside
from vtexplore.types import Batch, Stream

MOST = 8
"""Players at most (2⁸ subsets); of more frames, neighbours play together."""

SAME = 1e-4
"""States of a video that differ by less are the same."""

HIDDEN, PAINTED = "hidden from attention", "painted in the clip's mean colour"


# ── the sums ──────────────────────────────────────────────────────────────────────────────────────


def subsets(players: int) -> np.ndarray:
    """Every choice of players: bool [2^players, player]; player i is bit i of the row's number."""
    return (np.arange(2**players)[:, None] >> np.arange(players) & 1).astype(bool)


def shapley(worth: np.ndarray) -> np.ndarray:
    """Exact Shapley values of a game: ``worth`` [2^players, …] in the order of ``subsets`` to [player, …].

    φ_i = Σ over S without i of |S|! (T − |S| − 1)! / T! · (worth of S with i − worth of S).
    """
    players = (len(worth) - 1).bit_length()
    rows, size = np.arange(2**players), subsets(players).sum(axis=1)
    out = []
    for i in range(players):
        without = rows[rows >> i & 1 == 0]
        share = 1 / (players * np.array([comb(players - 1, int(s)) for s in size[without]]))
        out.append(np.tensordot(share, worth[without | 1 << i] - worth[without], axes=1))
    return np.stack(out)


def occlusion(worth: np.ndarray) -> np.ndarray:
    """What is lost when one player leaves all others: ``worth`` [2^players, …] to [player, …]."""
    players = (len(worth) - 1).bit_length()
    return np.stack([worth[-1] - worth[(2**players - 1) ^ 1 << i] for i in range(players)])


# ── the videos ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Players:
    """A clip's frames as a game.

    ``videos`` holds the clip with only some players seen, in the order of ``subsets``; ``slots`` says which of the
    model's frames (or moments) each player is; ``removed`` how one is taken away. ``wiped``, if frames are hidden
    from attention: for each player the clip without it, its pixels gone, too.
    """

    videos: Watched
    slots: tuple[tuple[int, ...], ...]
    removed: str
    wiped: Watched | None


def slots_of(model: Any, batch: Batch) -> int:
    """How many frames a model tells apart: those of its grid, or of the video."""
    return int(model.grid(batch)[0]) if hasattr(model, "grid") else int(batch.video.shape[1])


def play(model: Any, batch: Batch, removed: str | None = None) -> Players:
    """The game of the frames of a batch's one clip.

    ``removed``: ``HIDDEN`` or ``PAINTED``; None = hidden where the model can do it. With no frame left the clip is
    hidden as a whole, or all of one colour: what is explained is the difference to that null.
    """
    slots = slots_of(model, batch)
    parts = tuple(tuple(int(i) for i in part) for part in np.array_split(np.arange(slots), min(slots, MOST)))
    seen = np.zeros((2 ** len(parts), slots), dtype=bool)  # [subset, slot]
    for i, part in enumerate(parts):
        seen[:, part] = subsets(len(parts))[:, [i]]
    if removed != PAINTED and apart(model) and hasattr(model, "grid"):
        with suppress(*([Unsupported] if removed is None else [])):  # a model from which no patch can be hidden
            wiped = joined([hiding(model, painted(batch, row, slots), row) for row in _each_alone(parts, slots)])
            return Players(_hidden(model, batch, seen, parts), parts, HIDDEN, Watched(model, wiped))
    rows = joined([painted(batch, row, slots) for row in seen])
    return Players(Watched(model, rows), parts, PAINTED, None)


def hiding(model: Any, batch: Batch, seen: np.ndarray) -> Batch:
    """The batch with some frames hidden from attention, and without its clip if none is ``seen``, bool [slot]."""
    mask = torch.from_numpy(seen)[None, :, None, None].expand(len(batch), *model.grid(batch))
    there = batch.has_video & bool(seen.any())
    return replace(batch, patch_mask=mask.to(batch.video.device), video_mask=there)


def painted(batch: Batch, seen: np.ndarray, slots: int) -> Batch:
    """The batch with some frames in the clip's mean colour; ``seen`` bool [slot]."""
    mean = batch.video.mean(dim=(1, 3, 4), keepdim=True)
    there = torch.from_numpy(seen.repeat(batch.video.shape[1] // slots)).to(batch.video.device)
    return replace(batch, video=torch.where(there[None, :, None, None, None], batch.video, mean))


def _each_alone(parts: tuple[tuple[int, ...], ...], slots: int) -> list[np.ndarray]:
    """For each player everything but it: bool [slot] each."""
    return [~np.isin(np.arange(slots), part) for part in parts]


def _hidden(model: Any, batch: Batch, seen: np.ndarray, parts: tuple[tuple[int, ...], ...]) -> Watched:
    """The clip with only some frames seen. A model whose eyes do not care which are hidden looks only once."""
    batch = beside(model, batch)
    whole = np.ones(seen.shape[1], dtype=bool)
    rows = joined([hiding(model, batch, row) for row in (whole, *_each_alone(parts, seen.shape[1]))])
    with torch.inference_mode():
        video = model.embed(rows)[0]
    mask = video.mask
    if torch.where(mask[..., None], video.hidden - video.hidden[:1], 0).abs().max() > SAME:
        return Watched(model, joined([hiding(model, batch, row) for row in seen]))
    out = mask[:1].repeat(len(seen), 1)
    for i, alone in enumerate(mask[1:]):
        out[[row for row in range(len(seen)) if not row >> i & 1]] &= alone
    out[0] = False
    tokens = video.tokens
    stream = Stream(video.hidden[:1].expand(len(seen), -1, -1), out, lambda: tokens()[:1] * len(seen))
    return Watched(model, batch.take([0] * len(seen)), stream)
