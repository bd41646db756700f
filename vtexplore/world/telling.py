"""Everything else that can be said of a scene: the supervision that the papers ask for.

Narration as a speech recogniser gives it, captions per interval, tags, a scene graph, questions with
answers, dictionaries, and rewrites. All are true of the scene unless their names say otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vtexplore.types import Speech
from vtexplore.world.act import pick
from vtexplore.world.foils import KINDS, Foil, foil
from vtexplore.world.language import Caption, Statement, Style, retell, say
from vtexplore.world.plan import Plan
from vtexplore.world.theme import Theme
from vtexplore.world.tongues import FILLERS, SMALL_TALK

NUMBERS = ("none", "one", "two", "three", "four")


def narration(
    scene: Plan, rng: np.random.Generator | int = 0, drift_s: float = 1.5, idle: float = 0.25
) -> tuple[Speech, ...]:
    """Timed words in lower case with fillers, up to ``drift_s`` seconds too early or late.

    With probability ``idle`` each, an event is passed over in small talk about nothing on screen.
    Starts rise; all lies within the clip.
    """
    rng = np.random.default_rng(rng)
    voice = int(rng.random() * len(scene.theme.voices))
    out = []
    for start_s, end_s, caption in dense_captions(scene, voice):
        words = pick(rng, SMALL_TALK) if rng.random() < idle else f"{pick(rng, FILLERS)} {caption.text}"
        late = drift_s * (2 * rng.random() - 1)
        a = min(max(0.0, start_s + late), scene.duration_s - 0.5)
        out.append(Speech(round(a, 3), round(min(scene.duration_s, max(a + 0.5, end_s + late)), 3), words.lower()))
    return tuple(sorted(out, key=lambda s: s.start_s))


def dense_captions(
    scene: Plan, voice: int | None = None, language: str = "en"
) -> tuple[tuple[float, float, Caption], ...]:
    """(start_s, end_s, caption) of each event alone, in the order of start."""
    style = Style(scene.style.voice if voice is None else voice, 0, 0)
    out = []
    for i, event in enumerate(scene.events):
        alone = Statement("one", (scene.statement.clauses[i],), scene.background)
        out.append((event.start_s, event.end_s, _bare(say(scene.theme, alone, style, language), event.kind)))
    return tuple(out)


def _bare(caption: Caption, kind: str) -> Caption:
    """The clause without the frame around it."""
    words = tuple(w for w in caption.words if w.objects)
    moved = tuple(type(w)(i, w.text, w.role, w.concept, w.objects, w.event) for i, w in enumerate(words))
    return Caption(" ".join(w.text for w in moved), moved, caption.statement, caption.style, caption.language)


def tags(scene: Plan) -> tuple[str, ...]:
    """One name an object, as a detector would give it at the start: "red circle"."""
    return tuple(f"{o.colour} {o.shape}" for o in scene.objects)


@dataclass(frozen=True)
class SceneGraph:
    """Objects (shapes), attributes (object, colour), relations (subject, what, object; −1 = none)."""

    objects: tuple[str, ...]
    attributes: tuple[tuple[int, str], ...]
    relations: tuple[tuple[int, str, int], ...]


def scene_graph(scene: Plan) -> SceneGraph:
    """Who there is, what they are like, and what they do (to whom)."""
    return SceneGraph(
        tuple(o.shape for o in scene.objects),
        tuple((i, o.colour) for i, o in enumerate(scene.objects)),
        tuple((e.objects[0], e.kind, e.objects[1] if len(e.objects) > 1 else -1) for e in scene.events),
    )


@dataclass(frozen=True)
class Question:
    """A question with its answer, ``options`` (the answer among them) and its kind."""

    text: str
    answer: str
    options: tuple[str, ...]
    kind: str


def questions(scene: Plan, rng: np.random.Generator | int = 0) -> tuple[Question, ...]:
    """Questions of every kind that the scene answers beyond doubt, in plain words.

    Kinds: "count", "background", "colour", "shape", "action", "order", "verify" (yes or no; yes half the time).
    """
    rng = np.random.default_rng(rng)
    theme, voice = scene.theme, scene.theme.voices[0]
    out: list[Question] = []
    every_colour, every_shape = tuple(map(voice.word, theme.colours)), tuple(map(voice.word, theme.shapes))
    out.append(Question("how many objects are there", NUMBERS[_seen(scene)], NUMBERS[1:], "count"))
    grounds = tuple(map(voice.word, theme.backgrounds))
    out.append(Question("what is the background like", voice.word(scene.background), grounds, "background"))
    shapes, colours = [o.shape for o in scene.objects], [o.colour for o in scene.objects]
    for i, e in enumerate(scene.events):
        o = e.objects[0]
        doing = phrase(theme, scene, i)
        if shapes.count(shapes[o]) == 1:
            text = f"what colour is the {voice.word(shapes[o])} at first"
            out.append(Question(text, voice.word(colours[o]), every_colour, "colour"))
        if sum(phrase(theme, scene, k) == doing for k in range(len(scene.events))) == 1 and len(e.objects) == 1:
            out.append(Question(f"what shape {doing}", voice.word(shapes[o]), every_shape, "shape"))
        if sum(o in f.objects for f in scene.events) == 1 and len(e.objects) == 1:
            name = f"{voice.word(colours[o])} {voice.word(shapes[o])}"
            choices = tuple(dict.fromkeys([doing, *(_spoken(theme, k, None) for k in theme.kinds(1) if k != "turns")]))
            out.append(Question(f"what does the {name} do", doing, choices, "action"))
    if scene.join == "then":
        told = tuple(c.text for _, _, c in dense_captions(scene, 0))
        out.append(Question("what happens first", told[0], told, "order"))
        out.append(Question("what happens last", told[1], told, "order"))
    false = _any_foil(scene, rng) if rng.random() < 0.5 else None
    claim = scene.statement if false is None else false.caption.statement
    spoken = say(theme, claim, Style(0, scene.style.template, scene.style.frame)).text
    out.append(Question(f"is it true that {spoken}", "yes" if false is None else "no", ("yes", "no"), "verify"))
    return tuple(out)


def _any_foil(scene: Plan, rng: np.random.Generator) -> Foil | None:
    """A foil of the first kind, in random order, that the scene has."""
    for i in rng.permutation(len(KINDS)):
        found = foil(scene, KINDS[i], rng)
        if found is not None:
            return found
    return None


def _seen(scene: Plan) -> int:
    return len(scene.objects)  # who vanishes or appears is there at some time


def _spoken(theme: Theme, kind: str, target: str | None) -> str:
    voice = theme.voices[0]
    return " ".join(voice.word(c if c != "target" else target or "") for c, _ in theme.actions[kind].says)


def phrase(theme: Theme, scene: Plan, event: int) -> str:
    """What happens in an event, in plain words and without its subject: "slides left", "turns blue"."""
    e = scene.events[event]
    return _spoken(theme, e.kind, e.target)


def dictionary(theme: Theme, language: str) -> dict[str, tuple[str, ...]]:
    """Every English content word with its translations (cases and genders apart), for code-switching.

    Raises ``ConfigError`` if the theme does not speak the language.
    """
    foreign = theme.voice(0, language)
    out: dict[str, tuple[str, ...]] = {}
    for concept in _concepts(theme):
        there = tuple(dict.fromkeys(w for key, w in foreign.words.items() if key.split(".")[0] == concept))
        if there:
            for voice in theme.voices:
                out[voice.word(concept)] = there
    return out


def _concepts(theme: Theme) -> tuple[str, ...]:
    said = [c for a in theme.actions.values() for c, role in a.says if role not in ("function", "target")]
    return tuple(dict.fromkeys([*theme.colours, *theme.shapes, *theme.backgrounds, *said]))


def rewrites(
    scene: Plan, rng: np.random.Generator | int = 0, count: int = 3
) -> tuple[tuple[Caption, ...], tuple[Foil, ...]]:
    """``count`` paraphrases of the caption, and up to ``count`` minimal negatives, each of another kind."""
    rng = np.random.default_rng(rng)
    same = tuple(retell(scene.caption, scene.theme, rng) for _ in range(count))
    kinds: Sequence[str] = [KINDS[i] for i in rng.permutation(len(KINDS))]
    foils = [f for f in (foil(scene, k, rng) for k in kinds) if f is not None]
    return same, tuple(foils[:count])
