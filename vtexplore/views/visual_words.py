"""A clip as a sentence of visual words, and the vocabulary by its tree."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from vtexplore.errors import ConfigError
from vtexplore.views.picture import BODY, LARGE, SMALL, WIDTH_IN, Picture, origin, source_line, styled
from vtexplore.views.word_cells import frame, name, path, word

ACROSS = 12  # moments or words in a row
SIDE_IN, GAP_IN, LEFT_IN = 0.84, 0.1, 1.3
PAGE = 96  # words


@styled
def timeline(result: Any) -> Picture:
    """Rows of moments: the frame above, below it the exemplar of its word, the word's number and its way in the tree.

    Outlined: moments whose nearest word is another.
    """
    count = len(result.codes)
    height, width = result.frames.shape[1:3]
    side_in = max(SIDE_IN, min(1.5, (WIDTH_IN - LEFT_IN - 0.3) / count - GAP_IN))
    tall_in = side_in * height / width
    row_in = tall_in + side_in + 0.95
    rows = -(-count // ACROSS)
    picture = Picture(height_in=0.95 + rows * row_in + 0.35)
    total_in = picture.get_figheight()
    _title(picture, "A clip in visual words", said(result))
    for i in range(count):
        row, column = divmod(i, ACROSS)
        left_in, top_in = LEFT_IN + column * (side_in + GAP_IN), total_in - 0.95 - row * row_in
        box = _box(left_in, top_in - tall_in, side_in, tall_in, total_in)
        frame(picture, box, result.frames[i], f"{result.times_s[i]:.1f} s")
        code = int(result.codes[i])
        below = _box(left_in, top_in - tall_in - 0.28 - side_in, side_in, side_in, total_in)
        word(picture, below, result, code, f"{code}\n{path(result.path(code))}", not result.agree[i])
        if not column:
            for middle_in, told in ((top_in - tall_in / 2, "moment"), (top_in - tall_in - 0.28 - side_in / 2, "word")):
                picture.text(
                    (LEFT_IN - 0.12) / WIDTH_IN, middle_in / total_in, told, ha="right", va="center", fontsize=BODY
                )
    source_line(picture, origin(result.about, "below a word: its number, its way through the tree", name(result)))
    sentence = ", ".join(f"{t:.1f} s: {c}" for t, c in zip(result.times_s, result.codes, strict=True))
    picture.alt = f"A clip in visual words. {said(result)} {sentence}."
    return picture


@styled
def gallery(result: Any, page: int = 0) -> Picture:
    """The vocabulary: an exemplar of each word, a group for each branch at the root; outlined: words of the clip.

    ``page``, from 0, of so many words each. Raises ``ConfigError`` for a page that there is not.
    """
    order = sorted(range(len(result.words)), key=lambda i: result.paths[i])
    pages = -(-len(order) // PAGE)
    if not 0 <= page < pages:
        raise ConfigError(
            f"The gallery has {pages} {'page' if pages == 1 else 'pages'}, counted from 0: there is no {page}."
        )
    shown = order[page * PAGE : (page + 1) * PAGE]
    groups = [list(some) for _, some in groupby(shown, key=lambda i: result.paths[i][:1])]
    lines = [(g, at) for g in groups for at in range(0, len(g), ACROSS)]
    row_in = SIDE_IN + 0.5
    picture = Picture(height_in=0.95 + len(lines) * row_in + 0.35)
    total_in = picture.get_figheight()
    mine = set(result.codes.tolist())
    told = f"{len(shown)} of {result.vocabulary} words, by their branch at the root of the tree; outlined: in this clip"
    told += f"; page {page + 1} of {pages}" if pages > 1 else ""
    _title(picture, "Visual words", told)
    for line, (group, start) in enumerate(lines):
        bottom_in = total_in - 0.95 - line * row_in - SIDE_IN
        if not start:
            branch = path(result.paths[group[0]][:1]) or "–"
            at = (LEFT_IN - 0.12) / WIDTH_IN, (bottom_in + SIDE_IN / 2) / total_in
            picture.text(*at, f"branch {branch}", ha="right", va="center", fontsize=BODY)
        for column, i in enumerate(group[start : start + ACROSS]):
            box = _box(LEFT_IN + column * (SIDE_IN + GAP_IN), bottom_in, SIDE_IN, SIDE_IN, total_in)
            code = int(result.words[i])
            many = f" ({result.counts[i]}×)" if len(result.counts) else ""
            word(picture, box, result, code, f"{code}{many}\n{path(result.paths[i])}", code in mine)
    many = " (×: moments it was made of)" if len(result.counts) else ""
    source_line(picture, origin(result.about, f"below a word: its number{many}, its way through the tree"))
    listed = "; ".join(f"branch {path(result.paths[g[0]][:1])}: {len(g)} words" for g in groups)
    picture.alt = f"Visual words: {told}. {listed}."
    return picture


def said(result: Any) -> str:
    """How many words the clip has, and how well the tree finds the nearest."""
    count, agreed = len(result.codes), int(result.agree.sum())
    different = len(set(result.codes.tolist()))
    also = "all are the nearest words" if agreed == count else f"{agreed} are the nearest words, the others outlined"
    return f"{count} moments, {different} different words of {result.vocabulary}; {also}."


def _title(picture: Picture, title: str, told: str) -> None:
    total_in = picture.get_figheight()
    picture.text(0.03, 1 - 0.12 / total_in, title, fontsize=LARGE, va="top")
    picture.text(0.03, 1 - 0.5 / total_in, told, fontsize=SMALL, va="top")


def _box(left_in: float, bottom_in: float, wide_in: float, tall_in: float, total_in: float) -> Any:
    return left_in / WIDTH_IN, bottom_in / total_in, wide_in / WIDTH_IN, tall_in / total_in
