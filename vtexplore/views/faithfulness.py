"""Methods side by side: their maps on one clip, their curves, and what is left of them without what was learnt."""

from __future__ import annotations

from textwrap import fill, shorten
from typing import Any

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.views.explain import frames
from vtexplore.views.picture import (
    BODY,
    FAINT,
    LARGE,
    NULL_COLOURS,
    SMALL,
    WIDTH_IN,
    Picture,
    origin,
    source_line,
    styled,
)
from vtexplore.views.words import percent

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000", "#8c7a00", "#7b4fa3")
STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))


@styled
def methods(result: Any) -> Picture:
    """A row for each method: its map on the first clip's frames, each on its own scale, and how it fared."""
    count, height, width = result.frames.shape[:3]
    left, gap = 0.17, 0.008
    across = min(0.125, (0.56 - gap * (count - 1)) / count)
    frame_in = across * WIDTH_IN * height / width
    title = fill(f"What speaks for {result.asked[0]}?  “{' '.join(result.words)}”", 92)
    title_in = 0.6 + 0.3 * title.count("\n")
    head_in, row_in = title_in + 0.9, frame_in + 0.14
    picture = Picture(height_in=head_in + row_in * len(result.methods) + 0.6)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, title, fontsize=LARGE, va="top")
    told = _best(result)
    picture.text(0.03, 1 - title_in / total_in, fill(told, 118), fontsize=BODY, va="top")
    columns = {
        "deletion": "deletion\n(low is good)",
        "insertion": "insertion\n(high is good)",
        "polarity": "wrong\nsign",
    }
    if np.isfinite(result.extremes).any():
        columns["NAOPC"] = "of 0, worst,\nto 1, best"
    right = left + count * (across + gap) + 0.06
    step = (0.97 - right) / max(len(columns) - 1, 1) * 0.9
    for i, name in enumerate(columns.values()):
        y = 1 - (head_in - 0.08) / total_in
        picture.text(right + i * step, y, name, fontsize=SMALL, ha="center", va="bottom", color=FAINT)
    means = result.summary()
    for row, name in enumerate(result.methods):
        bottom_in = total_in - head_in - row * row_in - frame_in
        middle = (bottom_in + frame_in / 2) / total_in
        heat = result.shares(row)
        signed = result.signed[row]
        frames(picture, result, heat, signed, bottom_in / total_in, across, frame_in / total_in, left, gap)
        picture.text(left - 0.012, middle, fill(name, 14), fontsize=BODY, ha="right", va="center")
        for i, measure in enumerate(columns):
            mean = means[name][measure][0]
            told_here = (
                percent(mean) if measure == "polarity" else f"{mean:.2f}" if measure == "NAOPC" else f"{mean:+z.2f}"
            )
            told_here = "–" if np.isnan(mean) else told_here
            picture.text(right + i * step, middle, told_here, fontsize=BODY, ha="center", va="center")
    clips = f"{len(result.clips)} clips; maps of " if len(result.clips) > 1 else ""
    less = f"less the mean of {result.random.shape[2]} random orders ({result.removals[0]})"
    source_line(picture, origin(result.about, less, clips + shorten(result.clips[0], 40, placeholder=" …")))
    listed = "; ".join(f"{n}: deletion {means[n]['deletion'][0]:+z.2f}" for n in result.methods)
    picture.alt = f"{len(result.methods)} maps of {result.clips[0]} for {result.asked[0]}. {told} {listed}."
    return picture


def _asked(result: Any) -> str:
    """What is explained: of many clips, one of them for an example."""
    first = str(result.asked[0])
    return first if len(set(result.asked)) == 1 else f"what is asked ({first}, …)"


def _best(result: Any) -> str:
    """Which method fares best at deletion, and whether that is more than chance."""
    means = {name: row["deletion"] for name, row in result.summary().items() if not np.isnan(row["deletion"][0])}
    if not means:
        return "The model says as much with everything taken away, so no map can be tried here."
    name = min(means, key=lambda n: means[n][0])
    mean, low, high = means[name]
    chance = "" if high < 0 else ", which random orders may do as well"
    apart = f"{abs(mean):.2f} {'below' if mean < 0 else 'above'} random orders ({low:+z.2f} to {high:+z.2f})"
    return f"Taking away what '{name}' names first, the number falls soonest: {apart}{chance}."


