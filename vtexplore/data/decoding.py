"""Exact frames out of a video file, by PyAV.

The frame shown at time t is the last one whose timestamp is not after t. Seeking goes to a key frame by
its integer timestamp and rolls forward from there, so that every frame has the references it was
encoded against; only frames that were asked for become pixels, at the size at which they were asked for.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vtexplore.errors import VideoError

__all__ = [
    "Damaged",
    "Layout",
    "Walk",
    "decode",
    "native_errors",
    "opened",
    "picture_stream",
    "sorry",
    "stamp",
    "true_size",
    "turn_of",
]

native_errors = (av.error.FFmpegError, OSError, ValueError, EOFError)

# How far ahead a frame may lie before seeking is tried in a file whose key frames are not known.
_PATIENCE_S = 2.0
_THREADS = 2
_FRAME_THREADS_PX = 1280 * 720


class Damaged(Exception):  # noqa: N818 - a finding that the opener turns into a VideoError, or into a shorter clip
    """Decoding met data that make no sense, or an end that came too early, at ``tick``."""

    def __init__(self, tick: int) -> None:
        super().__init__(tick)
        self.tick = tick


@dataclass(frozen=True)
class Layout:
    """What is known of a file's pictures once it has been opened.

    A *tick* is the file's own unit of time: ``tick_s`` seconds. Where the file's timestamps do not
    increase, frames are simply counted (``counted``) and a tick is one frame. ``ticks`` are the
    timestamps of all frames and ``keys`` those of the key frames, ascending, where the file is short
    enough to know them. ``first`` is the first frame's tick: time 0 of the file.
    """

    width_px: int
    height_px: int
    turn: np.ndarray
    tick_s: Fraction
    first: int
    end: int
    fps: float
    counted: bool = False
    ticks: np.ndarray | None = None
    keys: np.ndarray | None = None
    codec: str = ""

    @property
    def duration_s(self) -> float:
        """From the first frame to the end of the last."""
        return float((self.end - self.first) * self.tick_s)

    def tick(self, time_s: float) -> int:
        """The tick at or before a time; a hair's breadth before a tick counts as that tick."""
        at = self.first + int(np.floor(time_s / float(self.tick_s) + 1e-4))
        return self.shown(at)

    def shown(self, tick: int) -> int:
        """The timestamp of the frame shown at a tick, if all are known; else the tick itself."""
        if self.ticks is None:
            return max(self.first, min(tick, self.end - 1))
        return int(self.ticks[max(0, int(np.searchsorted(self.ticks, tick, side="right")) - 1)])


# ── opening ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def sorry(name: str, otherwise: str) -> Iterator[None]:
    """What FFmpeg throws inside becomes one ``VideoError``: the file's name and ``otherwise``."""
    try:
        yield
    except (*native_errors, LookupError, ArithmeticError, RuntimeError):
        raise VideoError(f"{name}: {otherwise}") from None


@contextmanager
def opened(where: Path | bytes, name: str) -> Iterator[Any]:
    """The container of a file or of its bytes, closed when the block ends. Raises ``VideoError``."""
    with sorry(name, "this is no video that can be read, or its beginning is damaged; try to play it."):
        # The prefix keeps a name like "concat:a" from being taken for an instruction.
        file = io.BytesIO(where) if isinstance(where, bytes) else f"file:{where}"
        container = av.open(file, metadata_errors="replace")
    try:
        yield container
    finally:
        container.close()


def picture_stream(container: Any, name: str) -> Any:
    """The stream of moving pictures (cover art of a song is none). Raises ``VideoError``."""
    moving = [s for s in container.streams.video if not _is_cover(s)]
    if not moving:
        has = "only sound" if container.streams.audio else "no pictures"
        raise VideoError(f"{name}: this file holds {has}; give a file with moving pictures.")
    stream = moving[0]
    if stream.codec_context is None:
        raise VideoError(f"{name}: nothing here can decode its pictures; re-encode the file as H.264.")
    # Frame threads hold pictures of their own: at 1080p two cost 27 MB more than slice threads do.
    size = (stream.codec_context.width or 0) * (stream.codec_context.height or 0)
    stream.thread_type = "AUTO" if size <= _FRAME_THREADS_PX else "SLICE"
    stream.codec_context.thread_count = _THREADS
    return stream


def _is_cover(stream: Any) -> bool:
    return bool(int(getattr(stream, "disposition", 0)) & 0x400)  # AV_DISPOSITION_ATTACHED_PIC


