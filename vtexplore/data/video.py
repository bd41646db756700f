"""A video becomes a Clip: opened once, then asked for frames at any time and size.

    clip = read_video("pancake.mp4")
    clip.sample([0.5, 3.2], short_side_px=224)      # uint8 [2, 224, 398, rgb]

Frames are sampled by time; only those asked for are decoded into pixels, resized on the way, and kept.
"""

from __future__ import annotations

import io
import os
import stat
import threading
import warnings
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vtexplore.data.arrays import ArraySource, as_frames, is_picture, open_picture
from vtexplore.data.audio import read_waveform
from vtexplore.data.damage import is_text
from vtexplore.data.decoding import Damaged, decode, true_size
from vtexplore.data.fragment import MARK, cut
from vtexplore.data.opening import Opening, examine
from vtexplore.data.quick import decode_quickly, is_safe, is_short
from vtexplore.errors import ConfigError, VideoError
from vtexplore.types import Clip

__all__ = ["VideoSource", "read_video"]

_KEPT_BYTES = 32 * 2**20
_BACKENDS = ("auto", "pyav", "decord")


def read_video(
    source: Any,
    frames: int = 8,
    *,
    start_s: float | None = None,
    end_s: float | None = None,
    fps: float | None = None,
    caption: str | None = None,
    allow_partial: bool = False,
    backend: str = "auto",
) -> Clip:
    """A clip from a video file, or from pictures.

    ``source`` is a path (``film.mp4#t=60,70``: those seconds of it), a file object or bytes; an array uint8 0..255 or
    float 0..1 [frame, height, width, rgb]; a picture (a video of one frame); or a list of pictures, arrays or paths of
    pictures. With more than one picture ``fps`` says how many make a second. ``frames`` is how many are SHOWN, at the
    middles of equal parts; a model asks for its own. ``start_s`` and ``end_s`` cut a stretch out, in seconds. A file
    that breaks off is an error, unless ``allow_partial``: then the clip is as long as what decodes, its name says so,
    and so does a ``UserWarning``. ``backend`` "pyav" never asks decord, "decord" asks it wherever its frames are
    right, "auto" only where the file is short, too.

    Raises ``VideoError``: one sentence with the file's name, what is wrong, and the mend.
    """
    if frames < 1:
        raise ConfigError(f"frames={frames}: at least one frame is shown.")
    if backend not in _BACKENDS:
        raise ConfigError(f"backend={backend!r}; it may be {', '.join(_BACKENDS)}.")
    path, stretch = cut(source) if isinstance(source, (str, os.PathLike)) else (source, None)
    if stretch and (start_s, end_s) != (None, None):
        raise ConfigError("The path says which stretch of the file is meant; leave start_s and end_s out.")
    name, found = _identify(path if stretch else source)
    if stretch:
        name, start_s, end_s = f"{name}{MARK}{stretch.said}", stretch.start_s, stretch.end_s
    if isinstance(found, np.ndarray):
        clip = _clip_of_pictures(found, name, fps)
        count: int | None = len(found)
    elif fps is not None:
        raise ConfigError("fps is for arrays and pictures; a video file brings its own.")
    else:
        opening = examine(found, name, allow_partial)
        if opening.missing:
            held_s = opening.layout.duration_s
            name = f"{name} (first {held_s:.2f} s)"
            warnings.warn(f"{name}: only this much can be read, {opening.missing}.", stacklevel=2)
        video = VideoSource(found, name, opening, backend)
        clip = Clip(video, opening.layout.duration_s, opening.layout.fps, (), name)
        count = opening.count
    clip = _stretch(clip, start_s, end_s, allow_partial)
    shown = frames if count is None or (start_s, end_s) != (None, None) else min(frames, count)
    middles = tuple(clip.duration_s * (i + 0.5) / shown for i in range(shown))
    return Clip(clip.source, clip.duration_s, clip.fps, middles, clip.name, caption=caption)


# ── what was given ────────────────────────────────────────────────────────────────────────────────


