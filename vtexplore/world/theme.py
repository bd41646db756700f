"""What a world is made of, as data: shapes, colours, backgrounds, actions and words.

A ``Theme`` holds no behaviour of its own beyond lookups. To make another world, fill in another one
(``vtexplore/world/garden.py`` does it in twenty lines); everything else in this room works from the data.

Pictures: x grows to the right and y DOWN, both 0..1 across the (square) frame; a shape is drawn inside
the unit circle and scaled by an object's radius. Colours are 0..255, kept within 8..247 by
``Theme.__post_init__`` so that noise can never wrap around.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product

from vtexplore.errors import ConfigError

Colour = tuple[int, int, int]
Slot = tuple[str, str]  # (concept, role): one word of a phrase, see Action.says
NOISE = 5  # grey levels of noise to either side
MARGIN = NOISE + 3


@dataclass(frozen=True)
class Shape:
    """A drawable shape inside the unit circle, with the spot that shows its turning.

    ``outline`` is "disc", "ring" or "polygon"; ``size`` is the disc's radius, or the ring's (mid radius,
    half thickness); ``corners`` are the polygon's, in order. ``spot`` is (x, y, radius) of the small
    contrasting dot; it must lie off-centre, or a turning disc would look still.
    """

    outline: str
    size: tuple[float, ...] = ()
    corners: tuple[tuple[float, float], ...] = ()
    spot: tuple[float, float, float] = (0.0, -0.5, 0.22)


@dataclass(frozen=True)
class Background:
    """``pattern`` "plain", "stripes" or "dots" of ``ink`` on ``paper``, repeating every ``period`` frames."""

    paper: Colour
    ink: Colour = (0, 0, 0)
    pattern: str = "plain"
    period: float = 0.2


@dataclass(frozen=True)
class Action:
    """Something that an object does (``arity`` 1) or two objects do (``arity`` 2).

    ``motion`` names one of the motions of ``motion.py``: slide, size, spin, hop, shake, fade, turn,
    collide, swap, pass. ``towards`` is the direction of a slide; ``sign`` is +1 for growing, fading in
    and passing in front, −1 for their opposites. ``reverse`` is the action that the reversed video
    shows (its own name if it looks the same). ``says`` is the phrase in concepts, one (concept, role) a
    word; the concept "target" stands for the colour that a turn ends in. ``tone_hz`` is its sound.
    """

    motion: str
    reverse: str
    says: tuple[Slot, ...]
    towards: tuple[int, int] = (0, 0)
    sign: int = 1
    tone_hz: float = 440.0

    @property
    def arity(self) -> int:
        """How many objects take part: 1 or 2."""
        return 2 if self.motion in ("collide", "swap", "pass") else 1

    @property
    def symmetric(self) -> bool:
        """Whether "A does it with B" says the same as "B does it with A"."""
        return self.motion in ("collide", "swap")


@dataclass(frozen=True)
class Voice:
    """One annotator: how this person says each concept, always in the same way.

    ``words`` maps a concept to a word; a concept that is missing is said as it is. A noun phrase is
    spelled by ``noun`` (subject) and ``noun_with`` (after a relation), lists of keys in which
    {colour} and {shape} are filled in before lookup; a key with a dot falls back to the part before it
    ("red.with" → "red"). ``says`` overrides the phrase of single actions, ``after`` holds words that
    follow the second noun of a relation.
    ``templates`` by kind of statement ("one", "then", "while", "script"): strings with {A} (earlier) and {B}, where
    {A:first} and {A:last} move the verb (the first word of ``says``) before or behind its clause;
    ``frames`` by kind: what may stand around it, with {it} and optionally {where}; ``where`` spells the
    background.
    """

    words: Mapping[str, str]
    templates: Mapping[str, tuple[str, ...]]
    frames: Mapping[str, tuple[str, ...]]
    noun: tuple[str, ...] = ("the", "{colour}", "{shape}")
    noun_with: tuple[str, ...] = ("the", "{colour}", "{shape}")
    where: tuple[str, ...] = ("on", "the", "{background}", "ground")
    says: Mapping[str, tuple[Slot, ...]] = field(default_factory=dict)
    after: Mapping[str, tuple[Slot, ...]] = field(default_factory=dict)

    def word(self, key: str) -> str:
        """The word for a concept, with or without a case after the dot."""
        if key in self.words:
            return self.words[key]
        stem = key.split(".", 1)[0]
        return self.words.get(stem, stem)


@dataclass(frozen=True)
class Theme:
    """A world: what exists in it, what can happen, and how people speak about it.

    ``voices`` are the annotators of the main language; ``languages`` holds one voice for each other
    language. ``heldout_every``: one (colour, shape, action) triple in so many is never shown in training.

    Raises ``ConfigError`` when an action's reverse is missing or not mutual, or a colour is out of range.
    """

    name: str
    colours: Mapping[str, Colour]
    shapes: Mapping[str, Shape]
    backgrounds: Mapping[str, Background]
    actions: Mapping[str, Action]
    voices: tuple[Voice, ...]
    languages: Mapping[str, Voice] = field(default_factory=dict)
    next_step: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    heldout_every: int = 8

    def __post_init__(self) -> None:
        for name, action in self.actions.items():
            back = self.actions.get(action.reverse)
            if back is None or back.reverse != name or back.motion != action.motion:
                raise ConfigError(
                    f"theme {self.name!r}: the reverse of {name!r} is given as {action.reverse!r}, "
                    f"which must be an action with the same motion whose reverse is {name!r}"
                )
        papers = [b.paper for b in self.backgrounds.values()]
        inks = [b.ink for b in self.backgrounds.values() if b.pattern != "plain"]
        for rgb in [*self.colours.values(), *papers, *inks]:
            if not all(MARGIN <= v <= 255 - MARGIN for v in rgb):
                raise ConfigError(
                    f"theme {self.name!r}: the colour {rgb} leaves no room for noise. Keep to {MARGIN}..{255 - MARGIN}"
                )
        tables = {
            "colour": {n: i for i, n in enumerate(self.colours)},
            "shape": {n: i for i, n in enumerate(self.shapes)},
            "action": {n: i for i, n in enumerate(sorted({min(n, a.reverse) for n, a in self.actions.items()}))},
        }
        object.__setattr__(self, "_index", tables)
        object.__setattr__(
            self,
            "_heldout",
            frozenset(
                (c, s, a) for c, s, a in product(self.colours, self.shapes, self.actions) if self._is_heldout(c, s, a)
            ),
        )

    def __hash__(self) -> int:
        return hash(self.name)

    def index(self, table: str, name: str) -> int:
        """Place of a colour or shape in the theme's order."""
        return self._index[table][name]  # type: ignore[attr-defined]

    def _is_heldout(self, colour: str, shape: str, action: str) -> bool:
        # An action and its reverse share one number: the set of training videos stays symmetric in time.
        a = self._index["action"][min(action, self.actions[action].reverse)]  # type: ignore[attr-defined]
        c, s = self.index("colour", colour), self.index("shape", shape)
        # Latin-square hash: for each shape and action exactly one colour in eight is held out, so that
        # every colour, shape, action and pair of them stays common in training.
        return (c + 3 * s + 5 * a) % self.heldout_every == 0

    def heldout(self, colour: str, shape: str, action: str) -> bool:
        """Whether this triple is never seen in training."""
        return (colour, shape, action) in self._heldout  # type: ignore[attr-defined]

    def kinds(self, arity: int | None = None) -> tuple[str, ...]:
        """Names of the actions (with so many objects)."""
        return tuple(n for n, a in self.actions.items() if arity in (None, a.arity))

    def voice(self, number: int, language: str = "en") -> Voice:
        """The annotator of that number, or the one voice of another language.

        Raises ``ConfigError`` naming the languages there are.
        """
        if language == "en":
            return self.voices[number % len(self.voices)]
        if language not in self.languages:
            raise ConfigError(f"theme {self.name!r} speaks en, {', '.join(self.languages)}; not {language!r}")
        return self.languages[language]