def true_size(width: int, height: int, short_side_px: int | None) -> tuple[int, int]:
    """Width and height with the shorter side as asked (None = as they are); never less than 1."""
    if short_side_px is None:
        return width, height
    scale = short_side_px / min(width, height)
    return max(1, round(width * scale)), max(1, round(height * scale))


# ── pixels ────────────────────────────────────────────────────────────────────────────────────────


def turn_of(frame: Any) -> np.ndarray:
    """How a frame is to be turned or mirrored for display: int [2, 2] of the file's display matrix."""
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            a, b, _, c, d = np.frombuffer(bytes(data), dtype="<i4")[:5].astype(float)
            upright = abs(a) + abs(d) >= abs(b) + abs(c)
            turn = [[np.sign(a), 0], [0, np.sign(d)]] if upright else [[0, np.sign(b)], [np.sign(c), 0]]
            return np.array(turn, dtype=int)
    return np.eye(2, dtype=int)


def _turned(picture: np.ndarray, turn: np.ndarray) -> np.ndarray:
    """[height, width, rgb] turned: x′ = a·x + c·y, y′ = b·x + d·y for turn [[a, b], [c, d]]."""
    (a, b), (c, d) = turn
    if a == 0:
        picture, a, d = picture.transpose(1, 0, 2), c, b
    return np.ascontiguousarray(picture[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1])


def pixels(frame: Any, layout: Layout, short_side_px: int | None) -> np.ndarray:
    """uint8 [height, width, rgb] of a decoded frame: true aspect, upright, scaled in one step."""
    width, height = true_size(layout.width_px, layout.height_px, short_side_px)
    if layout.turn[0, 0] == 0:
        width, height = height, width
    rgb = frame.to_ndarray(format="rgb24", width=width, height=height)
    return _turned(rgb, layout.turn)


# ── rolling ───────────────────────────────────────────────────────────────────────────────────────


def decode(
    where: Path | bytes, name: str, layout: Layout, ticks: Sequence[int], short_side_px: int | None
) -> dict[int, np.ndarray]:
    """The frames shown at ``ticks``: uint8 [height, width, rgb] each. Raises ``VideoError``, ``Damaged``."""
    wanted = sorted(set(ticks))
    found: dict[int, np.ndarray] = {}
    with opened(where, name) as container:
        stream = picture_stream(container, name)

        def take(frame: Any) -> np.ndarray:
            with sorry(name, "a frame cannot be turned into pixels; re-encode the file as H.264."):
                return pixels(frame, layout, short_side_px)

        walk = Walk(container, stream, layout)
        while len(found) < len(wanted):
            walk.collect(wanted[len(found) :], found, take)
    return found


