"""The sound of a file: 16 kHz, mono, −1..1."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from vtexplore.data.decoding import native_errors, opened, sorry
from vtexplore.errors import VideoError

__all__ = ["RATE_HZ", "read_waveform"]

RATE_HZ = 16_000
# Codecs such as AAC and MP3 need a little of what came before to be right.
_RUN_UP_S = 0.5


def read_waveform(where: Path | bytes, name: str, start_s: float, end_s: float) -> np.ndarray | None:
    """Sound between two of the container's own times: float32 [sample], 16 kHz mono in −1..1.

    None if the file has no sound; where the sound has a gap or ends early it is silent (0). Raises
    ``VideoError`` if nothing of it can be decoded.
    """
    wave = np.zeros(max(0, round((end_s - start_s) * RATE_HZ)), dtype=np.float32)
    with opened(where, name) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise VideoError(f"{name}: nothing here can decode its sound; re-encode it as AAC.")
        if start_s > _RUN_UP_S:
            try:
                container.seek(int((start_s - _RUN_UP_S) / stream.time_base), stream=stream)
            except native_errors:
                container.seek(0)
        with sorry(name, "its sound cannot be decoded; re-encode it as AAC."):
            good, bad = _fill(wave, container, stream, start_s, end_s)
    if bad > good:
        raise VideoError(f"{name}: its sound is damaged; get a fresh copy or re-encode the file.")
    return wave


def _fill(wave: np.ndarray, container: object, stream: av.AudioStream, start_s: float, end_s: float) -> tuple[int, int]:
    """Decode into ``wave``; returns how many packets decoded and how many did not."""
    # In 16 bits the channels are averaged; in floats FFmpeg only adds them up, to beyond 1.
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
    at: int | None = None  # where in ``wave`` the next sample belongs
    good = bad = 0
    for packet in container.demux(stream):  # type: ignore[attr-defined]
        try:
            frames = packet.decode()
            good += 1
        except EOFError:
            break
        except native_errors:  # after a seek the first packets of some codecs cannot be decoded
            bad += 1
            continue
        for frame in frames:
            if frame.pts is not None:
                due = round((float(frame.pts * frame.time_base) - start_s) * RATE_HZ)
                # Within a run samples are simply joined; a jump in the stamps is a gap in the sound.
                at = due if at is None or abs(due - at) > RATE_HZ // 10 else at
            for part in resampler.resample(frame):
                at = _paste(wave, part.to_ndarray()[0], at or 0)
        if at is not None and at > len(wave) + RATE_HZ // 10:
            return good, bad
    for part in resampler.resample(None):
        at = _paste(wave, part.to_ndarray()[0], at or 0)
    return good, bad


def _paste(wave: np.ndarray, samples: np.ndarray, at: int) -> int:
    start, stop = max(at, 0), min(at + len(samples), len(wave))
    if stop > start:
        wave[start:stop] = samples[start - at : stop - at] / np.float32(32768)
    return at + len(samples)
