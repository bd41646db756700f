"""What is asked: clips of folders, lists, tables and the world, each under a name of its own, opened in its turn."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from vtexplore.data.captioned import told, videos
from vtexplore.data.fragment import cut
from vtexplore.data.video import read_video
from vtexplore.errors import ConfigError, TextError, VideoError, VtexploreError
from vtexplore.types import Clip
from vtexplore.world import FOIL_KINDS, sample_scene

AnyClip = Clip | str | os.PathLike[str]
SEEDS = re.compile(r"world:(\d+)(?:\.\.(\d+))?")


@dataclass(frozen=True)
class Item:
    """A clip that will be asked.

    ``id`` is the item's own, ``clip`` names what is looked at (two questions about one file are two items). ``options``
    are asked of this item alone, as a table says them. ``say`` gives what is said of the clip under a name, such as
    "caption"; it raises ``ConfigError`` for a name that nobody gave. ``mark`` changes when the file or its words do.
    """

    id: str
    clip: str
    open: Callable[[], Clip]
    say: Callable[[str], str]
    options: dict[str, str] = field(default_factory=dict)
    mark: str = ""


def items(clips: AnyClip | Iterable[AnyClip], split: str = "train") -> list[Item]:
    """The items of one source or several, in order, each with an id that no other has.

    A source is a Clip, a folder of videos (captions beside them, see ``data.captioned``), a video file
    (``film.mp4#t=60,70``: those seconds of it), ``world:3`` or ``world:0..999`` (scenes of the miniature world, both
    ends included, of a ``split``), or a ``.csv`` with a column "path" (files, from the table's folder, or
    ``world:3``); its other columns are options of a probe, or words for it.

    Raises ``ConfigError`` for a source that is none of these or is empty, ``VideoError`` for one that is not there.
    """
    if split not in ("train", "heldout"):
        raise ConfigError(f"split is 'train' or 'heldout', not {split!r}.")
    given = [clips] if isinstance(clips, Clip | str | os.PathLike) else list(clips)
    found = list(_apart(item for one in given for item in _items(one, split)))
    if not found:
        raise ConfigError("There is no clip to ask. Give a folder with videos, files, a .csv, or world:0..99.")
    return found


def key(item: Item) -> tuple[str, str]:
    """The id, and twelve hex digits that change with the file, its words and what is asked of this item alone."""
    return item.id, hashlib.sha256(json.dumps([item.mark, item.options]).encode()).hexdigest()[:12]


def _apart(found: Iterable[Item]) -> Iterator[Item]:
    """Ids made unique: the second "a.mp4" is "a.mp4#2"."""
    seen: dict[str, int] = {}
    for item in found:
        name = item.id
        while name in seen:
            seen[item.id] += 1
            name = f"{item.id}#{seen[item.id]}"
        seen[name] = 1
        yield replace(item, id=name, clip=item.clip or name)


def _items(source: Any, split: str) -> Iterator[Item]:
    if isinstance(source, Clip):
        yield _of_clip(source)
    elif not isinstance(source, str | os.PathLike):
        raise ConfigError(f"{type(source).__name__} is no clip. Give Clips, paths of videos, or world:0..99.")
    elif str(source).startswith("world:"):
        for seed in _seeds(str(source)):
            yield _of_scene(seed, split)
    elif (path := cut(source)[0]).is_dir():
        found = videos(source)
        if not found:
            raise VideoError(f"{source}: no video in this folder. Give one with video files and a .json for each.")
        yield from (_of_file(path, path.as_posix()) for path in found)
    elif path.suffix.lower() == ".csv":
        yield from _of_table(path, split)
    elif not path.exists() and not path.suffix:
        raise VideoError(f"{source}: there is no such file or folder. Give a folder, videos, a .csv, or world:0..99.")
    else:
        yield _of_file(Path(source), Path(source).as_posix())


def _of_clip(clip: Clip) -> Item:
    """A Clip is one of its own, even if another has its name."""
    mark = f"{clip.caption} {clip.duration_s}"
    return Item(clip.name, "", lambda: clip, partial(_said, {"caption": clip.caption}), mark=mark)


def _seeds(name: str) -> range:
    match = SEEDS.fullmatch(name)
    if not match:
        raise ConfigError(f"{name!r} is no scene; scenes are world: and a number or two, such as world:3, world:0..99.")
    first, last = int(match[1]), int(match[2] or match[1])
    if last < first:
        raise ConfigError(f"{name!r} holds no scene: the second number is the last seed, and smaller than the first.")
    return range(first, last + 1)


def _of_scene(seed: int, split: str) -> Item:
    name = f"world:{seed}" if split == "train" else f"world:{seed} ({split})"

    def say(what: str) -> str:
        scene = sample_scene(seed, split)
        if what in FOIL_KINDS:
            foil = scene.foil(what, seed)
            if foil is None:
                others = ", ".join(kind for kind in FOIL_KINDS if kind != what)
                raise TextError(f"{name} has no foil of the kind {what!r}. Leave it out, or ask for {others}.")
            return foil.caption.text
        return _said({"caption": scene.caption.text}, what, FOIL_KINDS)

    return Item(name, name, lambda: sample_scene(seed, split).clip(), say)


def _of_file(path: Path, name: str) -> Item:
    """A file, and what is said of it; what cannot be read is an error of its turn, not of the list."""
    words: dict[str, Any] = {}
    problem: VtexploreError | None = None
    try:
        file = cut(path)[0]
        words = told(file)
    except VtexploreError as error:
        file, problem = path, error

    def read() -> Clip:
        if problem:
            raise problem
        return read_video(path, caption=words.get("caption"))

    size = file.stat().st_size if file.is_file() else None
    return Item(name, name, read, partial(_said, words), {}, json.dumps([size, words, str(problem)]))


def _of_table(path: Path, split: str) -> Iterator[Item]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read as a table of clips ({error}). Save it as CSV in UTF-8.") from error
    if not rows or "path" not in rows[0]:
        raise ConfigError(f"{path} needs a first line of names, 'path' among them, and a line for each clip.")
    for number, row in enumerate(rows, 2):
        if None in row or not row["path"]:
            raise ConfigError(f"{path}, row {number}: one cell too many, or no path. Quote cells that hold commas.")
        name, words = row["path"], {k: v for k, v in row.items() if k != "path" and v}
        if name.startswith("world:"):
            found = [_of_scene(seed, split) for seed in _seeds(name)]
        else:
            found = [_of_file(path.parent / name, name)]
        yield from (replace(one, options=words, say=partial(_said_in_row, words, one.say)) for one in found)


def _said(words: dict[str, Any], what: str, more: Iterable[str] = ()) -> str:
    if not isinstance(words.get(what), str):
        known = [k for k, v in words.items() if isinstance(v, str)]
        raise ConfigError(
            f"Nothing is said of this clip as {{{what}}}; there is {', '.join([*known, *more]) or 'nothing'}."
        )
    return str(words[what])


def _said_in_row(words: dict[str, str], otherwise: Callable[[str], str], what: str) -> str:
    return words[what] if what in words else otherwise(what)
