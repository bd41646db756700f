"""An independent witness: says what happens in a scene from its poses alone, never from its events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vtexplore.world import Scene, Statement
from vtexplore.world.motion import poses


@dataclass(frozen=True)
class Sighting:
    """Who (colour and shape at the start) was seen doing what, when it began and ended, with or becoming what."""

    who: tuple[str, str]
    kind: str
    start_s: float
    end_s: float
    other: tuple[str, str] | None = None
    target: str | None = None


class Witness:
    """Looks at the default theme's scenes at 100 moments a second."""

    def __init__(self, scene: Scene) -> None:
        self.theme, self.background = scene.theme, scene.background
        self.t = np.linspace(0.0, scene.duration_s, 1 + round(scene.duration_s * 100))
        p = poses([scene], self.t)
        self.x, self.y, self.r, self.angle, self.alpha, self.rgb, self.depth = (
            a[0] for a in (p.x, p.y, p.radius, p.angle, p.alpha, p.rgb, p.depth)
        )
        shapes = tuple(self.theme.shapes)
        self.names = [(self.colour(self.rgb[o, 0]), shapes[s]) for o, s in enumerate(p.shape[0])]

    def colour(self, rgb: np.ndarray) -> str:
        return min(self.theme.colours, key=lambda c: float(np.abs(np.array(self.theme.colours[c]) - rgb).sum()))

    def spells(self, o: int) -> list[slice]:
        """Stretches of time in which an object changes, apart by a moment of rest."""
        rows = np.stack([self.x[o], self.y[o], self.r[o], self.angle[o], self.alpha[o], *(self.rgb[o].T / 255)])
        moving = np.abs(np.diff(rows, axis=1)).max(0) > 1e-4
        # A moment of stillness inside one event (the top of a hop, a wait before a quick change) is short.
        at = np.flatnonzero(moving)
        if not len(at):
            return []
        cuts = np.flatnonzero(np.diff(at) > 30)
        return [slice(a, b + 2) for a, b in zip(at[np.r_[0, cuts + 1]], at[np.r_[cuts, len(at) - 1]], strict=True)]

    def sightings(self) -> list[Sighting]:
        out: list[Sighting] = []
        pairs: list[tuple[int, slice, str]] = []
        for o in range(len(self.names)):
            for w in self.halves(o):
                kind, target = self.alone(o, w)
                if kind in ("back", "away"):
                    pairs.append((o, w, kind))
                else:
                    out.append(Sighting(self.names[o], kind, self.t[w.start], self.t[w.stop - 1], None, target))
        return out + self.together(pairs)

    def halves(self, o: int) -> list[slice]:
        """Spells, cut where one event ends and the next begins without a rest: in the middle of the clip."""
        middle = len(self.t) // 2
        out = []
        for w in self.spells(o):
            long = w.start < middle - 40 < middle + 40 < w.stop
            if long and self.still(o, middle) and self.partner(o, w) is None and not self.depth.any():
                out += [slice(w.start, middle), slice(middle, w.stop)]
            else:
                out.append(w)
        return out

    def still(self, o: int, at: int) -> bool:
        rows = np.stack([self.x[o], self.y[o], self.r[o], self.angle[o]])
        return bool(np.abs(np.diff(rows[:, at - 1 : at + 2], axis=1)).max() < 1e-6)

    def alone(self, o: int, w: slice) -> tuple[str, str | None]:
        x, y, r, angle, alpha, rgb = (a[o][w] for a in (self.x, self.y, self.r, self.angle, self.alpha, self.rgb))
        if abs(alpha[-1] - alpha[0]) > 0.5:
            return ("appears" if alpha[-1] > alpha[0] else "vanishes"), None
        if np.abs(rgb[-1] - rgb[0]).max() > 5:
            return "turns", self.colour(rgb[-1])
        if abs(angle[-1] - angle[0]) > 0.5:
            return "spins", None
        if abs(r[-1] / r[0] - 1) > 0.3:
            return ("grows" if r[-1] > r[0] else "shrinks"), None
        if self.depth.any() or (len(self.names) > 1 and self.partner(o, w) is not None):
            return ("away" if np.hypot(x[-1] - x[0], y[-1] - y[0]) > 0.1 else "back"), None
        dx, dy = x[-1] - x[0], y[-1] - y[0]
        if max(abs(dx), abs(dy)) > 0.2:
            if abs(dx) > abs(dy):
                return ("slides right" if dx > 0 else "slides left"), None
            return ("slides down" if dy > 0 else "slides up"), None
        return ("bounces" if np.ptp(y) > np.ptp(x) else "shakes"), None

    def partner(self, o: int, w: slice) -> int | None:
        """Another object that moves exactly opposite."""
        if max(np.ptp(self.x[o][w]), np.ptp(self.y[o][w])) < 0.02:
            return None
        for q in range(len(self.names)):
            dx = self.x[o][w] - self.x[o][w][0] + self.x[q][w] - self.x[q][w][0]
            dy = self.y[o][w] - self.y[o][w][0] + self.y[q][w] - self.y[q][w][0]
            if q != o and np.abs(dx).max() < 1e-3 and np.abs(dy).max() < 1e-3:
                return q
        return None

    def together(self, pairs: list[tuple[int, slice, str]]) -> list[Sighting]:
        if not pairs:
            return []
        o, w, kind = pairs[0]
        start, end = self.t[w.start], self.t[w.stop - 1]
        if self.depth.any():
            q = min((i for i in range(len(self.names)) if i != o), key=lambda i: self.nearest(o, i))
            assert self.nearest(o, q) < 0.05, "passes right over the other"
            side = "front" if self.depth[o] > self.depth[q] else "back"
            return [Sighting(self.names[o], f"passes in {side} of", start, end, self.names[q])]
        q = pairs[1][0]
        name = "swaps with" if kind == "away" else "collides with"
        if kind == "back":
            assert self.nearest(o, q) < self.r[o, 0] + self.r[q, 0], "they touch"
        return [Sighting(self.names[a], name, start, end, self.names[b]) for a, b in ((o, q), (q, o))]

    def nearest(self, o: int, q: int) -> float:
        return float(np.hypot(self.x[o] - self.x[q], self.y[o] - self.y[q]).min())

    def confirms(self, statement: Statement) -> bool:
        """Whether the statement is true of what was seen."""
        if statement.background != self.background:
            return False
        seen = self.sightings()
        fits = []
        for c in statement.clauses:
            told = ((c.subject.colour, c.subject.shape), c.kind, (c.other.colour, c.other.shape) if c.other else None)
            fits.append([s for s in seen if (s.who, s.kind, s.other) == told and s.target == c.target])
        if statement.join == "one":
            return bool(fits[0])
        middle = [(a.start_s + a.end_s) / 2 - (b.start_s + b.end_s) / 2 for a in fits[0] for b in fits[1] if a != b]
        if statement.join == "while":
            return any(abs(m) < 0.5 for m in middle)
        return any(m < -0.5 for m in middle)
