"""Zero-shot action classification by a sentence with gaps (VideoBERT, Sun et al., arXiv 1904.01766, table 1).

The sentence is "the [MASK] [MASK] [MASK] [MASK]", the scene has a single event, and all gaps are asked at once: is the
shape among the likeliest words of the second, and the verb among those of the third? (The fourth is for where to, which
colour, or "now": no caption of this world ends with a bare verb.) Scenes show every verb as often as any other, or
"slides" would be a good guess. All words of the vocabulary are candidates, and every annotator's word is right; words
of several pieces are not, neither as answers nor as truth. The same sentence without the clip is what the language
alone would say.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from vtexplore.data.text import vocabulary
from vtexplore.measures.looks import SHOWN, ask
from vtexplore.measures.tally import Tally, rounds
from vtexplore.probes._nulls import hidden
from vtexplore.probes.cloze import TEMPLATE, names_of
from vtexplore.tasks import scene_batch
from vtexplore.types import Stream
from vtexplore.world import SHAPES_THEME, Scene, Theme, sample_scene

ASKED = {"noun": (1, "shape"), "verb": (2, "verb")}  # which gap, and the role of the word that fills it
AMONG = {"first": 1, "among five": 5}
SCENES = 64  # at one time


def cloze(model: Any, n: int, seed: int, tally: Tally, quiet: bool = False) -> None:
    """On ``n`` held-out scenes of one event: with the clip, without it, and with another's."""
    rng = np.random.default_rng([seed, 0xC102])
    for start, some in rounds(n, SCENES, "filling gaps", quiet):
        _ask(model, [even_scene(rng) for _ in range(some)], tally, start)


def even_scene(rng: np.random.Generator, theme: Theme = SHAPES_THEME) -> Scene:
    """A held-out scene of one event, every verb as likely as any other: four directions share "slides"."""
    verbs: dict[Any, list[str]] = {}
    for kind in theme.kinds(1):
        verbs.setdefault(theme.actions[kind].says[0], []).append(kind)
    chosen = list(verbs.values())[int(rng.integers(len(verbs)))]
    return sample_scene(rng, "heldout", theme=theme, form="one", kinds=[chosen[int(rng.integers(len(chosen)))]])


def _ask(model: Any, scenes: list[Scene], tally: Tally, first: int) -> None:
    batch = scene_batch(scenes, model.inputs, texts=[TEMPLATE] * len(scenes))
    gaps = (batch.word_ids[0] == vocabulary(model.inputs.vocabulary).mask_id).nonzero().flatten()
    video = model.embed(batch)[0]
    # Nobody looks at a clip that is hidden, so its pixels need not go through the eyes again.
    gone = Stream(video.hidden, video.mask & False, video.tokens)
    wrong = video.take(torch.arange(len(scenes)).roll(1))
    for look, shown in (("true", video), ("hidden", gone), ("wrong", wrong)):
        beside = hidden(batch) if look == "hidden" else batch
        for some, output in ask(model, shown, range(len(scenes)), beside, "word_logits"):
            for name, (gap, role) in ASKED.items():
                likeliest = output.word_logits[:, gaps[gap]].topk(max(AMONG.values())).indices
                for i, said in enumerate(likeliest.tolist(), some.start):
                    right = _ids(model, names_of(scenes[i].caption.words, scenes[i].theme)[role])
                    for among, k in AMONG.items():
                        tally.add(f"cloze {name}, {among}: {SHOWN[look]}", bool(right & set(said[:k])), first + i)


def _ids(model: Any, words: tuple[str, ...]) -> set[int]:
    """The ids of those words that are a single piece."""
    known = vocabulary(model.inputs.vocabulary)
    return {ids[0] for ids in (known.word(word)[0] for word in words) if len(ids) == 1}
