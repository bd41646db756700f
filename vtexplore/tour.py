"""The first look: one HTML page, read without network, with or without scripts.

    page = tour(load("violet"), clip)          # writes tour.html and opens nothing

The page holds the clip's frames and, for each word, its heat on them; the words are radio buttons, so that
a keyboard, a mouse or a finger can choose one and no script is needed (a few lines add hovering). Tables
are tables, numbers are text, and every picture says what it shows.
"""

from __future__ import annotations

import base64
import html
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vtexplore.assets import find
from vtexplore.errors import AssetError, Unsupported
from vtexplore.files import writing
from vtexplore.probes.attend import AttendResult, attend
from vtexplore.probes.fill_mask import FillMaskResult, fill_mask
from vtexplore.probes.reorder import ReorderResult, reorder
from vtexplore.types import Clip
from vtexplore.views.masked_word import label as condition
from vtexplore.views.masked_word import measured, ranked, said, sentence
from vtexplore.views.overlay import heat_at, top_of
from vtexplore.views.reorder import said as orders_said
from vtexplore.views.words import grounded, head_name, label, percent, where

TEMPLATE = Path(__file__).with_name("tour.template.html")  # style and a few lines of script
SHOWN, GAP_PX = 8, 4  # frames of a strip, and what is between them
LOOKS = {
    "the clip": "c0",
    "even colour": "c2",
    "mean feature": "c2",
    "other clips": "c3",
    "hard wrong clip": "c3",
    "shuffled": "c4",
    "one frame": "c4",
}
"""Classes of the bars, by what is shown; else "c1"."""
DRAWS = 99  # orders of the frames, if not all are tried
HEAT_PX = 96  # short side of a heat map, stretched over its frame by the browser


def tour(model: Any, clip: Clip, text: str | None = None, out: str | os.PathLike[str] = "tour.html") -> Path:
    """Write the page and return its path; whole or not at all.

    ``text`` None = the clip's caption. Raises what ``attend`` raises; a family without a head for masked
    words, or for matching, gets a page without that part.
    """
    result = attend(model, clip, text)
    card = getattr(model, "card", None) or {}
    body = [_head(result), _strip(result), _frames_table(result), _heads_table(result)]
    body.append(
        _or_why_not(lambda: _masked(fill_mask(model, clip, result.text, word=result.word(), top=3, frames=True)))
    )
    body.append(_or_why_not(lambda: _order(reorder(model, clip, result.text, draws=DRAWS, quiet=True))))
    body.append(_about(result, card))
    start, middle, end = re.split(r"\{title\}|\{body\}", TEMPLATE.read_text("utf-8"))
    with writing(out) as partial:
        partial.write_text(
            start + _safe(result.text) + middle + "\n".join(body).replace(" %", "&nbsp;%") + end, encoding="utf-8"
        )
    return Path(out)


def default_clip() -> Clip:
    """The simplest clip that comes with vtexplore (by the length of its name), with its caption.

    ``AssetError`` if there is none.
    """
    from vtexplore.data.video import read_video

    for about in sorted(find("clips").glob("*.json"), key=lambda path: (len(path.name), path.name)):
        caption = json.loads(about.read_text("utf-8")).get("caption")
        film = about.with_suffix(".mp4")
        if caption and film.is_file():
            clip = read_video(film)
            return clip if clip.caption else replace(clip, caption=caption)
    raise AssetError("No clip with a caption came with this vtexplore. Name one: vtexplore tour clip.mp4 --text '…'.")


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────


def _safe(text: Any) -> str:
    return html.escape(str(text), quote=True)


def _or_why_not(part: Callable[[], str]) -> str:
    """A part of the page, or a sentence that says which head is missing for it."""
    try:
        return part()
    except Unsupported as lacking:
        return f"<section><p>{_safe(lacking)}</p></section>"


def _head(result: AttendResult) -> str:
    model = f"{result.about['model']} ({result.about['size']})"
    return (
        f"<header><p class=over>A first look into {_safe(model)}</p><h1>{_safe(result.text)}</h1>"
        f"<p>Clip: {_safe(result.clip)}. Looking at {_safe(head_name(result))}: {_safe(result.why)}.</p></header>"
    )


