"""The same frames in other orders: does the model know in which one they came?

    result = reorder(model, clip, "the red circle slides left and then it spins")
    result.delta()                  how much better the true order scores than the mean of all others
    result.p()                      … and the share of all orders that score at least as well
    result.rho()                    does the score fall with the distance from the true order?
    result.scores[result.named["reversed"]]

With up to 6 frames all orders are tried, with more some are drawn. What changes places is a choice, and four choices
are kept apart (``what``; see ``_moves``): "frames", "tubelets", "features", "places". A model may lose a score because
motion inside its tubelets is gone and not because order is: "tubelets" is the control.

Beside them stand single frames (each repeated, so that nothing moves), a film of one frame in other orders (which can
lose nothing), and no clip at all. With a ``foil`` it is seen which of two texts is chosen. The frame that counts is
the one of which the model is surest; the best one by the right answer is an oracle, and finds by chance what it wants.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.data.prepare import prepare
from vtexplore.probes._ask import about, foil_of, notices, text_of
from vtexplore.probes._moves import WHAT, lost_motion, matched, move
from vtexplore.probes._orders import differences, dose, kendall, orders_of, rank_p, ties
from vtexplore.probes._result import Result
from vtexplore.probes._stills import surest
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.record import beside
from vtexplore.types import Batch, Clip

DRAWS = 199
"""Orders drawn where there are too many to try them all: the least p is then .005."""
STILLS, CONTROLS = 16, 8  # single frames, and orders of a film of one frame, at most
ALPHA = 0.05


@dataclass(frozen=True)
class ReorderResult(Result):
    """``scores`` float32 [order, text] of a clip in the orders ``rows`` int [order, unit], the true one first.

    A unit is a frame or, by ``unit_frames``, several; at place k stands unit ``rows[order, k]``. ``drawn`` bool
    [order]: what the true order is held against; ``named``: rows with a name. ``stills`` float32 [frame, text]: scores
    of single frames, number ``still_frames`` [frame] of the clip. ``still_moved`` float32 [order′, text]: a film of one
    frame in a few orders, the first as it is. ``blind`` float32 [text]: without the clip. ``texts``: the text, and the
    foil if there is one. ``frames`` uint8 [unit, height, width, rgb] and ``times_s`` [unit]: the middle of each.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    texts: tuple[str, ...]
    what: str
    how: str
    rows: np.ndarray
    scores: np.ndarray
    drawn: np.ndarray
    named: dict[str, int]
    unit_frames: int
    still_frames: np.ndarray
    stills: np.ndarray
    still_moved: np.ndarray
    blind: np.ndarray
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def distance(self) -> np.ndarray:
        """int [order]: how many pairs stand the wrong way round."""
        return kendall(self.rows)

    @property
    def all_orders(self) -> bool:
        """Whether every order there is was tried."""
        return bool(1 + self.drawn.sum() == np.prod(np.arange(1, self.rows.shape[1] + 1, dtype=float)))

    def gaps(self, text: int = 0) -> np.ndarray:
        """float [drawn order]: the true order's score less each other's; 0 where they are equal."""
        return differences(self.scores[:, text], self.drawn)

    def delta(self, text: int = 0) -> float:
        """Score in the true order less the mean of the others; 0 if order does not matter. In units of the score."""
        return float(self.gaps(text).mean())

    def p(self, text: int = 0) -> float:
        """The share of orders, the true one included, that score at least as well as it: in (0, 1]."""
        return rank_p(self.gaps(text))

    @property
    def least_p(self) -> float:
        """The smallest p that this many orders can give."""
        return float(1 / (1 + self.drawn.sum()))

    def rho(self, text: int = 0) -> float:
        """Spearman's ρ of score and distance: −1 = the further from the true order, the lower; NaN = all are equal."""
        at = np.flatnonzero(self.drawn | (np.arange(len(self.rows)) == 0))
        return dose(self.scores[at, text], self.rows[at])

    def still_delta(self, text: int = 0) -> float:
        """The same as ``delta`` for a film of one frame: 0, or what moves is more than order."""
        return float(differences(self.still_moved[:, text], np.arange(len(self.still_moved)) > 0).mean())

    # ── two texts ─────────────────────────────────────────────────────────────────────────────────

    @property
    def right(self) -> np.ndarray:
        """float [order]: 1 where the text scores above the foil, 0 below, ½ at a tie; NaN without a foil."""
        return _right(self.scores)

    @property
    def flips(self) -> float:
        """The share of drawn orders in which another text is chosen than in the true one; NaN without a foil."""
        right = self.right
        return float(np.where(np.isnan(right[0]), np.nan, right[self.drawn] != right[0]).mean())

    @property
    def surest_still(self) -> int | None:
        """Which of the single frames the model is surest of, without a look at the answer; None without a foil."""
        return surest(self.stills) if len(self.texts) > 1 else None

    def still_right(self, which: str = "surest") -> float:
        """Whether single frames choose the text: 1, ½ or 0; NaN without a foil.

        "surest": the frame of which the model is surest; "mean": their mean scores; "oracle": any of them, which
        needs the answer to find the frame.
        """
        if len(self.texts) < 2:
            return float("nan")
        if which == "mean":
            return float(_right(self.stills.mean(axis=0, keepdims=True))[0])
        right = _right(self.stills)
        return float(right.max() if which == "oracle" else right[surest(self.stills)])


