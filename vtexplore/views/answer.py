"""A question with choices: which one, and what in the frames speaks for it."""

from __future__ import annotations

from textwrap import fill, shorten
from typing import Any

import numpy as np

from vtexplore.errors import ConfigError, Unsupported
from vtexplore.views.masked_word import HATCHES
from vtexplore.views.overlay import colour_bar, outline, shining, sides_bar, spread, top_of, two_sided
from vtexplore.views.picture import (
    BODY,
    CLIP_COLOUR,
    FAINT,
    LARGE,
    NULL_COLOURS,
    SMALL,
    WIDTH_IN,
    Picture,
    bare,
    origin,
    source_line,
    styled,
)
from vtexplore.views.words import head_name, percent, place

PART_COLOUR = "#56b4e9"  # a part of the clip is seen
MARGIN, GAP = 0.03, 0.012


@styled
def choices(result: Any) -> Picture:
    """The frames with the question's attention on them, and bars: each choice under all conditions."""
    count, height, width = result.frames.shape[:3]
    across = min(0.19, (1 - 2 * MARGIN - 0.16 - GAP * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    order = np.argsort(-result.scores[0], kind="stable")
    row_in = 0.19 * len(result.conditions) + 0.16
    question = fill(gap(result), 92)
    head_in = 0.75 + 0.3 * question.count("\n")
    picture = Picture(height_in=head_in + frame_in + 1.15 + row_in * len(order) + 0.95)
    total_in = picture.get_figheight()
    picture.text(MARGIN, 1 - 0.14 / total_in, question, fontsize=LARGE, va="top")
    bottom = 1 - (head_in + frame_in) / total_in
    _row(picture, result, _question_map(result), bottom, across, frame_in / total_in)
    looks = MARGIN + count * (across + GAP)
    picture.text(looks + 0.003, bottom, fill(_where(result), 19), fontsize=SMALL, va="bottom", color=FAINT)

    axes = picture.add_axes((0.25, 0.95 / total_in, 0.47, row_in * len(order) / total_in))
    thick = 0.84 / len(result.conditions)
    for row, name in enumerate(result.conditions):
        y = np.arange(len(order)) + (row - (len(result.conditions) - 1) / 2) * thick
        p = [result.probability(int(i), name) for i in order]
        colour, hatch = _bar(result, row)
        label = f"with {name}" if row == 0 else result.labels[row]
        axes.barh(y, p, thick * 0.92, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=label)
        for at, share, i in zip(y, p, order, strict=True):
            cosine = f"  (cosine {result.scores[0, i]:+z.2f})" if row == 0 else ""
            axes.text(share + 0.008, at, percent(share) + cosine, va="center", fontsize=SMALL)
    axes.axvline(1 / len(order), color=FAINT, linewidth=1, linestyle=":")
    names = [fill(result.choices[i] + (" ✓" if i == result.right else ""), 22) for i in order]
    axes.set_yticks(range(len(order)), names, fontsize=LARGE)
    top = max(result.probability(int(i), name) for i in order for name in result.conditions)
    axes.set(ylim=(len(order) - 0.5, -0.5), xlim=(0, max(0.2, top * 1.3)))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value) if value < 1.01 else "")
    axes.set_xlabel("share of the choices (softmax of cosine); dotted: all alike", fontsize=SMALL)
    axes.tick_params(length=0, labelsize=BODY)
    axes.tick_params(axis="y", labelsize=LARGE)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.04, 0.5), frameon=False, fontsize=BODY)
    picture.text(MARGIN, bottom - 0.2 / total_in, fill(said(result), 126), fontsize=BODY, va="top")
    source_line(picture, origin(result.about, _clip(result), "attention: " + head_name(result)))
    listed = "; ".join(
        f"{result.choices[i]}: "
        + ", ".join(f"{percent(result.probability(int(i), c))} with {c}" for c in result.conditions)
        for i in order
    )
    picture.alt = f"{gap(result)} {said(result)} {listed}."
    return picture


