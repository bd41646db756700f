"""A stretch of a file, named with it: ``film.mp4#t=60,70`` (W3C Media Fragments URI 1.0, 2012, §4.2.1)."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from vtexplore.errors import VideoError

_TIME = r"(?:(?:(\d+):)?([0-5]?\d):(?=[0-5]?\d(?!\d)))?(\d+(?:\.\d*)?)"  # [[hours:]minutes:]seconds
_STRETCH = re.compile(rf"(?:npt:)?(?:{_TIME})?(?:,{_TIME})?")
MARK = "#t="


class Stretch(NamedTuple):
    """Where a stretch starts and ends, in seconds (None: with the file), as it was ``said``."""

    said: str
    start_s: float | None
    end_s: float | None


def cut(given: str | os.PathLike[str]) -> tuple[Path, Stretch | None]:
    """The file, and the stretch of it that is meant (None: all).

    Times are seconds, ``m:s`` or ``h:m:s``; either may be left out. A file that is called so is that file. Raises
    ``VideoError`` for what is no stretch.
    """
    path = Path(given)
    before, mark, said = os.fspath(given).rpartition(MARK)
    if not mark or path.exists():
        return path, None
    found = _STRETCH.fullmatch(said)
    if not found or not any(found.groups()):
        raise VideoError(f"{given}: after {MARK} come seconds, from and to; write {MARK}60,70 or {MARK}1:00,1:10.")
    times = found.groups()
    return Path(before), Stretch(said, _seconds(*times[:3]), _seconds(*times[3:]))


def _seconds(hours: str | None, minutes: str | None, seconds: str | None) -> float | None:
    return None if seconds is None else 3600 * int(hours or 0) + 60 * int(minutes or 0) + float(seconds)
