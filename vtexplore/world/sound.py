"""What a scene sounds like: a tone for each kind of event, timed with it, over faint noise.

16 kHz, float32 in −1..1. In stereo the tone comes from where the object is; mono is the mean of both.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from vtexplore.world.act import Act
from vtexplore.world.motion import poses
from vtexplore.world.plan import Plan

RATE_HZ = 16_000
LOUD = 0.28  # of one tone; at most two sound at once
HISS = 0.004  # standard deviation of the noise
EDGE_S = 0.03  # fade in and out of a tone, so that it does not click


def waveform(scene: Plan, start_s: float = 0.0, end_s: float | None = None) -> np.ndarray:
    """Mono sound between two times: float32 [sample] in −1..1 at 16 kHz; silence outside the scene."""
    return _cut(stereo(scene).mean(0, dtype=np.float32), start_s, scene.duration_s if end_s is None else end_s)


def _cut(sound: np.ndarray, start_s: float, end_s: float) -> np.ndarray:
    a, b = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
    out = np.zeros(max(0, b - a), dtype=np.float32)
    low, high = max(a, 0), min(b, len(sound))
    if low < high:
        out[low - a : high - a] = sound[low:high]
    return out


@lru_cache(maxsize=16)
def stereo(scene: Plan) -> np.ndarray:
    """The whole sound, left and right: float32 [2, sample] in −1..1 at 16 kHz (read-only)."""
    count = round(scene.duration_s * RATE_HZ)
    out = np.random.default_rng(scene.grain).normal(0.0, HISS, (2, count))
    t = np.arange(count) / RATE_HZ
    grid = np.linspace(0.0, scene.duration_s, 1 + round(scene.duration_s * 20))  # the ear needs no more
    x = poses([scene], grid).x[0]  # [object, time]
    for act in scene.events:
        a, b = (round(s * RATE_HZ) for s in (act.start_s, act.end_s))
        where = np.interp(t[a:b], grid, x[list(act.objects)].mean(0))
        tone = LOUD * _tone(scene, act, t[a:b] - act.start_s)
        # Equal power: as loud in the middle as at the sides.
        out[0, a:b] += tone * np.cos(where * np.pi / 2)
        out[1, a:b] += tone * np.sin(where * np.pi / 2)
    result = np.clip(out, -1.0, 1.0).astype(np.float32)
    result.setflags(write=False)
    return result


def _tone(scene: Plan, act: Act, t: np.ndarray) -> np.ndarray:
    """A tone with a little of its octave; hops and shakes are heard one by one. [sample] in −1..1."""
    hz = scene.theme.actions[act.kind].tone_hz
    length = act.end_s - act.start_s
    tone = 0.8 * np.sin(2 * np.pi * hz * t) + 0.2 * np.sin(4 * np.pi * hz * t)
    loud = np.clip(np.minimum(t, length - t) / EDGE_S, 0.0, 1.0)
    if act.count:
        loud = loud * np.abs(np.sin(np.pi * act.count * t / length))
    return tone * loud