def _right(scores: np.ndarray) -> np.ndarray:
    """float [item] of scores [item, text]: whether the first of two texts is chosen, ½ at a tie."""
    if scores.shape[1] < 2:
        return np.full(len(scores), np.nan)
    ahead = scores[:, 0].astype(float) - scores[:, 1]
    return (np.sign(np.where(np.abs(ahead) <= ties(scores), 0.0, ahead)) + 1) / 2


def reorder(
    model: Any,
    clip: Clip,
    text: str | None = None,
    *,
    foil: str | None = None,
    what: str = "frames",
    frames: int | None = None,
    draws: int = DRAWS,
    seed: int = 0,
    quiet: bool = False,
) -> ReorderResult:
    """Score a text (None = the clip's caption) beside a clip in all orders, or in ``draws`` of them.

    ``what`` changes places: "frames", "tubelets", "features" or "places". ``frames``: how many of the clip the model
    is shown (None = as many as it was made for). ``foil``: a text that is false of the clip.

    Raises ``Unsupported`` for a family that does not match, or that cannot have such an intervention, ``TextError``
    for a sentence that the model cannot read or a foil that is the text, ``ConfigError`` for an unknown ``what``.
    """
    texts = [text_of(model, clip, text)]
    texts += [] if foil is None else [foil_of(model, clip, texts[0], foil)]
    inputs = model.inputs if frames is None else replace(model.inputs, frames=frames)
    batch = beside(model, prepare([clip], texts, inputs))
    with torch.inference_mode():
        matched(model, batch.take([0]))
    moving = move(model, batch, what)
    orders = orders_of(moving.units, draws, seed)
    scores = moving.scores(orders.rows, quiet)
    middle = batch.video.shape[1] // 2
    control = move(model, _still(batch, middle), what)
    some = np.linspace(0, len(orders.rows) - 1, min(CONTROLS, len(orders.rows))).round().astype(int)
    count = batch.video.shape[1]
    at = (np.arange(min(count, STILLS)) * 2 + 1) * count // (2 * min(count, STILLS))
    times_s = np.asarray(batch.times_s[0], dtype=float)
    shown = times_s[(np.arange(moving.units) * 2 + 1) * count // (2 * moving.units)]
    return ReorderResult(
        texts=tuple(texts),
        what=what,
        how=moving.how,
        rows=orders.rows,
        scores=scores,
        drawn=orders.drawn,
        named=orders.named,
        unit_frames=moving.frames,
        still_frames=at,
        stills=np.stack([_plain(model, _still(batch, int(frame))) for frame in at]),
        still_moved=control.scores(orders.rows[some], every=True),
        blind=_plain(model, replace(batch, video_mask=torch.zeros_like(batch.word_mask[:, 0]))),
        clip=clip.name,
        times_s=shown,
        frames=clip.sample(shown.tolist(), 96 if len(shown) <= STILLS else 48),
        about=about(model, clip) | {"seed": seed},
        notes=(*notices(model, clip), *_flags(model, batch, what, int(orders.drawn.sum())), ONE_CASE),
    )


def _still(batch: Batch, frame: int) -> Batch:
    """The batch with clips of one frame, repeated."""
    video = batch.video[:, frame : frame + 1]
    return replace(batch, video=video.expand_as(batch.video).contiguous())


def _plain(model: Any, batch: Batch) -> np.ndarray:
    """Scores of one forward: float32 [text]."""
    with torch.inference_mode():
        found: np.ndarray = matched(model, batch).float().cpu().numpy()
    return found


def _flags(model: Any, batch: Batch, what: str, drawn: int) -> tuple[str, ...]:
    """What the reader must know of these orders."""
    out = list(lost_motion(model, batch)) if what == "frames" else []
    if 1 / (1 + drawn) > ALPHA:
        out.append(
            f"{1 + drawn} orders cannot give a p below {1 / (1 + drawn):.3f}: one clip of so few frames shows "
            "nothing alone. Ask many clips: compare_orders."
        )
    if what != "frames":
        out.append(f"What changed places: {WHAT[what]}. Other interventions say other things.")
    return tuple(out)
