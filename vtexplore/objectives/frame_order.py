"""Frame order modelling (HERO, Li et al., arXiv 2005.00200, §3.2): some frames change places; where do they belong?"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from vtexplore.objectives.masked_words import IGNORE, choose, loss
from vtexplore.types import Stream

__all__ = ["draw", "loss", "move", "move_in", "targets", "whose"]


def draw(
    may: Bool[Tensor, "batch frame"], rate: float, generator: torch.Generator
) -> tuple[Int[Tensor, "batch frame"], Bool[Tensor, "batch frame"]]:
    """Which frame comes to each place, and which places were chosen.

    Each place that ``may`` be is chosen with probability ``rate``; the chosen frames are shuffled among themselves,
    so that one may end where it was. All others stay.
    """
    chosen = choose(may, rate, generator).to(generator.device)
    count = may.shape[1]
    later = 1 + torch.arange(count, device=generator.device) / count  # who stays comes last, in order
    noise = torch.rand(may.shape, generator=generator, device=generator.device)
    places = torch.where(chosen, later - 1, later).argsort(dim=1)
    frames = torch.where(chosen, noise, later).argsort(dim=1)
    return torch.zeros_like(places).scatter(1, places, frames).to(may.device), chosen.to(may.device)


def move(
    frames: Shaped[Tensor, "clip frame *channel"], order: Int[Tensor, "order frame"]
) -> Shaped[Tensor, "order frame *channel"]:
    """Frames in other orders: at each place, the frame that an order names. See ``whose``."""
    return frames[whose(len(frames), order)[:, None], order]


def move_in(stream: Stream, order: Int[Tensor, "order frame"], each: int) -> Stream:
    """The same of frames of ``each`` tokens that open a stream; what follows stays, and so do the tokens' names."""
    split = order.shape[1] * each
    items = stream.take(whose(len(stream.mask), order))

    def moved(x: Tensor) -> Tensor:
        frames = move(x[:, :split].unflatten(1, (-1, each)), order)
        return torch.cat([frames.flatten(1, 2), x[:, split:]], dim=1)

    return Stream(moved(items.hidden), moved(items.mask), items.tokens)


def whose(clips: int, order: Int[Tensor, "order frame"]) -> Int[Tensor, "order"]:
    """The clip of each order: of a single clip all, of several one each."""
    return torch.arange(len(order), device=order.device) % clips


def targets(order: Int[Tensor, "batch frame"], chosen: Bool[Tensor, "batch frame"]) -> Int[Tensor, "batch frame"]:
    """Where the frame at each chosen place came from; −1 elsewhere."""
    return order.masked_fill(~chosen, IGNORE)
