"""True sentences against false ones: shares with intervals beside chance, and beside what needs no clip."""

from __future__ import annotations

from textwrap import fill
from typing import Any

from vtexplore.views.picture import BODY, CLIP_COLOUR, LARGE, NULL_COLOURS, Picture, origin, source_line, styled
from vtexplore.views.strips import Bar, share_bars, told_p
from vtexplore.views.words import percent

LABELS = {
    "pairwise": ("true above a foil", CLIP_COLOUR),
    "pairwise, no clip": ("… without the clip", NULL_COLOURS[0]),
    "pairwise, another clip": ("… beside another clip", NULL_COLOURS[2]),
    "all foils": ("true above all its foils", CLIP_COLOUR),
    "p_c": ("true sentences believed (p_c)", CLIP_COLOUR),
    "p_f": ("foils rejected (p_f)", CLIP_COLOUR),
    "accuracy": ("mean of the two", CLIP_COLOUR),
    "least": ("the lower of the two", CLIP_COLOUR),
    "AUROC": ("any true above any foil (AUROC)", CLIP_COLOUR),
    "proficiency": ("the simpler pair", NULL_COLOURS[2]),
    "P+T": ("simpler pair and foils (P+T)", CLIP_COLOUR),
}


@styled
def shares(result: Any) -> Picture:
    """A bar for each share."""
    bars: list[Bar] = [
        (LABELS[one.name][0], one.value, one.low, one.high, one.chance, LABELS[one.name][1]) for one in result.shares
    ]
    title = fill(f"True or false? “{result.texts[0][0]}”, or “{result.texts[0][1]}” …", 92)
    head_in, bar_in = 1.35 + 0.3 * title.count("\n"), 0.44
    picture = Picture(height_in=head_in + bar_in * len(bars) + 0.95)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, title, fontsize=LARGE, va="top")
    picture.text(0.03, 1 - (head_in - 0.78) / total_in, said(result), fontsize=BODY, va="top", linespacing=1.35)
    share_bars(picture.add_axes((0.3, 0.85 / total_in, 0.47, bar_in * len(bars) / total_in)), bars)
    source_line(picture, origin(result.about, f"{len(result.clips)} clips; lines: 95 % over clips; |: chance"))
    listed = "; ".join(f"{label}: {percent(value)}" for label, value, *_ in bars)
    picture.alt = f"{said(result)} {listed}."
    return picture


def said(result: Any) -> str:
    """How often the true sentence is chosen, and whether that takes the clip."""
    one, p = result["pairwise"], next(iter(result.tests.values()))
    told = f"The true sentence is above its foil in {percent(one.value)} of cases ({told_p(p)})."
    if "against another clip, McNemar" in result.tests:
        other, p = result["pairwise, another clip"], result.tests["against another clip, McNemar"]
        told += f" Beside another clip: {percent(other.value)} ({told_p(p)} that both are alike)."
    return told
