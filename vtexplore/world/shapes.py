"""The default theme: coloured shapes that slide, grow, spin, meet."""

from __future__ import annotations

from math import cos, pi, sin

from vtexplore.world.theme import Action, Background, Shape, Slot, Theme, Voice
from vtexplore.world.tongues import CHINESE, GERMAN


def _star(points: int, inner: float, outer: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Corners of a star that points up."""
    at = [(outer if i % 2 == 0 else inner, pi * i / points) for i in range(2 * points)]
    return tuple((round(r * sin(a), 6), round(-r * cos(a), 6)) for r, a in at)


_W, _L = 0.31, 0.95  # half width and length of the cross's arms

COLOURS = {
    "red": (222, 34, 40),
    "orange": (247, 134, 18),
    "yellow": (246, 228, 44),
    "green": (36, 176, 66),
    "cyan": (52, 216, 224),
    "blue": (42, 82, 236),
    "pink": (246, 112, 206),
    "white": (246, 246, 246),
}

SHAPES = {
    "circle": Shape("disc", (0.88,), spot=(0.0, -0.48, 0.26)),
    "square": Shape(
        "polygon", corners=((-0.71, -0.71), (0.71, -0.71), (0.71, 0.71), (-0.71, 0.71)), spot=(0.0, -0.4, 0.24)
    ),
    "triangle": Shape("polygon", corners=((0.0, -1.0), (0.866, 0.5), (-0.866, 0.5)), spot=(0.0, -0.42, 0.22)),
    "cross": Shape(
        "polygon",
        corners=(
            (-_W, -_L), (_W, -_L), (_W, -_W), (_L, -_W), (_L, _W), (_W, _W),
            (_W, _L), (-_W, _L), (-_W, _W), (-_L, _W), (-_L, -_W), (-_W, -_W),
        ),
        spot=(0.0, -0.6, 0.23),
    ),
    "ring": Shape("ring", (0.72, 0.23), spot=(0.0, -0.72, 0.2)),
    "star": Shape("polygon", corners=_star(5, 0.5), spot=(0.0, -0.46, 0.2)),
}  # fmt: skip

# Grey only, so that no object's colour drowns in a background.
BACKGROUNDS = {
    "dark": Background((26, 26, 30)),
    "grey": Background((126, 126, 130)),
    "striped": Background((44, 44, 50), (88, 88, 96), "stripes", 0.22),
    "dotted": Background((62, 62, 66), (140, 140, 146), "dots", 0.19),
}


def _alone(concept: str) -> tuple[Slot, ...]:
    # "slides left" has two words, so every other verb takes a second, empty one: length tells nothing.
    return ((concept, "verb"), ("now", "function"))


def _slide(side: str) -> tuple[Slot, ...]:
    return (("slide", "verb"), (side, "direction"))


def _with(concept: str) -> tuple[Slot, ...]:
    return ((concept, "relation"), ("just", "function"), ("now", "function"), ("with", "function"))


def _pass(side: str) -> tuple[Slot, ...]:
    return (("pass", "verb"), ("in", "function"), (side, "relation"), ("of", "function"))


ACTIONS = {
    "slides left": Action("slide", "slides right", _slide("left"), towards=(-1, 0), tone_hz=330.0),
    "slides right": Action("slide", "slides left", _slide("right"), towards=(1, 0), tone_hz=392.0),
    "slides up": Action("slide", "slides down", _slide("up"), towards=(0, -1), tone_hz=494.0),
    "slides down": Action("slide", "slides up", _slide("down"), towards=(0, 1), tone_hz=294.0),
    "grows": Action("size", "shrinks", _alone("grow"), tone_hz=220.0),
    "shrinks": Action("size", "grows", _alone("shrink"), sign=-1, tone_hz=622.0),
    "spins": Action("spin", "spins", _alone("spin"), tone_hz=740.0),
    "bounces": Action("hop", "bounces", _alone("bounce"), tone_hz=262.0),
    "shakes": Action("shake", "shakes", _alone("shake"), tone_hz=175.0),
    "appears": Action("fade", "vanishes", _alone("appear"), tone_hz=880.0),
    "vanishes": Action("fade", "appears", _alone("vanish"), sign=-1, tone_hz=587.0),
    "turns": Action("turn", "turns", (("turn", "verb"), ("target", "target")), tone_hz=698.0),
    "collides with": Action("collide", "collides with", _with("collide"), tone_hz=147.0),
    "swaps with": Action("swap", "swaps with", _with("swap"), tone_hz=554.0),
    "passes in front of": Action("pass", "passes in front of", _pass("front"), tone_hz=415.0),
    "passes in back of": Action("pass", "passes in back of", _pass("back"), sign=-1, tone_hz=349.0),
}

# Four templates mention the earlier event first and four the later one: mention order says nothing.
TEMPLATES = {
    "one": ("{A}",),
    "then": (
        "{A} and then {B}", "after {A} {B}", "first {A} then {B}", "{A} before {B}",
        "before {B} {A}", "{B} after {A}", "{B} but first {A}", "second {B} first {A}",
    ),
    "while": ("{A} while {B}", "while {A} {B}", "{A} as {B}", "as {A} {B}"),
    "script": ("{A} and then {B}",),
}  # fmt: skip
FRAMES = {
    "one": ("we see that {it}", "{it} in view", "{it} {where}", "{where} {it}"),
    "then": ("{it}", "we see that {it}", "{it} {where}", "{where} {it}"),
    "while": ("{it}", "we see that {it}", "{it} {where}", "{where} {it}"),
}

_PLAIN = {
    "slide": "slides", "grow": "grows", "shrink": "shrinks", "spin": "spins", "bounce": "bounces",
    "shake": "shakes", "appear": "appears", "vanish": "vanishes", "turn": "turns", "collide": "collides",
    "swap": "swaps", "pass": "passes", "ground": "background",
}  # fmt: skip
# Three people describe this world, each in words of their own but for the colours: enough synonyms for
# real tokenizer effects, few enough for a miniature to learn all of them.
_SECOND = {
    "the": "this", "now": "here", "on": "over", "ground": "floor",
    "circle": "ball", "square": "box", "triangle": "wedge", "cross": "plus", "ring": "hoop", "star": "spark",
    "cyan": "turquoise", "slide": "moves", "grow": "expands", "shrink": "contracts", "spin": "rotates",
    "bounce": "hops", "shake": "trembles", "appear": "emerges", "vanish": "disappears", "turn": "becomes",
    "collide": "crashes", "swap": "switches", "pass": "goes",
}  # fmt: skip
_THIRD = {
    "the": "that", "now": "there", "on": "against", "ground": "wall",
    "circle": "disc", "square": "block", "triangle": "pyramid", "ring": "donut", "pink": "magenta",
    "left": "leftward", "right": "rightward", "up": "upward", "down": "downward",
    "slide": "glides", "grow": "swells", "shrink": "dwindles", "spin": "twirls", "bounce": "jumps",
    "shake": "shivers", "appear": "arrives", "vanish": "fades", "turn": "gets", "collide": "bumps",
    "swap": "trades", "pass": "travels",
}  # fmt: skip

# After a step of a script comes, with so much probability and where possible, one of these; else anything.
NEXT_STEP = {
    "shrinks": {"vanishes": 0.7},
    "grows": {"spins": 0.6},
    "spins": {"slides left": 0.3, "slides right": 0.3},
    "bounces": {"turns": 0.6},
    "turns": {"shrinks": 0.5},
    "vanishes": {"appears": 0.7},
    "appears": {"bounces": 0.6},
}

SHAPES_THEME = Theme(
    "shapes",
    COLOURS,
    SHAPES,
    BACKGROUNDS,
    ACTIONS,
    voices=tuple(Voice(words, TEMPLATES, FRAMES) for words in (_PLAIN, _SECOND, _THIRD)),
    languages={"de": GERMAN, "zh": CHINESE},
    next_step=NEXT_STEP,
)
