"""What is known of a video file once it has been opened: its layout, and that it is all there.

A short file is read through once without decoding, so that every timestamp is known and every packet
has been seen; of a long one only the beginning and the end are read.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vtexplore.data.damage import nal_length_bytes, nals_fit, shortfall
from vtexplore.data.decoding import (
    Damaged,
    Layout,
    Walk,
    native_errors,
    opened,
    picture_stream,
    sorry,
    stamp,
    turn_of,
)
from vtexplore.errors import VideoError

__all__ = ["Opening", "examine"]

_SHORT_BYTES = 64 * 2**20
_SHORT_S = 600.0
_PEEK_FRAMES = 8
# Containers that do not say how long a picture is: the last one of a file may be a part of itself.
_OPEN_ENDED = {"gif", "mpegts"}
# Containers whose head states a duration; others only guess one from the bit rate.
_STATES_DURATION = {"matroska", "avi", "mov", "asf", "flv"}


@dataclass(frozen=True)
class Opening:
    """A file's ``layout``; ``origin_s``, the container's time of the first frame; and what is missing of it.

    ``missing`` is a sentence for people, None if the file is whole. ``count`` is the number of frames
    where it is known, ``simple`` says that each packet is one frame of one upright stream.
    """

    layout: Layout
    origin_s: float
    count: int | None = None
    sound: bool = False
    simple: bool = False
    missing: str | None = None


def examine(where: Path | bytes, name: str, allow_partial: bool = False) -> Opening:
    """Open a file and see that it is whole. Raises ``VideoError`` with the reason and the mend.

    With ``allow_partial`` a file that breaks off is as long as what decodes of it, and ``missing`` says so.
    """
    missing = _shortfall(where, name)
    if missing and ("moov" in missing or not allow_partial):
        raise VideoError(_breaks_off(name, missing, hint="moov" not in missing))
    with opened(where, name) as container:
        layout, origin_s, broken = _peek(container, name)
    with opened(where, name) as container:
        stream = picture_stream(container, name)
        short = _is_short(where, container)
        scan = _scan(container, stream, layout) if short or allow_partial else _tail(container, stream, layout)
        missing = missing or broken or scan.missing or _overstated(container, scan)
        opening = Opening(
            layout=_with_scan(layout, scan, stream, whole=short or allow_partial),
            origin_s=origin_s,
            sound=bool(container.streams.audio),
            simple=not scan.odd and len(container.streams.video) == 1 and _plain(stream, layout),
        )
    if missing and not allow_partial:
        raise VideoError(_breaks_off(name, missing, hint=True))
    if allow_partial:
        opening = _as_far_as_it_decodes(where, name, opening, short, missing, scan.decoded_to)
    layout = opening.layout
    count = layout.end if layout.counted else None if layout.ticks is None else len(layout.ticks)
    return replace(opening, count=count)


def _breaks_off(name: str, missing: str, hint: bool) -> str:
    partly = " or read what is there (allow_partial=True; --partial before a command)" if hint else ""
    return f"{name}: the file is damaged, {missing}; get a fresh copy{',' if hint else ''}{partly}."


def _shortfall(where: Path | bytes, name: str) -> str | None:
    with sorry(name, "the file cannot be read; check its permissions and the disk."):
        if isinstance(where, bytes):
            return shortfall(io.BytesIO(where))
        with open(where, "rb") as file:
            return shortfall(file)


def _is_short(where: Path | bytes, container: Any) -> bool:
    size = len(where) if isinstance(where, bytes) else where.stat().st_size
    long_s = (container.duration or 0) / 1e6 > _SHORT_S
    # Without a stated duration a file has to be read through to know how long it is.
    return container.duration is None or (size <= _SHORT_BYTES and not long_s)


# ── the first frames ──────────────────────────────────────────────────────────────────────────────


def _peek(container: Any, name: str) -> tuple[Layout, float, str | None]:
    """Decode a few frames: size, orientation, where time begins, whether its stamps increase, what broke."""
    stream = picture_stream(container, name)
    tick_s = stream.time_base or Fraction(1, 1000)
    rate = stream.average_rate or stream.guessed_rate or Fraction(25)
    frames: list[Any] = []
    stamps: list[int] = []
    broken = None
    try:
        for frame in islice(container.decode(stream), _PEEK_FRAMES):
            frames = frames or [frame]
            stamps.append(frame.pts)
            if frame.is_corrupt:
                broken = "its first pictures make no sense"
    except native_errors:
        broken = "its first pictures make no sense"
    if not frames:
        what = "its first frame cannot be decoded" if broken else "it holds no frames"
        raise VideoError(f"{name}: the file is damaged, {what}; get a fresh copy or re-encode it.")
    frame, turn = frames[0], turn_of(frames[0])
    width, height = _square_pixels(frame.width, frame.height, stream.sample_aspect_ratio)
    if turn[0, 0] == 0:
        width, height = height, width
    increasing = None not in stamps and all(a < b for a, b in zip(stamps, stamps[1:], strict=False))
    shuffled = "avi" in container.format.name and getattr(stream.codec_context, "has_b_frames", False)
    counted = not increasing or bool(shuffled)
    first = 0 if counted else int(stamps[0])
    origin = frame.pts if frame.pts is not None else stream.start_time or 0
    layout = Layout(
        width_px=width,
        height_px=height,
        turn=turn,
        tick_s=1 / rate if counted else Fraction(tick_s),
        first=first,
        end=first + 1,
        fps=float(rate),
        counted=counted,
        codec=stream.codec_context.name,
    )
    return layout, float(origin * tick_s), broken


def _square_pixels(width: int, height: int, ratio: Any) -> tuple[int, int]:
    """Size with square pixels: the stored width is stretched, as players do; absurd ratios are slips."""
    if not ratio or not 0.1 <= ratio <= 10:
        return width, height
    return max(1, round(width * ratio)), height


def _plain(stream: Any, layout: Layout) -> bool:
    """Whether a packet is a frame, upright, with square pixels, in a container that says when it is shown."""
    if not {"mov", "matroska"} & set(stream.container.format.name.split(",")):
        return False
    upright = bool((layout.turn == np.eye(2, dtype=int)).all())
    return upright and not layout.counted and stream.sample_aspect_ratio in (None, 0, 1)


# ── every packet, or the last ones ────────────────────────────────────────────────────────────────


@dataclass
class _Scan:
    """Packets seen: stamps and lengths of frames in the order of decoding, and how far any stream reaches.

    ``decoded_to`` is the decoding time of the last whole one: nothing that may follow is shown before it.
    """

    stamps: list[int]
    keys: list[int]
    last_length: int = 0
    decoded_to: int | None = None
    reach_s: float = 0.0
    odd: bool = False
    unstamped: bool = False
    missing: str | None = None


def _scan(container: Any, stream: Any, layout: Layout) -> _Scan:
    """Read all packets that are left in a container, decoding none."""
    scan, latest = _Scan([], []), None
    latest_dts: int | None = layout.first - 1
    tick_s = float(stream.time_base)
    nal = nal_length_bytes(layout.codec, stream.codec_context.extradata)
    try:
        for packet in container.demux():
            if not packet.size:
                continue
            at = stamp(packet)
            if at is not None and packet.time_base is not None:
                scan.reach_s = max(scan.reach_s, float((at + (packet.duration or 0)) * packet.time_base))
            if packet.stream_index != stream.index:
                continue
            if packet.is_corrupt or (nal and not nals_fit(bytes(packet), nal)):
                when = "" if at is None else f" near {max(0.0, at * tick_s - _start_s(container)):.1f} s"
                scan.missing = f"its pictures make no sense{when}"
                break
            before, latest_dts = latest_dts, at if packet.dts is None else packet.dts
            scan.decoded_to = before if container.format.name in _OPEN_ENDED else latest_dts
            scan.unstamped |= packet.pts is None
            # Pictures shown before the key frame that they follow: decord miscounts them.
            scan.odd |= bool(scan.keys) and at is not None and at < scan.keys[-1]
            if packet.is_discard or _is_hidden(packet, layout.codec):
                scan.odd = True
                continue
            scan.stamps.append(layout.first if at is None else at)
            if packet.is_keyframe:
                scan.keys.append(scan.stamps[-1])
            if latest is None or scan.stamps[-1] >= latest:
                latest, scan.last_length = scan.stamps[-1], packet.duration or 0
    except native_errors:
        scan.missing = "it cannot be read to its end"
    return scan


def _is_hidden(packet: Any, codec: str) -> bool:
    """VP8 sends pictures that are only referred to, never shown: a bit of their first byte says so."""
    return codec == "vp8" and not bytes(packet)[0] & 0x10


def _tail(container: Any, stream: Any, layout: Layout) -> _Scan:
    """Read the last packets of a long file: they must be where its head says that they are."""
    end = int((container.duration / 1e6 + _start_s(container)) / float(stream.time_base))
    for back_s in (1, 30, 300):
        try:
            container.seek(end - int(back_s / stream.time_base), stream=stream)
        except native_errors:
            break
        scan = _scan(container, stream, layout)
        if scan.stamps or scan.missing:
            return scan
    return _Scan([], [], missing="nothing can be read near its end")


def _start_s(container: Any) -> float:
    return (container.start_time or 0) / 1e6


def _overstated(container: Any, scan: _Scan) -> str | None:
    """Whether the head promises clearly more than all streams hold (a little more is common)."""
    if container.duration is None or not _STATES_DURATION & set(container.format.name.split(",")):
        return None
    stated_s, held_s = container.duration / 1e6, scan.reach_s - _start_s(container)
    if stated_s - held_s <= max(0.5, 0.02 * stated_s):
        return None
    return f"it holds {max(0.0, held_s):.1f} s of the {stated_s:.1f} s that it announces"


def _with_scan(layout: Layout, scan: _Scan, stream: Any, whole: bool) -> Layout:
    """The layout with its end, and with all timestamps if every packet was seen."""
    length = scan.last_length or max(1, round(1 / layout.fps / float(layout.tick_s)))
    if not whole:
        stated = stream.frames or round((stream.duration or 1) * stream.time_base / layout.tick_s)
        end = stated if layout.counted else max(scan.stamps, default=layout.first) + length
        return replace(layout, end=max(layout.first + 1, end))
    ticks = np.array(sorted(scan.stamps), dtype=np.int64)
    if layout.counted or scan.unstamped or (np.diff(ticks) <= 0).any():
        tick_s = 1 / Fraction(layout.fps).limit_denominator(1001)
        return replace(layout, counted=True, tick_s=tick_s, first=0, end=max(1, len(ticks)))
    ticks = ticks[ticks >= layout.first]
    if not len(ticks):
        ticks = np.array([layout.first])
    end = int(ticks[-1]) + length
    fps = len(ticks) / float((end - layout.first) * layout.tick_s)
    # A program stream does not stamp every picture; after a seek the gaps are filled with guesses.
    known = [] if stream.container.format.name == "mpeg" else scan.keys
    keys = np.unique(np.array([layout.first, *known], dtype=np.int64))
    return replace(layout, ticks=ticks, keys=keys, end=end, fps=fps)


# ── what is there of a broken file ────────────────────────────────────────────────────────────────


def _as_far_as_it_decodes(
    where: Path | bytes, name: str, opening: Opening, short: bool, missing: str | None, decoded_to: int | None
) -> Opening:
    """The opening cut to the frames that decode: all of a short file is tried, of a long one the end."""
    layout = opening.layout
    starts: list[int | None] = [None]
    if not short and layout.keys is not None:
        starts = [*[int(k) for k in layout.keys[::-1][:8]], None]
    for start in starts:
        held, broken, delay = _held(where, name, layout, start)
        if held:
            break
    if missing and layout.counted:
        held = held[: len(held) - delay]
    elif missing and decoded_to is not None:
        # Where a file breaks off, the last picture may be one that others, now lost, were shown before.
        held = [tick for tick in held if tick <= decoded_to]
    if not held:
        raise VideoError(f"{name}: the file is damaged, not one of its frames can be decoded; get a fresh copy.")
    if broken and not missing:
        missing = "a part of it does not decode"
    cut = _cut(layout, held, start)
    return replace(opening, layout=cut, missing=missing, simple=opening.simple and not missing)


def _cut(layout: Layout, held: list[int], start: int | None) -> Layout:
    """The layout with those frames only that were held from the key frame ``start`` on, and all before it."""
    if layout.counted or layout.ticks is None:
        return replace(layout, end=held[-1] + 1)
    before = layout.ticks[: 0 if start is None else int(np.searchsorted(layout.ticks, start))]
    ticks = np.unique(np.concatenate([before, np.array(held, dtype=np.int64)]))
    if ticks[-1] == layout.ticks[-1]:
        return replace(layout, ticks=ticks)
    rest = layout.ticks[int(np.searchsorted(layout.ticks, ticks[-1], side="right"))] - ticks[-1]
    usual = round(1 / layout.fps / float(layout.tick_s)) if len(ticks) < 2 else int(np.median(np.diff(ticks)))
    return replace(layout, ticks=ticks, end=int(ticks[-1]) + max(1, min(usual, int(rest))))


def _held(where: Path | bytes, name: str, layout: Layout, start: int | None) -> tuple[list[int], bool, int]:
    """Ticks of the frames that decode from a key frame on, whether something broke, the decoder's delay."""
    held: list[int] = []
    broken = False
    with opened(where, name) as container:
        stream = picture_stream(container, name)
        try:
            for tick in Walk(container, stream, layout).stamps(start):
                held.append(tick)
        except (Damaged, *native_errors):
            broken = True
        context = stream.codec_context
        delay = getattr(context, "reorder_depth", 2 * bool(getattr(context, "has_b_frames", False)))
    return held, broken, int(delay)