def _identify(source: Any) -> tuple[str, np.ndarray | Path | bytes]:
    """A name for messages, and frames, a path or the bytes of a file."""
    if isinstance(source, (str, os.PathLike)):
        path = Path(source).expanduser()
        head = _head_of_file(str(source), path)
        name = path.name
        if is_picture(head) and path.suffix.lower() not in (".mjpeg", ".mjpg"):
            return name, open_picture(path, name)[None]
        return name, path
    if isinstance(source, (bytes, bytearray, memoryview)) or hasattr(source, "read"):
        return _identify_bytes(source)
    return "pictures", as_frames(source)


def _identify_bytes(source: Any) -> tuple[str, np.ndarray | Path | bytes]:
    name = "the bytes given"
    if hasattr(source, "read"):
        named = getattr(source, "name", None)
        if isinstance(named, str) and os.path.isfile(named):  # an open file: no need to hold it in memory
            return _identify(named)
        try:
            source.seek(0)
            source = source.read()
        except (OSError, ValueError):  # io.UnsupportedOperation is both
            raise VideoError("The file object cannot be read from its start; open it in mode 'rb'.") from None
        name = "the file object"
    if not isinstance(source, (bytes, bytearray, memoryview)):
        raise VideoError("The file object gives text; open it in mode 'rb'.")
    data = bytes(source)
    _refuse_head(data[:1024], name)
    if is_picture(data[:16]):
        return name, open_picture(io.BytesIO(data), name)[None]
    return name, data


def _head_of_file(given: str, path: Path) -> bytes:
    """The first bytes of a regular file. Raises ``VideoError`` for all that is none."""
    if "://" in given:
        raise VideoError(f"{given}: this is an address on the net; download the file and give its path.")
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise VideoError(f"{given}: this is a folder; give the path of one video in it.")
        if not stat.S_ISREG(mode):
            raise VideoError(f"{given}: this is no file but a device or pipe; save the video to a file.")
        with open(path, "rb") as file:
            head = file.read(1024)
    except FileNotFoundError:
        raise VideoError(f"{given}: there is no such file; check the path.") from None
    except PermissionError:
        raise VideoError(f"{given}: you may not read this file; change its permissions.") from None
    except (OSError, ValueError):
        raise VideoError(f"{given}: this cannot be opened as a file; check the path and the disk.") from None
    _refuse_head(head, given)
    return head


def _refuse_head(head: bytes, name: str) -> None:
    if not head:
        raise VideoError(f"{name}: the file is empty; get a fresh copy.")
    if is_text(head):
        kind = "a web page, so the download failed" if head.lstrip()[:1] == b"<" else "text, not a video"
        raise VideoError(f"{name}: the file holds {kind}; get the video itself.")


def _clip_of_pictures(frames: np.ndarray, name: str, fps: float | None) -> Clip:
    if fps is None and len(frames) > 1:
        raise VideoError("Say how many of the pictures make a second: read_video(pictures, fps=...).")
    rate = 1.0 if fps is None else float(fps)
    if not 0 < rate < float("inf"):
        raise VideoError(f"fps={fps} is no rate; say how many pictures make a second.")
    return Clip(ArraySource(frames, rate), len(frames) / rate, rate, (), name)


# ── a stretch ─────────────────────────────────────────────────────────────────────────────────────


class _Stretch:
    """A source seen through a window in time: its time 0 is ``start_s`` of the other's."""

    def __init__(self, source: Any, start_s: float) -> None:
        self.source, self.start_s = source, start_s

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """As the source's, later by ``start_s``."""
        return self.source.sample([t + self.start_s for t in times_s], short_side_px)

    def waveform(self, start_s: float, end_s: float) -> np.ndarray | None:
        """As the source's, later by ``start_s``."""
        return self.source.waveform(start_s + self.start_s, end_s + self.start_s)


def _stretch(clip: Clip, start_s: float | None, end_s: float | None, allow_partial: bool) -> Clip:
    if start_s is None and end_s is None:
        return clip
    start = 0.0 if start_s is None else float(start_s)
    end = clip.duration_s if end_s is None else float(end_s)
    # Annotated datasets round: half a second beyond the end is taken for the end.
    beyond = end > clip.duration_s + 0.5 and not allow_partial
    if not 0 <= start < min(end, clip.duration_s) or beyond:
        raise VideoError(
            f"{clip.name}: it lasts {clip.duration_s:.2f} s, so there is no stretch from {start:g} to "
            f"{end:g} s; choose start_s < end_s within it."
        )
    end = min(end, clip.duration_s)
    return Clip(_Stretch(clip.source, start), end - start, clip.fps, (), clip.name)


