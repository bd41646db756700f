"""Bars: the words that fit the mask, with the clip, without it and beside others; and what each frame adds."""

from __future__ import annotations

from typing import Any

import numpy as np

from vtexplore.errors import ConfigError
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
from vtexplore.views.words import percent

HATCHES = ("", "///", "...", "xxx")  # told apart without colour
PART_COLOUR, WRONG_COLOUR = "#56b4e9", "#d55e00"  # a part of the clip is seen; another clip
LOOKS = {
    "the clip": (CLIP_COLOUR, ""),
    "no clip": (NULL_COLOURS[0], "///"),
    "even colour": (NULL_COLOURS[1], "..."),
    "mean feature": (NULL_COLOURS[2], "xxx"),
    "other clips": (WRONG_COLOUR, ""),
    "hard wrong clip": (WRONG_COLOUR, "///"),
    "shuffled": (PART_COLOUR, ""),
    "one frame": (PART_COLOUR, "///"),
}


def ranked(result: Any) -> list[str]:
    """The words to show: the likeliest with the clip, and the answer if it is not among them."""
    words = [word for word, _ in result.top()]
    return words if result.answer in (*words, None) else [*words, result.answer]


@styled
def bars(result: Any) -> Picture:
    """For each of the likeliest words, its probability under each condition; above, the frames."""
    words, conditions = ranked(result), result.conditions
    lines = [said(result), *measured(result)]
    count, height, width = result.frames.shape[:3]
    across = min(0.2, (1 - 0.06 - 0.01 * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    row_in = 0.18 * len(conditions) + 0.2
    picture = Picture(height_in=0.75 + frame_in + 0.4 + 0.3 * len(lines) + row_in * len(words) + 0.75)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, sentence(result), fontsize=LARGE, va="top")
    for i in range(count):
        box = (0.03 + i * (across + 0.01), 1 - (0.65 + frame_in) / total_in, across, frame_in / total_in)
        bare(picture.add_axes(box)).imshow(result.frames[i])
    axes = picture.add_axes((0.16, 0.75 / total_in, 0.6, row_in * len(words) / total_in))
    thick = 0.86 / len(conditions)
    for row, name in enumerate(conditions):
        y = np.arange(len(words)) + (row - (len(conditions) - 1) / 2) * thick
        p = [result.probability(word, name) for word in words]
        colour, hatch = LOOKS[name]
        told = label(result, name)
        axes.barh(y, p, thick * 0.92, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=told)
        for at, share in zip(y, p, strict=True):
            axes.text(share + 0.008, at, percent(share), va="center", fontsize=SMALL)
    axes.set_yticks(range(len(words)), [f"{w} ✓" if w == result.answer else w for w in words], fontsize=LARGE)
    axes.set(ylim=(len(words) - 0.5, -0.5), xlim=(0, max(0.1, result.p.max() * 1.12)))
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.tick_params(length=0, labelsize=BODY)
    axes.tick_params(axis="y", labelsize=LARGE)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=BODY)
    under = 1 - (0.65 + frame_in + 0.14) / total_in
    picture.text(0.03, under, "\n".join(lines), fontsize=BODY, va="top", color=FAINT, linespacing=1.35)
    source_line(picture, origin(result.about, result.clip))
    picture.alt = f"{sentence(result)} {'; '.join(lines)}. " + "; ".join(
        f"{word}: " + ", ".join(f"{percent(result.probability(word, c))} {c}" for c in conditions) for word in words
    )
    return picture