@styled
def curves(result: Any, removal: str | None = None) -> Picture:
    """Patches taken away and put in, the map's first first: mean curves of the methods, and the band of random orders.

    Left without ``removal``, there is a row for each.
    """
    if removal is not None:
        result.removal(removal)
    rows = result.removals if removal is None else (removal,)
    row_in = 3.3
    picture = Picture(height_in=1.15 + row_in * len(rows) + 0.75)
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.14 / total_in, f"What is left of {_asked(result)}", fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.55 / total_in, _best(result), fontsize=BODY, va="top")
    for number, name in enumerate(rows):
        found = result.curves(name)
        if all(np.isnan(c).all() for c in found.values()):
            raise ConfigError(f"Nothing to draw: with {name}, the number is as high without any patch.")
        bottom = (total_in - 1.15 - (number + 1) * row_in + 0.75) / total_in
        for column, kind in enumerate(("deletion", "insertion")):
            axes = picture.add_axes((0.075 + column * 0.365, bottom, 0.3, (row_in - 1.05) / total_in))
            _panel(axes, result, found, kind)
            does = f"taken away ({name})" if kind == "deletion" else f"put in ({name})"
            axes.set_title(f"{kind}: {result.of} {does}", fontsize=BODY, loc="left")
            axes.set_xlabel(f"share of {result.of} {'taken away' if kind == 'deletion' else 'put in'}", fontsize=SMALL)
            if column == 0:
                axes.set_ylabel("0 = none left, 1 = all", fontsize=SMALL)
            if number == 0 and column == 1:
                axes.legend(loc="upper left", bbox_to_anchor=(1.04, 1.03), frameon=False, fontsize=SMALL)
    clips = f"mean of {len(result.clips)} clips" if len(result.clips) > 1 else shorten(result.clips[0], 60)
    source_line(picture, origin(result.about, f"{result.random.shape[2]} random orders a clip", clips))
    listed = "; ".join(f"{n}: {_areas(result, n, rows[0])}" for n in result.methods)
    picture.alt = f"Curves of insertion and deletion. {_best(result)} Areas less those of random orders: {listed}."
    return picture


def _areas(result: Any, method: str, removal: str) -> str:
    row = result.summary(removal)[method]
    return f"deletion {row['deletion'][0]:+z.2f}, insertion {row['insertion'][0]:+z.2f}"


def _panel(axes: Any, result: Any, found: dict[str, np.ndarray], kind: str) -> None:
    """One panel of curves."""
    random = np.nanmean(found["random"], axis=0)  # [order, step]
    if kind == "insertion":
        random = random[:, ::-1]  # what a random order has not yet taken away, another has put in
    low, high = np.percentile(random, [2.5, 97.5], axis=0)
    axes.fill_between(
        result.share, low, high, color=NULL_COLOURS[0], alpha=0.6, linewidth=0, label="95 % of random orders"
    )
    for at, name in enumerate(result.methods):
        curve = np.nanmean(found[kind][:, at], axis=0)
        axes.plot(
            result.share,
            curve,
            color=COLOURS[at % len(COLOURS)],
            linestyle=STYLES[at % len(STYLES)],
            linewidth=2,
            label=name,
        )
    axes.axhline(0, color=FAINT, linewidth=0.8)
    axes.axhline(1, color=FAINT, linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(lambda value, _: percent(value))
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)


