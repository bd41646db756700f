"""What a picture shows, in words: for alt texts, captions and pages that are read aloud."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtexplore.data.text import plain

ROWS, COLUMNS = ("top", "", "bottom"), ("left", "", "right")


def place(row: float, column: float) -> str:
    """A place in a picture, given in 0..1: "top left", "right", "centre"."""
    names = [ROWS[min(2, int(row * 3))], COLUMNS[min(2, int(column * 3))]]
    return " ".join(n for n in names if n) or "centre"


def label(word: str) -> str:
    """A word without the punctuation around it, for an axis."""
    return plain(word) or word


def percent(share: float | np.floating) -> str:
    """0.624 → "62 %"; what rounds to nothing but is not says so."""
    return f"{share:.0%}".replace("%", " %") if share >= 0.005 or share == 0 else "< 1 %"


def head_name(result: Any) -> str:
    """The chosen layer and head: "layers.2, head 1 of 0–3" is how a user asks for it again."""
    if result.site == "rollout":
        return "rollout through all layers"
    return f"{result.site}, mean of heads" if result.head is None else f"{result.site}, head {result.head}"


def where(result: Any, word: int) -> str:
    """What a heat map says: "attention of 'red': 62 % on frame 3, top left, where it is strongest"."""
    heat = result.heat(word)
    total = heat.sum()
    name = label(result.words[word])
    if total < 1e-9:
        return f"attention of '{name}': none on the video"
    frame, row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    look = result.look()
    box = look.tokens.box[result.grid[frame, row, column]]
    spot = place(float(np.clip(box[[1, 3]].mean(), 0, 0.999)), float(np.clip(box[[0, 2]].mean(), 0, 0.999)))
    share = heat.sum(axis=(1, 2)) / total
    best = int(share.argmax())
    return (
        f"attention of '{name}': {percent(share[best])} of what falls on the video is on frame {best + 1} "
        f"({result.times_s[best]:.1f} s); strongest at the {spot} of frame {frame + 1}"
    )


def grounded(result: Any, word: int) -> str:
    """How much of it is on the named thing: "45 % of it is on the red disc (an even map: 3 %)"; "" if not known."""
    score = result.score(word)
    if not score or np.isnan(score["mass"]):
        return ""
    things = " and ".join(result.objects[i] for i in result.named[word])
    even = f"an even map: {percent(score['chance'])}; the best on these patches: {percent(score['attainable'])}"
    return f"{percent(score['mass'])} of its attention to the video is on the {things} ({even})"


def padded(result: Any, word: int) -> str:
    """What of the heat cannot be shown: "12 % is on the padding around the picture"; "" if next to nothing."""
    tokens = result.look().tokens
    patches = result.patches(tokens)
    box = tokens.box[patches]
    beside = (box[:, 2] <= 0) | (box[:, 0] >= 1) | (box[:, 3] <= 0) | (box[:, 1] >= 1)
    heat = result.rows()[word][patches]
    share = heat[beside].sum() / max(float(heat.sum()), 1e-12)
    return f"{percent(share)} is on the padding around the picture" if share >= 0.02 else ""
