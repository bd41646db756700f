"""A folder of video files, each with what is said of it: ``name.mp4`` and ``name.json`` ({"caption": "…"})."""

from __future__ import annotations

import json
import os
from pathlib import Path

from vtexplore.data.video import read_video
from vtexplore.errors import VideoError
from vtexplore.types import Clip

ENDINGS = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif")


def captioned(folder: str | os.PathLike[str]) -> list[Clip]:
    """The clips of a folder with their captions, by name; files without a caption are passed over.

    Raises ``VideoError`` if there is no folder, no video with a caption in it, or a file that cannot be read.
    """
    where = Path(folder)
    if not where.is_dir():
        raise VideoError(f"{folder}: there is no such folder. Give one with video files and a .json for each.")
    found = []
    for path in sorted(p for p in where.iterdir() if p.suffix.lower() in ENDINGS):
        told = path.with_suffix(".json")
        if not told.is_file():
            continue
        try:
            caption = json.loads(told.read_text("utf-8"))["caption"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise VideoError(f'{told.name} cannot be read as a caption; it should hold {{"caption": "…"}}.') from error
        found.append(read_video(path, caption=str(caption)))
    if not found:
        raise VideoError(f'{folder}: no video with a caption. Put {{"caption": "…"}} into name.json beside name.mp4.')
    return found