@styled
def cascade(result: Any, measure: str = "spearman") -> Picture:
    """How alike each map stays while weights are drawn anew, from the last layer down; dotted: by chance."""
    if measure not in result.like:
        raise ConfigError(f"Likeness is not measured by {measure!r}; there are {', '.join(result.like)}.")
    if not result.cascade.shape[0] or not len(result.stages):
        raise ConfigError("No weights were drawn anew: give randomise=1 or more.")
    column = result.like.index(measure)
    picture = Picture(height_in=5.6)
    picture.text(0.03, 0.97, "Does the map change when the model forgets?", fontsize=LARGE, va="top")
    axes = picture.add_axes((0.075, 0.3, 0.66, 0.46))
    x = np.arange(len(result.stages) + 1)
    with np.errstate(invalid="ignore"):
        rows = _mean(result.cascade[..., column])  # [method, stage]
    for at, name in enumerate(result.methods):
        y = np.concatenate([[1.0], rows[at]])
        axes.plot(
            x,
            y,
            color=COLOURS[at % len(COLOURS)],
            linestyle=STYLES[at % len(STYLES)],
            linewidth=2,
            marker="o",
            markersize=4,
            label=name,
        )
    chance = float(np.nanmean(result.level[..., column]))
    axes.axhline(chance, color=FAINT, linewidth=1.2, linestyle=":", label="a map and itself shuffled")
    names = ["as learnt", *(fill(f"+ {s}", 22) for s in result.stages)]
    axes.set_xticks(x, names, fontsize=SMALL, rotation=25, ha="right", rotation_mode="anchor")
    axes.set_ylabel(f"likeness ({measure})", fontsize=BODY)
    axes.tick_params(labelsize=SMALL)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.05), frameon=False, fontsize=SMALL)
    listed = "; ".join(f"{n} {rows[i, -1]:+z.2f}" for i, n in enumerate(result.methods) if not np.isnan(rows[i, -1]))
    gone = [n for i, n in enumerate(result.methods) if np.isnan(rows[i, -1])]
    told = f"All weights new: {listed or 'no map is left'}." + (
        f" No map is left by {', '.join(gone)}." if gone else ""
    )
    picture.text(0.03, 0.9, fill(told, 128), fontsize=BODY, va="top")
    source_line(picture, origin(result.about, "weights drawn anew from the last layer down"))
    picture.alt = f"Likeness to the original map ({measure}; by chance {chance:+z.2f}). {told}"
    return picture


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over clips [clip, …], NaN where there is none, without a warning."""
    real = ~np.isnan(values)
    return np.where(real.any(axis=0), np.nansum(values, axis=0) / np.maximum(real.sum(axis=0), 1), np.nan)


@styled
def heads(result: Any, kind: str | None = None) -> Picture:
    """Layer × head: the mean loss without each, a star where it is certain after as many tests as there are heads."""
    rows = result.kinds if kind is None else (kind,)
    count = len(result.sites)
    picture = Picture(height_in=1.3 + 0.42 * count + 1.25)
    total_in = picture.get_figheight()
    picture.text(
        0.03, 1 - 0.14 / total_in, f"What is lost of {_asked(result)} without each head", fontsize=LARGE, va="top"
    )
    means = {k: result.mean(k)[0] for k in rows}
    top = max(float(np.nanmax(np.abs(m))) for m in means.values())
    wide = 0.78 / len(rows)
    listed = []
    for number, name in enumerate(rows):
        axes = picture.add_axes((0.17 + number * wide, 0.95 / total_in, wide * 0.88, 0.42 * count / total_in))
        axes.imshow(means[name], cmap="PuOr_r", vmin=-top, vmax=top, aspect="auto")
        sure = result.p(name) < 0.05
        for at in np.argwhere(~np.isnan(means[name])):
            value = means[name][tuple(at)]
            star = " ★" if sure[tuple(at)] else ""
            ink = "white" if abs(value) > 0.75 * top else "black"
            axes.text(at[1], at[0], f"{value:+z.2f}{star}", ha="center", va="center", fontsize=SMALL, color=ink)
        axes.set_title(name, fontsize=BODY)
        axes.set_yticks(range(count), result.sites if number == 0 else [""] * count, fontsize=BODY)
        axes.set_xticks(range(result.loss.shape[3]), [f"{h}" for h in range(result.loss.shape[3])], fontsize=SMALL)
        axes.set_xlabel("head", fontsize=SMALL)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        best = np.unravel_index(int(np.nanargmax(means[name])), means[name].shape)
        listed.append(f"{name}: most at {result.sites[best[0]]}, head {best[1]} ({means[name][best]:+z.2f})")
    told = "; ".join(listed) + "."
    picture.text(0.03, 1 - 0.55 / total_in, fill(told, 130), fontsize=BODY, va="top")
    source_line(picture, origin(result.about, "★: p < 0.05 after Holm, sign flips", f"{len(result.clips)} clips"))
    picture.alt = f"Loss without each head, mean of {len(result.clips)} clips; {told}"
    return picture
