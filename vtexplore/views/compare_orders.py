"""What order means to a model over many clips: differences clip by clip, shares with intervals, and the controls."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    INK,
    LARGE,
    NULL_COLOURS,
    SMALL,
    Picture,
    origin,
    source_line,
    styled,
)
from vtexplore.views.strips import Bar, plain, share_bars, told_p

BARS = {
    "arrow": ("forwards above backwards", CLIP_COLOUR),
    "arrow, reversible": ("… where both look the same", NULL_COLOURS[0]),
    "accuracy": ("text above foil: in order", CLIP_COLOUR),
    "accuracy, shuffled": ("… in other orders", NULL_COLOURS[2]),
    "accuracy, surest frame": ("… the surest single frame", NULL_COLOURS[2]),
    "accuracy, mean frame": ("… mean of single frames", NULL_COLOURS[2]),
    "accuracy, oracle frame": ("… oracle frame (biased)", NULL_COLOURS[0]),
    "accuracy, no clip": ("… no clip", NULL_COLOURS[0]),
    "flips": ("shuffles that change the choice", NULL_COLOURS[1]),
}


@styled
def intervals(result: Any) -> Picture:
    """Above, Δ of each clip and its mean beside the film of one frame; below, shares with what chance gives."""
    bars: list[Bar] = []
    for name, (label, colour) in BARS.items():
        if name in result:
            one = result[name]
            bars.append((f"{label} ({one.clips})", one.value, one.low, one.high, one.chance, colour))
    head_in, delta_in, bar_in = 1.65, 1.4, 0.42
    picture = Picture(height_in=head_in + delta_in + 0.95 + bar_in * len(bars) + 0.85)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, "Does order matter?", fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.5 / total_in, said(result), fontsize=BODY, va="top", linespacing=1.35)
    axes = picture.add_axes((0.3, (total_in - head_in - delta_in) / total_in, 0.44, delta_in / total_in))
    _differences(axes, result)
    lower = picture.add_axes((0.3, 0.75 / total_in, 0.44, bar_in * len(bars) / total_in))
    share_bars(lower, bars)
    lines = "lines: 95 % over clips; |: chance; (n) clips"
    source_line(picture, origin(result.about, f"moved: {result.what}", f"{len(result.clips)} clips", lines))
    listed = "; ".join(f"{label}: {value:.0%}" for label, value, *_ in bars)
    picture.alt = f"{said(result)} {listed}.".replace("\n", " ")
    return picture


def said(result: Any) -> str:
    """The difference, its tests, and what is left of the accuracy."""
    one, tests = result["Δ"], result.tests
    many = f"{len(result.clips)} clip{'s' if len(result.clips) > 1 else ''}"
    first = (
        f"{many} in {result.orders} orders: Δ = {one.value:+z.3f} [{one.low:+z.3f}, {one.high:+z.3f}], "
        f"{told_p(tests['Δ, sign flip'])} (sign flip), "
        f"{told_p(tests['rank of the true order, Stouffer'])} (ranks, Stouffer)."
    )
    parts = []
    if "ρ" in result:
        rho = result["ρ"]
        parts.append(f"Score and distance: ρ = {rho.value:+z.2f} [{rho.low:+z.2f}, {rho.high:+z.2f}].")
    if "retention" in result:
        kept = result["retention"]
        parts.append(
            f"Shuffling leaves {kept.value:.0%} [{kept.low:.0%}, {kept.high:.0%}] of the accuracy above chance."
        )
    if "video gain" in result:
        gain = result["video gain"]
        parts.append(f"Video gain {gain.value:+z.2f} [{gain.low:+z.2f}, {gain.high:+z.2f}].")
    return "\n".join([first, " ".join(parts[:1]), " ".join(parts[1:])]).rstrip()


def _differences(axes: Any, result: Any) -> None:
    rng = np.random.default_rng(0)
    for y, (name, label) in enumerate(
        (("Δ", "true order less others (Δ)"), ("Δ, one frame repeated", "… of one frame repeated"))
    ):
        values, one = result.each[:, result.names.index(name)], result[name]
        jitter = (rng.random(len(values)) - 0.5) * 0.5
        colour = CLIP_COLOUR if y == 0 else NULL_COLOURS[2]
        axes.plot(values, y + jitter, "o", color=colour, markersize=5, alpha=0.5, mew=0)
        ends = np.nan_to_num([one.value - one.low, one.high - one.value])
        axes.errorbar(one.value, y, xerr=ends[:, None].clip(0), fmt="D", color=INK, markersize=7, capsize=5)
        told = f"{one.value:+z.3f}  [{one.low:+z.3f}, {one.high:+z.3f}]"
        axes.text(1.03, y, told, va="center", fontsize=BODY, transform=axes.get_yaxis_transform())
        axes.text(-0.02, y, label, va="center", ha="right", fontsize=BODY, transform=axes.get_yaxis_transform())
    axes.axvline(0, color=FAINT, linewidth=1)
    axes.set(yticks=[], ylim=(1.6, -0.6))
    axes.margins(x=0.08)
    axes.set_xlabel("matching score (no unit); a dot: one clip", fontsize=SMALL)
    plain(axes)