@styled
def overlay(
    result: Any, choice: str | int | None = None, foil: str | int | None = None, scale: str = "global"
) -> Picture:
    """The frames with one map on them: the question's attention, or what speaks for a ``choice``.

    With a ``foil``, what speaks for the choice rather than for the foil: orange for, purple against. ``scale``
    "global" compares frames, "frame" gives each its own. A white line is around what the phrase names, if known.
    """
    if scale not in ("global", "frame"):
        raise ConfigError(f"Unknown scale {scale!r}; there are global and frame.")
    heat = result.heat(choice, foil)
    count, height, width = result.frames.shape[:3]
    bar = 0.075
    across = (1 - 2 * MARGIN - bar - GAP * (count - 1)) / count
    frame_in = across * WIDTH_IN * height / width
    question = fill(gap(result), 92)
    head_in = 1.05 + 0.3 * question.count("\n")
    picture = Picture(height_in=head_in + frame_in + 0.85)
    total_in = picture.get_figheight()
    picture.text(MARGIN, 1 - 0.16 / total_in, question, fontsize=LARGE, va="top")
    told = _named(result, choice, foil) + _strongest(result, heat)
    told += "" if foil is None else " Orange: for it; purple: for the other."
    picture.text(MARGIN, 1 - (head_in - 0.45) / total_in, told, fontsize=BODY, va="top")
    axes = _row(picture, result, heat, 0.85 / total_in, across, frame_in / total_in, foil is not None, scale)
    for i, one in enumerate(axes):
        one.set_xlabel(f"frame {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, labelpad=5)
    place_of_bar = (1 - MARGIN - bar + 0.022, 0.85 / total_in, 0.014, frame_in / total_in)
    if foil is None:
        colour_bar(picture, heat, scale, place_of_bar)
    else:
        sides_bar(picture, heat, scale, place_of_bar)
    source_line(picture, origin(result.about, _method(result, choice), _clip(result)))
    on = _on(result, choice) if foil is None else ""
    picture.alt = f"{count} frames of {result.clip}. {gap(result)} {told}{' ' + on if on else ''}"
    return picture


@styled
def options(result: Any) -> Picture:
    """A row of frames for the question, and one for each choice, best first, with its own map."""
    count, height, width = result.frames.shape[:3]
    order = np.argsort(-result.scores[0], kind="stable")
    left = 0.2
    frame_in = min(1.0, 0.16 * WIDTH_IN * height / width)  # seven rows fit on a slide
    across = min(frame_in * width / height / WIDTH_IN, (0.62 - GAP * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    question = fill(gap(result), 92)
    head_in = 0.75 + 0.3 * question.count("\n")
    picture = Picture(height_in=head_in + (frame_in + 0.12) * (len(order) + 1) + 0.5)
    total_in = picture.get_figheight()
    picture.text(MARGIN, 1 - 0.14 / total_in, question, fontsize=LARGE, va="top")
    listed = []
    for row, at in enumerate((None, *map(int, order))):
        heat = result.heat(at)
        bottom_in = total_in - head_in - (row + 1) * (frame_in + 0.12)
        _row(picture, result, heat, bottom_in / total_in, across, frame_in / total_in, left=left)
        middle = (bottom_in + frame_in / 2) / total_in
        name = "the question\nlooks here" if at is None else f"{fill(result.choices[at], 18)}"
        if at is not None:
            name += f"{' ✓' if at == result.right else ''}\n{percent(result.probability(at))}"
        picture.text(left - 0.015, middle, name, fontsize=BODY, ha="right", va="center")
        told = _on(result, at) or _strongest(result, heat)
        right = left + count * (across + GAP)
        picture.text(right, middle, fill(told, max(14, round((1 - right) * 120))), fontsize=SMALL, va="center")
        listed.append(f"{_named(result, at)}{told}")
    source_line(picture, origin(result.about, "rows: own scale each; of a choice: gradient × attention", _clip(result)))
    picture.alt = f"{gap(result)} " + " ".join(listed)
    return picture


def _bar(result: Any, row: int) -> tuple[str, str]:
    """Colour and hatch of a condition: blue if the clip is seen, grey or yellow if not."""
    if row == 0:
        return CLIP_COLOUR, HATCHES[0]
    if result.conditions[row] not in result.nulls:
        return PART_COLOUR, HATCHES[1]
    return NULL_COLOURS[(row - 1) % len(NULL_COLOURS)], HATCHES[row % len(HATCHES)]


# ── words ─────────────────────────────────────────────────────────────────────────────────────────


def gap(result: Any) -> str:
    """The question, with one gap for each run of erased words."""
    words = ["_____" if w.strip(",") == "[MASK]" else w for w in result.question.split()]
    return " ".join(w for i, w in enumerate(words) if w != "_____" or i == 0 or words[i - 1] != "_____")


def said(result: Any) -> str:
    """Which choice comes first, and what the clip has to do with it."""
    first = result.best
    if first is None:
        return "Several choices share the first place."
    lift, nulls = result.lift(first), len(result.nulls)
    right = ""
    if result.right is not None:
        right = ", which is right" if first == result.choices[result.right] else f"; '{result.phrase}' was erased"
    times = np.exp(abs(lift))
    verdict = f"{times:.1f} times {'likelier' if lift > 0 else 'less likely'} with the clip than without"
    if abs(lift) < 0.05:
        verdict = "as likely without the clip as with it"
    told = f"'{first}' comes first{right}. It is {verdict} (lift {lift:+z.2f} nats, the smallest over {nulls} nulls)."
    parts = [i for i, name in enumerate(result.conditions) if i and name not in result.nulls]
    return " ".join([told, *(_part(result, row) for row in parts)])


def _part(result: Any, row: int) -> str:
    """What comes first with a part of the clip."""
    first = result.first(result.conditions[row])
    if first is None:
        return f"With {result.labels[row]}, several share the first place."
    return f"With {result.labels[row]}, '{first}' comes first{', too' if first == result.best else ''}."


def _where(result: Any) -> str:
    return "where the question looks, the same for all choices" if _question_map(result) is not None else ""


def _named(result: Any, choice: str | int | None, foil: str | int | None = None) -> str:
    if choice is None:
        return "Where the question looks (the same for all choices): "
    name = f"What speaks for '{result.choices[result.choice(choice)]}'"
    return f"{name}: " if foil is None else f"{name} rather than '{result.choices[result.choice(foil)]}': "


def _strongest(result: Any, heat: np.ndarray) -> str:
    """Where a map is strongest."""
    if not np.abs(heat).max() > 0:
        return "nothing in the frames."
    frame, row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    box = result.patches.box[result.grid[frame, row, column]]
    spot = place(float(np.clip(box[[1, 3]].mean(), 0, 0.999)), float(np.clip(box[[0, 2]].mean(), 0, 0.999)))
    return f"strongest at the {spot} of frame {frame + 1} ({result.times_s[frame]:.1f} s)."


def _on(result: Any, choice: str | int | None) -> str:
    """How much of a map is on what the erased phrase names; "" if not known."""
    score = result.score(choice)
    if not score or np.isnan(score["mass"]):
        return ""
    things = " and ".join(result.objects)
    return f"{percent(score['mass'])} of it is on the {things} (an even map: {percent(score['chance'])})."


def _method(result: Any, choice: str | int | None) -> str:
    return f"attention, {head_name(result)}" if choice is None else "gradient × attention, all layers"


def _clip(result: Any) -> str:
    return shorten(result.clip, 48, placeholder=" …")


# ── frames ────────────────────────────────────────────────────────────────────────────────────────


def _question_map(result: Any) -> np.ndarray | None:
    try:
        heat: np.ndarray = result.heat()
    except Unsupported:  # no grid of patches
        return None
    return heat


def _row(
    picture: Picture,
    result: Any,
    heat: np.ndarray | None,
    bottom: float,
    across: float,
    tall: float,
    sides: bool = False,
    scale: str = "global",
    left: float = MARGIN,
) -> list[Any]:
    """The frames in a row, with a map on them and what the phrase names in a white line."""
    count, height, width = result.frames.shape[:3]
    drawn = []
    for i in range(count):
        axes = bare(picture.add_axes((left + i * (across + GAP), bottom, across, tall)))
        pixels = result.frames[i] / 255
        if heat is not None:
            here = spread(heat[i], result.patches.box[result.grid[i]], height, width)
            reference = heat if scale == "global" else heat[i]
            pixels = two_sided(pixels, here / max(float(np.abs(reference).max()), 1e-12)) if sides else pixels
            pixels = pixels if sides else shining(result.frames[i], here / top_of(reference))
        axes.imshow(pixels, extent=(0, width, height, 0))
        for mask in () if result.masks is None else result.masks[:, i]:
            outline(axes, mask)
        drawn.append(axes)
    return drawn
