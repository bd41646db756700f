"""A folder of video files, each with what is said of it: ``name.mp4`` and ``name.json`` ({"caption": "…"})."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from vtexplore.data.video import read_video
from vtexplore.errors import VideoError
from vtexplore.types import Clip

ENDINGS = (".mp4", ".mkv", ".webm", ".mov", ".avi", ".gif")


def videos(folder: str | os.PathLike[str]) -> list[Path]:
    """The video files of a folder, by name. Raises ``VideoError`` if there is no such folder."""
    where = Path(folder)
    if not where.is_dir():
        raise VideoError(f"{folder}: there is no such folder. Give one with video files and a .json for each.")
    return sorted(p for p in where.iterdir() if p.suffix.lower() in ENDINGS)


def told(video: Path) -> dict[str, Any]:
    """What the ``.json`` of the same name says of a video, its "caption" first of all; {} if there is no such file.

    Raises ``VideoError`` if there is one that says no caption.
    """
    path = video.with_suffix(".json")
    if not path.is_file():
        return {}
    try:
        said: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return said | {"caption": str(said["caption"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise VideoError(f'{path.name} cannot be read as a caption; it should hold {{"caption": "…"}}.') from error


def captioned(folder: str | os.PathLike[str]) -> list[Clip]:
    """The clips of a folder with their captions, by name; files without a caption are passed over.

    Raises ``VideoError`` if there is no folder, no video with a caption in it, or a file that cannot be read.
    """
    said = ((path, told(path)) for path in videos(folder))
    found = [read_video(path, caption=words["caption"]) for path, words in said if words]
    if not found:
        raise VideoError(f'{folder}: no video with a caption. Put {{"caption": "…"}} into name.json beside name.mp4.')
    return found
