"""Which of these sentences goes with the clip, and would the model have chosen it for another clip as well?

    result = match(model, clip, ["the red circle slides left", "the red circle slides right"])
    result.best             the sentence with the highest score
    result.margin()         how far the first sentence is ahead of the best of the others

Scores are a family's own (its matching head) and have no unit: only differences between sentences on one clip
mean something. A sentence may score high because it is a likely sentence; the control is the same sentences
beside other clips (``against``), whose mean score is subtracted in ``beyond``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from vtexplore.data.prepare import prepare
from vtexplore.errors import ConfigError
from vtexplore.probes._ask import about, few, needs, notices, text_of
from vtexplore.probes._result import Result, Row, column
from vtexplore.probes.fill_mask import ONE_CASE
from vtexplore.record import beside
from vtexplore.types import Clip

NO_OTHER = "No other clip was asked the same, so what the sentences give away is not known: against=[clip, …]."


@dataclass(frozen=True)
class MatchResult(Result):
    """Scores of sentences beside a clip, ``score`` float32 [text]: higher = a better match.

    ``others`` float32 [clip, text] are the scores beside other clips, named in ``other_clips``; may be empty.
    """

    PICTURES: ClassVar[tuple[str, ...]] = ("frames",)

    texts: tuple[str, ...]
    score: np.ndarray
    others: np.ndarray
    other_clips: tuple[str, ...]
    clip: str
    times_s: np.ndarray
    frames: np.ndarray
    about: dict[str, Any]
    notes: tuple[str, ...]

    @property
    def best(self) -> str:
        """The sentence with the highest score."""
        return self.texts[int(self.score.argmax())]

    @property
    def beyond(self) -> np.ndarray:
        """[text]: each score less the sentence's mean score beside the other clips (unchanged without them)."""
        return self.score - self.others.mean(axis=0) if len(self.others) else self.score

    def margin(self, text: int = 0) -> float:
        """How far a sentence (the first) is ahead of the best of the others; < 0: it is not the best."""
        return float(self.score[text] - np.delete(self.score, text).max())

    def row(self) -> Row:
        """``best``, ``margin``, ``right``: whether the first sentence is ahead; ``score`` of each, by its index."""
        margin = self.margin()
        out: Row = {"text": self.texts[0], "best": self.best, "right": margin > 0, "margin": margin}
        out |= {column("score", i): float(score) for i, score in enumerate(self.score)}
        if len(self.others):
            out |= {column("beyond", i): float(score) for i, score in enumerate(self.beyond)}
        return out


def match(model: Any, clip: Clip, texts: Sequence[str], *, against: Sequence[Clip] = ()) -> MatchResult:
    """Score two sentences or more beside a clip, and beside the clips in ``against``.

    Raises ``TextError`` for a sentence that the model cannot read, ``Unsupported`` for a family that does not
    match, ``ConfigError`` for fewer than two sentences.
    """
    if isinstance(texts, str) or len(texts) < 2:
        raise ConfigError("Matching compares sentences: give two or more.")
    said = [text_of(model, clip, text) for text in texts]
    score, times_s = _scores(model, clip, said)
    others = [_scores(model, other, said)[0] for other in against]
    return MatchResult(
        texts=tuple(said),
        score=score,
        others=np.array(others, dtype=np.float32).reshape(len(against), len(said)),
        other_clips=tuple(c.name for c in against),
        clip=clip.name,
        times_s=times_s,
        frames=clip.sample(times_s.tolist(), 160),
        about=about(model, clip),
        notes=(*notices(model, clip), ONE_CASE, *([] if others else [NO_OTHER])),
    )


def _scores(model: Any, clip: Clip, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """The score of each text beside a clip [text], and some of the times at which the model looked [frame]."""
    batch = prepare([clip], texts, model.inputs)
    with torch.inference_mode():
        output = model(beside(model, batch))
    score: np.ndarray = needs(model, output, "match_logits", "matching").float().cpu().numpy()
    return score, few(batch.times_s[0])