class Walk:
    """One pass over a file, forward, with leaps to key frames where they save work."""

    def __init__(self, container: Any, stream: Any, layout: Layout) -> None:
        self.container, self.stream, self.layout = container, stream, layout
        self.at: int | None = None  # the tick of the last frame that came out
        self.patience_s = _PATIENCE_S

    def stamps(self, key: int | None = None) -> Iterator[int]:
        """Ticks of all frames that decode, from the start or from a key frame on. Raises ``Damaged``."""
        frames = self._frames_up_to(self.layout.first) if key is None else self._leap(key)
        for tick, _ in frames:
            yield tick

    def collect(self, wanted: Sequence[int], found: dict[int, np.ndarray], take: Callable[[Any], np.ndarray]) -> None:
        """Fill ``found`` for ``wanted`` (ascending), until the end or until a leap is worth it."""
        shown: Any = None
        shown_at: int | None = None
        left = list(wanted)
        for tick, frame in self._frames_up_to(left[0]):
            while left and tick > left[0]:
                # Before the first frame there is nothing to show but that frame.
                found[left.pop(0)] = take(frame if shown is None else shown)
            exact = self.layout.ticks is not None or self.layout.counted
            if left and exact and tick == left[0]:
                found[left.pop(0)] = take(frame)
            shown, shown_at = frame, tick
            self.at = tick
            if not left or (len(left) < len(wanted) and self._worth_a_leap(tick, left[0])):
                return
        if shown_at is None or self._too_early(shown_at, left[-1]):
            raise Damaged(self.layout.first if shown_at is None else shown_at)
        last = take(shown)
        found.update(dict.fromkeys(left, last))

    def _too_early(self, last: int, wanted: int) -> bool:
        """Whether frames are missing after ``last``; a single one at the end may be a writer's slip."""
        layout = self.layout
        if layout.ticks is not None:
            return int(np.searchsorted(layout.ticks, wanted) - np.searchsorted(layout.ticks, last)) > 1
        return (wanted - last) * float(layout.tick_s) > max(0.5, 4 / max(layout.fps, 0.1))

    def _worth_a_leap(self, at: int, to: int) -> bool:
        if self.layout.counted:
            return False
        if self.layout.keys is not None:
            keys = self.layout.keys
            return bool(np.searchsorted(keys, to, side="right") > np.searchsorted(keys, at, side="right"))
        return (to - at) * float(self.layout.tick_s) > self.patience_s

    def _frames_up_to(self, target: int) -> Iterator[tuple[int, Any]]:
        """Frames in the order of display, from one that is not after ``target`` on."""
        layout = self.layout
        start = layout.first if self.at is None else self.at
        if layout.counted:
            yield from self._counted()
        elif self.at is None and not self._worth_a_leap(start, target):
            yield from self._from_key(self.container.demux(self.stream), None)
        else:
            yield from self._leap(target)

    def _leap(self, target: int) -> Iterator[tuple[int, Any]]:
        """Seek to a key frame that is shown no later than ``target``, going further back if need be."""
        back = 0
        while True:
            packets = self._seek(target - back)
            first = next((p for p in packets if p.size and p.is_keyframe), None)
            shown = None if first is None else stamp(first)
            if shown is not None and shown <= target and self._is_key(shown):
                break
            if target - back <= self.layout.first:  # nothing to seek to: from the very beginning
                yield from self._from_key(self._restart(), None)
                return
            back = max(2 * back, int(1 / self.layout.tick_s))
        if self.at is not None and shown <= self.at:  # the leap led back behind us: be slower to try
            self.patience_s *= 4
        yield from self._from_key(packets, first)

    def _is_key(self, tick: int) -> bool:
        keys = self.layout.keys  # a stamp that was not there in the first reading is a demuxer's guess
        return keys is None or bool(keys[min(int(np.searchsorted(keys, tick)), len(keys) - 1)] == tick)

    def _seek(self, tick: int) -> Iterator[Any]:
        try:
            self.container.seek(max(tick, self.layout.first), stream=self.stream)
        except native_errors:  # this container cannot seek
            return self._restart()
        return self.container.demux(self.stream)

    def _restart(self) -> Iterator[Any]:
        try:
            self.container.seek(self.layout.first, stream=self.stream)
        except native_errors:
            self.container.seek(0)
        return self.container.demux(self.stream)

    def _from_key(self, packets: Iterator[Any], key: Any) -> Iterator[tuple[int, Any]]:
        """Decode from a key frame; frames that belong before it lack their references and are dropped."""
        floor = None if key is None else stamp(key)
        at: int | None = None
        for packet in packets if key is None else itertools.chain([key], packets):
            for frame in _decoded(packet, at, self.layout):
                shown = stamp(frame)
                if shown is None or (floor is not None and shown < floor):
                    continue
                # A stamp that does not increase shares its place with the frame before it.
                at = shown if at is None else max(shown, at)
                yield _sound(frame, at), frame

    def _counted(self) -> Iterator[tuple[int, Any]]:
        at = self.layout.first
        for packet in self.container.demux(self.stream):
            for frame in _decoded(packet, at, self.layout):
                yield _sound(frame, at), frame
                at += 1


def stamp(thing: Any) -> int | None:
    """The presentation time of a packet or frame in ticks; what it lacks its decoding time stands in for."""
    return thing.pts if thing.pts is not None else thing.dts


def _decoded(packet: Any, at: int | None, layout: Layout) -> list[Any]:
    """The frames that a packet releases. Raises ``Damaged`` where the data make no sense."""
    where = stamp(packet)
    if where is None or layout.counted:
        where = layout.first if at is None else at
    if packet.is_corrupt:
        raise Damaged(where)
    try:
        return list(packet.decode())
    except EOFError:
        return []
    except native_errors:
        raise Damaged(where) from None


def _sound(frame: Any, tick: int) -> int:
    """The tick of a frame that decoded without a fault. Raises ``Damaged`` for one that did not."""
    if frame.is_corrupt:
        raise Damaged(tick)
    return tick
