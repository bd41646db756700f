"""A case as a function that has gradients: of the frames, or of what enters its layers, and of its words.

What a part is worth is measured from a starting point x′ at which there is nothing to see: the clip's mean colour in
every frame, [MASK] in place of every word (where a tokenizer has none, words stay and have no part).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vtexplore.data.text import vocabulary
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.probes._ask import alone
from vtexplore.probes._case import Case
from vtexplore.probes._places import grid_of, patches
from vtexplore.probes._removal import cells
from vtexplore.probes._videos import apart
from vtexplore.probes.fill_mask import mean_colour
from vtexplore.types import Stream

PLACES = ("pixels", "embeddings")


@dataclass(frozen=True)
class Slope:
    """``ask`` maps inputs [item, …] to numbers [item]; ``x`` and ``start`` are the inputs of the case and x′, [1, …].

    The first input is the video ``of`` PLACES, the second, if it is there, the words' embeddings.
    """

    case: Case
    of: str
    ask: Callable[..., Tensor]
    x: tuple[Tensor, ...]
    start: tuple[Tensor, ...]
    where: np.ndarray | None  # of embeddings: which one is at each place, int [frame, row, column]

    def maps(self, parts: tuple[Tensor, ...]) -> tuple[np.ndarray, np.ndarray]:
        """What each number of the inputs is worth, summed to patches [frame, row, column] and [word]."""
        video = parts[0][0].detach().double()
        if self.where is None:
            by_pixel = video.sum(dim=1)  # [frame, height, width]
            for axis, parts_of in enumerate(self.case.grid):
                index = cells(by_pixel.shape[axis], parts_of, by_pixel.device)
                shape = [*by_pixel.shape[:axis], parts_of, *by_pixel.shape[axis + 1 :]]
                by_pixel = by_pixel.new_zeros(shape).index_add(axis, index, by_pixel)
            patch = by_pixel.cpu().numpy()
        else:
            patch = video.sum(dim=-1).cpu().numpy()[self.where]
        words = np.full(len(self.case.words), np.nan)
        if len(parts) > 1:
            pieces, at = parts[1][0].detach().double().sum(dim=-1).cpu().numpy(), self.case.told.piece_words[0]
            words = np.array([pieces[at == w].sum() for w in range(len(words))])
            words = self.case.without_gap(words)
        return patch, words


def slope_of(case: Case, of: str | None = None) -> Slope:
    """The function. ``of`` None: pixels, or embeddings if no gradient comes through to pixels.

    Raises ``Unsupported`` if none comes through to either, ``ConfigError`` for an unknown place.
    """
    if of is not None and of not in PLACES:
        raise ConfigError(f"Gradients are taken of {' or '.join(PLACES)}, not of {of!r}.")
    for place in PLACES if of is None else (of,):
        slope = _of_pixels(case) if place == "pixels" else _of_embeddings(case)
        if slope is not None and _reaches(slope):
            return slope
    name = getattr(case.model, "name", "this model")
    raise Unsupported(
        f"No gradient of {case.what} comes through to the {of or 'pixels or embeddings'} of {name}. "
        "Take away patches instead: method='occlusion'."
    )


def _reaches(slope: Slope) -> bool:
    with torch.inference_mode(False), torch.enable_grad():
        x = slope.x[0].detach().clone().requires_grad_()
        said = slope.ask(x, *slope.x[1:])
        if not said.requires_grad:
            return False
        (found,) = torch.autograd.grad(said.sum(), [x], allow_unused=True)
    # At pixels a gradient may vanish where the model is sure; where only a [CLS] is read, no patch has any.
    return found is not None and (slope.where is None or bool(found[0][slope.where.ravel()].abs().sum() > 0))


def _of_pixels(case: Case) -> Slope:
    words = _Words.of(case)

    def ask(video: Tensor, *said: Tensor) -> Tensor:
        batch = replace(case.many(len(video)), video=video)
        with words.said(said):
            return case.score(case.model(batch))

    batch = case.batch
    return Slope(case, "pixels", ask, (batch.video, *words.x), (mean_colour(batch).video, *words.start), None)


def _of_embeddings(case: Case) -> Slope | None:
    model = case.model
    if case.batch.question is not None or not apart(model):
        return None
    with torch.no_grad():
        video, _ = model.embed(case.batch)
        even, _ = model.embed(mean_colour(case.batch))
    tokens = video.tokens()[0]
    at = patches(tokens)
    if not at.any() or (where := grid_of(tokens, at)).shape != case.grid:
        return None
    words = _Words.of(case)

    def ask(hidden: Tensor, *said: Tensor) -> Tensor:
        batch = case.many(len(hidden))
        seen = Stream(hidden, video.mask.expand(len(hidden), -1), lambda: [tokens] * len(hidden))
        with words.said(said):
            return case.score(alone(model, case.head, seen, model.text(batch), batch))

    # Where only what stands for patches differs from x', the sum over patches is all of the change.
    start = torch.where(torch.from_numpy(at).to(video.mask.device)[None, :, None], even.hidden, video.hidden)
    return Slope(case, "embeddings", ask, (video.hidden, *words.x), (start, *words.start), where)


@dataclass(frozen=True)
class _Words:
    """The table of a model in which a case's words are looked up, if it can be found; its rows are the inputs."""

    case: Case
    table: nn.Embedding | None
    x: tuple[Tensor, ...]
    start: tuple[Tensor, ...]

    @staticmethod
    def of(case: Case) -> _Words:
        """The first table that is asked for the words' ids (a family may put another token at the end)."""
        if not case.hides_words:
            return _Words(case, None, (), ())
        found: list[tuple[nn.Embedding, Tensor, Tensor]] = []

        def note(module: Any, given: tuple[Any, ...], out: Tensor) -> None:
            if _same(case, given[0]):
                found.append((module, given[0], out.detach()))

        with _hooks(case.model, note), torch.no_grad():
            case.model(case.batch)
        if not found:
            return _Words(case, None, (), ())
        table, ids, rows = found[0]
        mask = vocabulary(case.model.inputs.vocabulary).mask_id
        at = torch.from_numpy(case.told.piece_words[0] >= 0).to(ids.device)
        with torch.no_grad():
            start = table(torch.where(at, torch.full_like(ids, mask), ids))
        return _Words(case, table, (rows,), (start,))

    @contextmanager
    def said(self, rows: tuple[Tensor, ...]) -> Iterator[None]:
        """In this block the model reads these rows in place of the words'."""
        if not rows:
            yield
            return

        def put(module: Any, given: tuple[Any, ...], out: Tensor) -> Tensor | None:
            return rows[0] if module is self.table and _same(self.case, given[0]) else None

        with _hooks(self.case.model, put):
            yield


def _same(case: Case, ids: Tensor) -> bool:
    """Whether ids [item, piece] are those of the case's words, but for one a row."""
    mine = case.told.word_ids
    if ids.dim() != 2 or ids.shape[1] != mine.shape[1]:
        return False
    return bool((ids != mine[:1]).sum(dim=1).max() <= 1)


@contextmanager
def _hooks(model: Any, hook: Callable[..., Any]) -> Iterator[None]:
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding)] if isinstance(model, nn.Module) else []
    handles = [table.register_forward_hook(hook) for table in tables]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