def _strip(result: AttendResult) -> str:
    """The film strip: a radio button for each word, and under them the frames with one layer of heat a word."""
    chosen = result.word()
    names = [label(word) for word in result.words]
    layers: list[list[str]] = [[] for _ in result.frames]
    buttons, rules, told = [], [], []
    for w, name in enumerate(names):
        state = " checked" if w == chosen else ""
        buttons.append(f"<input type=radio name=word id=w{w}{state}><label for=w{w}>{_safe(result.words[w])}</label>")
        rules.append(f"#w{w}:checked~.frames .h{w},#w{w}:checked~.told .h{w}{{display:block}}")
        heat = result.heat(w)
        finding = "; ".join(part for part in (where(result, w), grounded(result, w)) if part)
        told.append(f'<p class="h{w}">{_safe(finding[0].upper() + finding[1:])}.</p>')
        for frame, image in enumerate(_heat_images(result, w)):
            share = percent(heat[frame].sum() / max(heat.sum(), 1e-12))
            alt = f"attention of '{name}' on frame {frame + 1}: {share} of what falls on the video"
            layers[frame].append(f'<img class="heat h{w}" src="{image}" alt="{_safe(alt)}">')
    frames = "".join(
        f"<figure><div class=film><img src='{_png(result.frames[i])}' alt='{_safe(f'frame {i + 1} of {result.clip}')}'>"
        f"{''.join(layers[i])}</div><figcaption>frame {i + 1} · {t:.1f} s</figcaption></figure>"
        for i, t in enumerate(result.times_s)
    )
    return (
        f"<section id=strip><h2>What does each word look at?</h2><p>Choose a word. Bright = more of its attention; "
        f"each word has one scale for all frames.</p><style>{''.join(rules)}</style>"
        f"<div class=words role=radiogroup aria-label='word'>{''.join(buttons)}"
        f"<div class=frames>{frames}</div><div class=told aria-live=polite>{''.join(told)}</div></div></section>"
    )


def _frames_table(result: AttendResult) -> str:
    """Words × frames as a table."""
    shares = result.word_frame()
    top = max(float(shares.max()), 1e-9)
    head = "".join(f"<th scope=col>frame {i + 1}<br>{t:.1f} s</th>" for i, t in enumerate(result.times_s))
    rows = []
    for w, word in enumerate(result.words):
        start_s, end_s = result.happens_s[w]
        cells = "".join(
            _cell(share, top, bool(start_s <= t <= end_s)) for share, t in zip(shares[w], result.times_s, strict=True)
        )
        rows.append(f"<tr><th scope=row>{_safe(label(word))}</th>{cells}</tr>")
    when = "; outlined: when the event that a word names takes place" if np.isfinite(result.happens_s).any() else ""
    return (
        f"<section><h2>When does each word look?</h2><p>Share of a word's attention on each frame; the rest goes to "
        f"other words{when}.</p><div class=scroll><table><tr><td></td>{head}</tr>{''.join(rows)}</table></div>"
        "</section>"
    )


def _heads_table(result: AttendResult) -> str:
    """Layers × heads as a table."""
    grid = result.head_grid()
    top, (best_site, best_head) = max(float(np.nanmax(grid.scores)), 1e-9), grid.best
    head = "".join(f"<th scope=col>head {i}</th>" for i in range(grid.scores.shape[1]))
    rows = []
    for row, site in enumerate(grid.sites):
        cells = "".join(
            "<td></td>" if np.isnan(score) else _cell(score, top, (site, i) == (best_site, best_head))
            for i, score in enumerate(grid.scores[row])
        )
        rows.append(f"<tr><th scope=row>{_safe(site)}</th>{cells}</tr>")
    chance = "" if np.isnan(grid.chance) else f" An even map would have {percent(grid.chance)}."
    return (
        f"<section><h2>Which head does it?</h2><p>{_safe(grid.what.capitalize())} for “{_safe(label(grid.word))}”, by "
        f"layer and head; outlined: the highest.{chance}</p><div class=scroll><table><tr><td></td>{head}</tr>"
        f"{''.join(rows)}</table></div></section>"
    )


def _masked(result: FillMaskResult) -> str:
    """Bars of the words that fit: with the clip, without it, beside others, in other orders; as a table."""
    words, most = ranked(result), max(float(result.p.max()), 0.05)
    rows = []
    for word in words:
        bars = []
        for name in result.conditions:
            told = " ".join(condition(result, name).split())
            bars.append(
                _bar(result.probability(word, name) / most, percent(result.probability(word, name)), told, name)
            )
        mark = " ✓" if word == result.answer else ""
        rows.append(f"<tr><th scope=row>{_safe(word)}{mark}</th><td class=bars>{''.join(bars)}</td></tr>")
    lines = "".join(f"<p>{_safe(line[0].upper() + line[1:])}.</p>" for line in (said(result), *measured(result)))
    return (
        f"<section><h2>Would it know the word without this clip?</h2><p class=gap>{_safe(sentence(result))}</p>"
        f"<p>The same gap with the clip, with none, beside other clips, and with its frames in other orders.</p>"
        f"<table class=wide>{''.join(rows)}</table>{lines}</section>"
    )


