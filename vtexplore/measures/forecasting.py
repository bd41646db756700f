"""What comes next? Visual words of longer videos, some moments ahead (VideoBERT, Sun et al., arXiv 1904.01766, §4.6).

A model reads every r-th word of a held-out script up to a moment, back to its beginning, and is asked for the next, r
moments later. Most of the time little happens, so the last word is a strong answer, and common words are common: an
answer is worth what it adds to these two, ``copy the last word`` (then the commonest others) and ``unigram`` (the
commonest words of training scripts).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.measures.tally import Tally, rounds
from vtexplore.probes.forecast import foresee
from vtexplore.tasks import inputs_for, scene_batch
from vtexplore.world import script
from vtexplore.world.act import DURATION_S
from vtexplore.world.script import STEP_S

STEPS = 8
AHEAD = (1, 2, 4)  # moments
AMONG = {"forecast, {} ahead, among five: {}": 5, "first guess, {} ahead: {}": 1}
SCRIPTS = 8  # at one time
TRAIN_SCRIPTS = 128  # in which words are counted
SEQUENCES = 512


def forecasting(model: Any, n: int, seed: int, tally: Tally, quiet: bool = False) -> None:
    """On as many held-out scripts as are as long as ``n`` clips."""
    rng = np.random.default_rng([seed, 0xF0CE])
    count = max(1, round(n * DURATION_S / (STEPS * STEP_S)))
    known = script_codes(model, min(TRAIN_SCRIPTS, count), "train", rng, quiet)
    codes = script_codes(model, count, "heldout", rng, quiet)
    ask(model, codes, torch.bincount(known.flatten()), tally)


def script_codes(model: Any, count: int, split: str, rng: np.random.Generator, quiet: bool = False) -> Tensor:
    """The visual words of scripts of a split, at the model's own rate: int64 [script, moment]."""
    inputs = inputs_for(model.inputs, STEPS * STEP_S)
    out = []
    for _, some in rounds(count, SCRIPTS, f"reading {split} scripts", quiet, "script"):
        scenes = [script(rng, STEPS, split) for _ in range(some)]
        out.append(model.codes(scene_batch(scenes, inputs, texts=[""] * len(scenes))))
    return torch.cat(out)


def ask(model: Any, codes: Tensor, counts: Tensor, tally: Tally, ahead: tuple[int, ...] = AHEAD) -> None:
    """Every moment from which all of ``ahead`` can be foreseen, given ``codes`` [script, moment]; ``counts`` [word]."""
    moments, most = codes.shape[1], max(AMONG.values())
    common = counts.argsort(descending=True, stable=True).tolist()[: most + 1]
    for last in range(max(ahead) - 1, moments - max(ahead)):  # one earlier word at each pace, where there is one
        for step in ahead:
            parts = [foresee(model, some, step) for some in codes[:, : last + 1].split(SEQUENCES)]
            said = torch.cat(parts).topk(most).indices
            for i, (own, truth, now) in enumerate(
                zip(said.tolist(), codes[:, last + step].tolist(), codes[:, last].tolist())
            ):
                answers = {
                    "the model": own,
                    "unigram": common,
                    "copy the last word": [now, *(c for c in common if c != now)],
                }
                for name, k in AMONG.items():
                    for who, answer in answers.items():
                        tally.add(name.format(step, who), truth in answer[:k], i)
