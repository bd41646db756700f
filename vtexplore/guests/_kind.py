"""What is known of a guest's architecture: a row of rules, and how a batch becomes its inputs and its outputs ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from vtexplore.guests._parts import Part
from vtexplore.types import Batch, Output, Stream


@dataclass(frozen=True)
class Wants:
    """What an architecture takes: ``frames`` (None: a picture, so any number of frames one by one), its square's
    ``size_px``, its grid (slots, rows, columns; slots 0: one a frame), places for ``words`` (0: it does not read),
    ``regions`` channels of a region's features (0: none)."""

    frames: int | None = None
    size_px: int = 32
    grid: tuple[int, int, int] = (0, 1, 1)
    words: int = 0
    regions: int = 0


@dataclass(frozen=True)
class Feed:
    """A batch as a guest reads it: ``inputs`` by transformers' names, and the ``parts`` that its sites speak of."""

    inputs: Mapping[str, Any]
    parts: Mapping[str, Part]


@dataclass(frozen=True)
class Towers:
    """An architecture whose two towers do not see each other: what it makes of clips, what of texts, and what its
    heads say where the two ``meet``. ``see`` and ``hear`` give [batch, token, channel]."""

    see: Callable[[Any, Batch], Stream]
    hear: Callable[[Any, Batch], Stream]
    meet: Callable[[Any, Stream, Stream, Batch], Output]


def _nothing(guest: Any, batch: Batch) -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass(frozen=True)
class Kind:
    """An architecture of transformers; the last lines of its page.

    ``sites`` and ``states`` are rules, see ``_hearing.find``; ``optional``: names in paths of sites that some
    configurations lack. ``small(class, words)`` makes a tiny model with fresh weights and so many words; ``classes``
    are those of transformers that can be wrapped. ``around`` stands about each forward. ``hides_patches``: one patch
    can be hidden, so that nothing said depends on it. ``frames_independent``: frames are seen one by one, and scores
    are their mean. ``towers``: how clips and texts are asked for apart; None where they meet from the first layers.
    """

    title: str
    paper: str
    sites: tuple[tuple[str, ...], ...]
    wants: Callable[[Any], Wants]
    feed: Callable[[Any, Batch], Feed]
    say: Callable[[Any, Any, Batch], Output]
    classes: tuple[str, ...]
    small: Callable[[str, int], Any]
    states: tuple[tuple[str, ...], ...] = ()
    around: Callable[[Any, Batch], AbstractContextManager[Any]] = field(default=_nothing)
    optional: tuple[str, ...] = ()
    hides_patches: bool = False
    frames_independent: bool = False
    towers: Towers | None = None


LAYERS = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
"""What most small guests are made of."""


def tiny(config: str, model: str, **settings: Any) -> Any:
    """A model of transformers with fresh weights, by the names of its config and class."""
    transformers: Any = import_module("transformers")
    return getattr(transformers, model)(getattr(transformers, config)(**settings))


# ── what pages share ──────────────────────────────────────────────────────────────────────────────


def worded(batch: Batch, frames: int = 1) -> dict[str, Tensor]:
    """Texts by transformers' names, each once a frame: [batch · frame, word]."""
    named = {"input_ids": batch.word_ids, "attention_mask": batch.word_mask.long()}
    return {name: x.repeat_interleave(frames, dim=0) for name, x in named.items()}


def watched(guest: Any, out: Any, batch: Batch) -> Output:
    """What a model that only watches says: its classes, or a vector (the pooled one, or the mean of all states)."""
    if "logits" in out:
        return Output(answer_logits=out.logits)
    pooled = out.get("pooler_output")
    return Output(video_embedding=out.last_hidden_state.mean(dim=1) if pooled is None else pooled)


def mean_of_frames(x: Any, frames: int) -> Any:
    """What is said of each frame, a tensor [batch · frame, …], as one mean [batch, …]; None stays None."""
    return None if x is None else x.unflatten(0, (-1, frames)).mean(dim=1)


def square(px: Any, patch: Any) -> tuple[int, int]:
    """Rows and columns of a picture's patches; either may be given as one number or two."""
    height, width = (px, px) if isinstance(px, int) else px
    down, across = (patch, patch) if isinstance(patch, int) else patch
    return height // down, width // across


def unit(x: Tensor) -> Tensor:
    """Vectors of length 1."""
    return torch.nn.functional.normalize(x, dim=-1)