# ── the source ────────────────────────────────────────────────────────────────────────────────────


class VideoSource:
    """A video file that decodes on demand and keeps what it decoded (up to 32 MB, the latest used).

    It may be pickled and shared between threads: copies start without what was kept.
    """

    def __init__(self, where: Path | bytes, name: str, opening: Opening, backend: str = "auto") -> None:
        self.where, self.name, self.opening, self.backend = where, name, opening, backend
        self._forget()

    def _forget(self) -> None:
        self._kept: OrderedDict[tuple[int, int | None], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_kept", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def __repr__(self) -> str:
        return f"VideoSource({self.name!r})"

    @property
    def duration_s(self) -> float:
        """Length of the file in seconds."""
        return self.opening.layout.duration_s

    def sample(self, times_s: Sequence[float], short_side_px: int | None = None) -> np.ndarray:
        """The frames shown at ``times_s`` (any order): uint8 [frame, height, width, rgb], upright.

        ``short_side_px`` None means the file's own size. Raises ``VideoError`` for a time outside the
        clip and for damage that only decoding could find.
        """
        if short_side_px is not None and short_side_px < 1:
            raise VideoError(f"{self.name}: frames cannot be {short_side_px} pixels high; ask for 1 or more.")
        layout = self.opening.layout
        ticks = [layout.tick(self._checked(float(t))) for t in times_s]
        if not ticks:
            width, height = true_size(layout.width_px, layout.height_px, short_side_px)
            return np.zeros((0, height, width, 3), dtype=np.uint8)
        with self._lock:
            keys = {tick: (tick, short_side_px) for tick in ticks}
            here = {tick: self._kept[key] for tick, key in keys.items() if key in self._kept}
            lacking = [tick for tick in keys if tick not in here]
            if lacking:
                here |= self._decode(lacking, short_side_px)
            for tick, key in keys.items():
                self._keep(key, here[tick])
        return np.stack([here[tick] for tick in ticks])

    def waveform(self, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray | None:
        """Sound between two times: float32 [sample], 16 kHz mono in −1..1; None if the file has none."""
        end_s = self.duration_s if end_s is None else end_s
        if not self.opening.sound:
            return None
        if not 0 <= start_s <= end_s:
            raise VideoError(f"{self.name}: there is no sound from {start_s:g} to {end_s:g} s; swap the times.")
        origin_s = self.opening.origin_s
        return read_waveform(self.where, self.name, start_s + origin_s, end_s + origin_s)

    def _checked(self, time_s: float) -> float:
        if not -1e-3 <= time_s <= self.duration_s + 1e-3:
            raise VideoError(
                f"{self.name}: there is no frame at {time_s:g} s; it lasts from 0 to {self.duration_s:.2f} s."
            )
        return time_s

    def _decode(self, ticks: list[int], short_side_px: int | None) -> dict[int, np.ndarray]:
        layout = self.opening.layout
        if self._quickly():
            try:
                return decode_quickly(self.where, layout, ticks, short_side_px)  # type: ignore[arg-type]
            except Exception:  # whatever decord says, PyAV's word counts
                pass
        try:
            return decode(self.where, self.name, layout, ticks, short_side_px)
        except Damaged as found:
            at_s = max(0.0, float((found.tick - layout.first) * layout.tick_s))
            raise VideoError(
                f"{self.name}: its pictures are damaged near {at_s:.1f} s; get a fresh copy, or read what comes before "
                "(allow_partial=True; --partial before a command)."
            ) from None

    def _quickly(self) -> bool:
        layout = self.opening.layout
        if self.backend == "pyav" or not self.opening.simple or not is_safe(self.where, layout):
            return False
        return self.backend == "decord" or is_short(layout)

    def _keep(self, key: tuple[int, int | None], picture: np.ndarray) -> None:
        self._kept[key] = picture
        self._kept.move_to_end(key)
        while sum(p.nbytes for p in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)