@styled
def frames(result: Any) -> Picture:
    """The frames; under each what it adds to the word (Shapley), and what is lost without it alone (occlusion).

    Raises ``ConfigError`` for a result that was not asked for frames.
    """
    if not len(result.seen):
        raise ConfigError("Frames were not asked for one by one: fill_mask(…, frames=True).")
    word, parts, lost = result.word, result.shapley(), result.occlusion()
    count, height, width = result.frames.shape[:3]
    left, gap = 0.13, 0.012
    across = min(0.2, (1 - left - 0.03 - gap * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    picture = Picture(height_in=1.65 + frame_in + 2.6 + 0.65)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, sentence(result), fontsize=LARGE, va="top")
    told = f"What each frame adds to ln p('{word}'): {parts.sum():+z.2f} nats together (all frames less none)"
    how = f"frames that are not seen: {result.removed}"
    picture.text(0.03, 1 - 0.55 / total_in, f"{told}\n{how}", fontsize=BODY, va="top", color=FAINT, linespacing=1.35)
    span = max(float(np.abs([parts, lost]).max()), 0.1) * 1.3
    for i in range(count):
        x = left + i * (across + gap)
        axes = bare(picture.add_axes((x, 1 - (1.65 + frame_in) / total_in, across, frame_in / total_in)))
        axes.imshow(result.frames[i])
        axes.set_title(f"frame {i + 1} · {result.times_s[i]:.1f} s", fontsize=BODY, pad=4)
        axes = picture.add_axes((x, 0.95 / total_in, across, 2.15 / total_in))
        for place, value, colour, hatch, name in (
            (0, parts[i], CLIP_COLOUR, "", "what it adds, on average over all orders (Shapley value)"),
            (1, lost[i], PART_COLOUR, "///", "what is lost without it alone (occlusion)"),
        ):
            axes.bar(place, value, 0.7, color=colour, hatch=hatch, edgecolor="white", linewidth=0, label=name)
            up = value >= 0
            at = value + (0.03 if up else -0.03) * span
            axes.text(place, at, f"{value:+z.2f}", ha="center", va="bottom" if up else "top", fontsize=SMALL)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.set(xlim=(-0.6, 1.6), ylim=(min(0.0, float(np.min([parts, lost])) * 1.3) - 0.02 * span, span), xticks=[])
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(length=0, labelsize=SMALL, labelleft=i == 0)
        if i == 0:
            axes.set_ylabel("nats", fontsize=BODY)
            bars_of = axes.get_legend_handles_labels()
    place_in = (left - 0.01, 0.38 / total_in)
    picture.legend(*bars_of, loc="lower left", bbox_to_anchor=place_in, frameon=False, fontsize=SMALL, ncols=2)
    source_line(picture, origin(result.about, result.clip))
    each = "; ".join(f"frame {i + 1} {parts[i]:+z.2f} (without it alone {lost[i]:+z.2f} lost)" for i in range(count))
    picture.alt = f"{sentence(result)} {told}: {each}; {how}."
    return picture


def label(result: Any, condition: str) -> str:
    """A condition as a picture calls it: how many clips, which frame."""
    more = {
        "the clip": "with the clip",
        "other clips": f"other clips\n(mean of {len(result.others)})",
        "shuffled": f"shuffled\n(mean of {len(result.orders)})",
        "one frame": f"one frame ({result.frame + 1})",
    }
    return more.get(condition, condition)


def measured(result: Any) -> list[str]:
    """Lines: what other clips and other orders make of the word, and what it is among the foils."""
    out, word = [], result.word
    if len(result.others):
        beside = (
            f"beside {len(result.others)} other clips: contrast {result.contrast():+z.2f}, PMI {result.pmi():+z.2f}"
        )
        ordered = f"; order {result.order():+z.2f}" if len(result.orders) else ""
        blind = "".join(f"; KL from {name} {result.kl(name):.2f}" for name in result.nulls[:1])
        out.append(f"{beside}{ordered}{blind} nats")
    if word in result.foils:
        blind = "".join(f", {percent(result.probability(word, n, foils=True))} with {n}" for n in result.nulls[:1])
        right = percent(result.probability(word, foils=True))
        out.append(
            f"among {', '.join(result.foils)}: {right} with the clip{blind} (lift {result.lift(foils=True):+z.2f})"
        )
    return out


def sentence(result: Any) -> str:
    """The text with its gap."""
    return str(result.text).replace("[MASK]", "_____").replace("[mask]", "_____")


def said(result: Any) -> str:
    """What the probe found, in one line: the lift of the answer, or of the first choice."""
    word = result.word
    lift = result.lift(word)
    if np.isnan(lift):
        return f"'{word}' was not asked without the clip"
    times = np.exp(abs(lift))
    factor = f"{times:.0f}" if times >= 10 else f"{times:.1f}"
    verdict = f"{factor} times {'likelier' if lift > 0 else 'less likely'} with the clip than without"
    if abs(lift) < 0.05:
        verdict = "as likely without the clip as with it: guessed from the text"
    return f"'{word}' is {verdict} (lift {lift:+z.2f} nats, the smallest over {len(result.nulls)} nulls)"