def _order(result: ReorderResult) -> str:
    """Orders of the frames that have a name, drawn as strips, and their matching scores as bars."""
    named: dict[int, str] = {}
    for name, row in result.named.items():
        named.setdefault(row, name)
    rows = [(name, result.rows[row], float(result.scores[row, 0])) for row, name in named.items()]
    others = result.scores[result.drawn, 0]
    scores = [score for *_, score in rows] + [float(others.mean()), float(result.blind[0])]
    low, high = min(scores), max(scores)
    drawn = []
    for at, (name, order, score) in enumerate(rows):
        shown = order[:SHOWN]
        alt = f"{name}: frames {', '.join(str(i + 1) for i in shown)}"
        strip = f"<img src='{_png(_strip_of(result.frames[shown]))}' alt='{_safe(alt)}'>"
        bar = _bar((score - low) / max(high - low, 1e-9), f"{score:+z.2f}", "", "the clip" if at == 0 else "shuffled")
        drawn.append(
            f"<tr><th scope=row>{_safe(name)}</th><td class=film-strip>{strip}</td><td class=bars>{bar}</td></tr>"
        )
    for name, score in ((f"mean of the {len(others)} other orders", scores[-2]), ("no clip", scores[-1])):
        bar = _bar(
            (score - low) / max(high - low, 1e-9), f"{score:+z.2f}", "", "shuffled" if "mean" in name else "no clip"
        )
        drawn.append(f"<tr><th scope=row colspan=2>{_safe(name)}</th><td class=bars>{bar}</td></tr>")
    told = "".join(f"<p>{_safe(line)}</p>" for line in orders_said(result).split("\n"))
    return (
        "<section><h2>Does the order of the frames matter?</h2><p>How well the sentence goes with the clip, by the "
        "model: a score without a unit. Bars begin at the lowest of these.</p>"
        f"<div class=scroll><table class='wide orders'>{''.join(drawn)}</table></div>{told}</section>"
    )


def _bar(share: float, number: str, told: str, look: str) -> str:
    """A bar of a share in 0..1 of the width, its number, and what it is of."""
    kind = LOOKS.get(look, "c1")
    small = f" <small>{_safe(told)}</small>" if told else ""
    wide = f"{60 * min(max(share, 0.0), 1.0):.1f}%"
    return f"<div class=bar><span class='fill {kind}' style='width:{wide}'></span><span>{number}{small}</span></div>"


def _about(result: AttendResult, card: dict[str, Any]) -> str:
    """What the miniature knows and does not."""
    world, lexicon = card.get("world"), card.get("lexicon") or ()
    knows = (
        f"It was trained on the miniature world “{_safe(world)}” alone and knows {len(lexicon)} words. What it says of "
        "anything else shows how such a model works, not what is in the clip. "
        if world
        else ""
    )
    notes = "".join(f"<li>{_safe(note)}</li>" for note in result.notes)
    differs = "".join(f"<li>{_safe(d)}</li>" for d in card.get("deviations", ()))
    listed = (
        f"<details><summary>Where it differs from its paper</summary><ul>{differs}</ul></details>" if differs else ""
    )
    words = f"<details><summary>Words it knows</summary><p>{_safe(' '.join(lexicon))}</p></details>" if lexicon else ""
    made = ", ".join(f"{k} {v}" for k, v in result.about.items() if v is not None)
    return (
        f"<section><h2>What this model knows, and what this page cannot tell</h2><p>{knows}One clip shows a case, not "
        f"a rate.</p><ul>{notes}</ul>{words}{listed}<p class=fine>{_safe(made)}</p></section>"
    )


def _cell(share: float | np.floating, top: float, outlined: bool) -> str:
    strength = round(100 * share / top)
    mark = " class=on" if outlined else ""
    return f"<td{mark} style='--s:{strength}%'>{percent(float(share))}</td>"


# ── pictures ──────────────────────────────────────────────────────────────────────────────────────


def _heat_images(result: AttendResult, word: int) -> list[str]:
    """The heat of a word over each frame, as pictures whose opacity is the heat."""
    from matplotlib import colormaps

    height, width = result.frames.shape[1:3]
    scale = HEAT_PX / min(height, width)
    top = top_of(result.heat(word))
    out = []
    for frame in range(len(result.frames)):
        heat = (heat_at(result, word, frame, round(height * scale), round(width * scale)) / top).clip(0, 1)
        rgb = colormaps["magma"](0.35 + 0.65 * heat)[..., :3]
        out.append(_png((np.dstack([rgb, 0.68 * heat]) * 255).round().astype(np.uint8)))
    return out


def _strip_of(frames: np.ndarray) -> np.ndarray:
    """Frames [frame, height, width, rgb] side by side with clear gaps between them: [height, width, rgba]."""
    solid = np.pad(frames, ((0, 0), (0, 0), (0, 0), (0, 1)), constant_values=255)
    gapped = np.pad(solid, ((0, 0), (0, 0), (0, GAP_PX), (0, 0)))
    return np.asarray(np.concatenate(gapped, axis=1)[:, :-GAP_PX])


def _png(pixels: np.ndarray) -> str:
    """uint8 [height, width, rgb or rgba] as a data URI."""
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()
