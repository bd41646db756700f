"""Drawing scenes: what happens is drawn first, then places in which it fits.

At the end a fair coin decides whether the scene or its reversal is returned. That one line makes the
distribution of videos exactly symmetric in time, whatever is done before it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vtexplore.errors import ConfigError
from vtexplore.world.act import DURATION_S, Act, Thing, between, chain_sizes, pick, shape_act, snap
from vtexplore.world.language import draw_style
from vtexplore.world.places import settle
from vtexplore.world.scene import Scene
from vtexplore.world.shapes import SHAPES_THEME
from vtexplore.world.theme import Theme

FORMS = ("one", "relation", "then", "same", "while")
FORM_SHARES = (0.22, 0.16, 0.30, 0.20, 0.12)  # order is hard to learn: half of all clips are sequences
# Windows (start, end) of an event in shares of the clip: in a sequence each covers two of the four
# interior frames at 1/5 … 4/5, with progress of about 0.23 and 0.77.
WINDOWS = {"full": (0.1125, 0.8875), "first": (0.1125, 0.4875), "second": (0.5125, 0.8875)}
JITTER = 0.0075


class CannotPlace(ConfigError):
    """No place was found in which these events fit into the frame."""


def sample_scene(
    seed: int | np.random.Generator = 0,
    split: str = "train",
    *,
    theme: Theme = SHAPES_THEME,
    form: str | Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    objects: int | None = None,
    background: str | None = None,
) -> Scene:
    """A scene of 4 s; the same seed gives the same scene.

    ``split`` "train" never holds a held-out (colour, shape, action), "heldout" at least one. ``form``
    is "one" (a single event), "relation" (two objects), "then" (a sequence, two objects), "same" (a
    sequence, one object) or "while"; or several of them, of which one is drawn. ``kinds`` fixes the
    actions, ``objects`` how many there are (1–3). Since a fair coin may reverse the scene, fixed
    ``kinds`` may come out as their reverses; if you need one very action, draw until it comes.

    Raises ``ConfigError`` for an unknown split, form or kind and for wishes that no form fits, ``CannotPlace`` if there
    is no place in 200 draws.
    """
    rng = np.random.default_rng(seed)
    for _ in range(200):
        scene = draft_scene(rng, split, theme=theme, form=form, kinds=kinds, objects=objects, background=background)
        settled = settle(scene, rng)
        if settled is not None:
            return settled if rng.random() < 0.5 else settled.reversed()
    raise CannotPlace(f"no place for form={form!r}, kinds={kinds!r}, objects={objects!r} in 200 draws")


def draft_scene(
    seed: int | np.random.Generator = 0,
    split: str = "train",
    *,
    theme: Theme = SHAPES_THEME,
    form: str | Sequence[str] | None = None,
    kinds: Sequence[str] | None = None,
    objects: int | None = None,
    background: str | None = None,
) -> Scene:
    """What happens in a scene, and its words, without places: enough for text alone. See ``sample_scene``.

    Raises ``ConfigError`` for an unknown split, form or kind and for wishes that no form fits, ``CannotPlace`` if they
    contradict the split.
    """
    if split not in ("train", "heldout"):
        raise ConfigError(f"split is 'train' or 'heldout', not {split!r}")
    among = (form,) if isinstance(form, str) else tuple(form or FORMS)
    if wrong := [f for f in among if f not in FORMS]:
        raise ConfigError(f"form is one of {', '.join(FORMS)}; not {wrong[0]!r}")
    if objects is not None or kinds:
        among = _fitting(theme, among, kinds, objects)
    rng = np.random.default_rng(seed)
    for _ in range(5000):
        chosen = form if isinstance(form, str) else _form(rng, theme, among)
        scene = _draft(rng, theme, chosen, split, kinds, objects, background)
        if scene.is_sound() and (split == "train" or scene.is_heldout()):
            return scene
    raise CannotPlace(f"no {split} scene has form={form!r}, kinds={kinds!r}, objects={objects!r}")


def _fitting(theme: Theme, among: Sequence[str], kinds: Sequence[str] | None, objects: int | None) -> tuple[str, ...]:
    """Those of some forms that have objects enough, and an event for each of the kinds, of as many objects."""
    if objects not in (None, 1, 2, 3):
        raise ConfigError(f"objects is 1, 2 or 3, not {objects!r}")
    if unknown := [k for k in kinds or () if k not in theme.actions]:
        raise ConfigError(f"{unknown[0]!r} is no kind of action; there are {', '.join(theme.actions)}")

    def fits(form: str) -> bool:
        doers, _ = _cast(form)
        told = not kinds or [theme.actions[k].arity for k in kinds] == [len(who) for who in doers]
        return told and (objects is None or objects >= _actors(doers))

    if out := tuple(filter(fits, among)):
        return out
    raise ConfigError(
        f"no scene of form {' or '.join(among)} has kinds={kinds!r} and objects={objects!r}: forms 'one' (one object) "
        "and 'relation' (two) have one event, the others two, of one object each; 'then' and 'while' take two objects"
    )


def _form(rng: np.random.Generator, theme: Theme, among: Sequence[str]) -> str:
    shares = {form: share for form, share in zip(FORMS, FORM_SHARES, strict=True) if form in among}
    u = rng.random() * (1.0 if len(shares) == len(FORMS) else sum(shares.values()))
    for form, share in shares.items():
        u -= share
        if u < 0 and (form != "relation" or theme.kinds(2)):
            return form
    return "then" if "then" in among else among[0]


def _draft(
    rng: np.random.Generator, theme: Theme, form: str, split: str,
    kinds: Sequence[str] | None, count: int | None, background: str | None,
) -> Scene:  # fmt: skip
    """Who does what, without places."""
    doers, slots = _cast(form)
    actors = _actors(doers)
    n = count or actors + int(rng.random() * (4 - actors))
    things = [
        Thing(c, s, 0.0, 0.0, between(rng, 0.11, 0.155), between(rng, -0.06, 0.06) % 1.0)
        for c, s in draw_looks(rng, theme, n)
    ]
    free = theme.kinds(len(doers[0]))
    if form == "same":  # what is not there yet, or no longer, can do nothing else
        free = tuple(k for k in free if theme.actions[k].motion != "fade")
    events = []
    for i, (who, slot) in enumerate(zip(doers, slots, strict=True)):
        kind = kinds[i] if kinds else pick(rng, free)
        act, things = make_act(rng, theme, kind, who, slot, things)
        events.append(act)
    events, things = chain_sizes(theme, events, things)
    join = {"one": "one", "relation": "one", "while": "while"}.get(form, "then")
    return Scene(
        theme, background or pick(rng, tuple(theme.backgrounds)), tuple(things), tuple(events), join,
        draw_style(rng, theme, join), split, int(rng.random() * 2**31), (rng.random(), rng.random()),
        rng.random() < 0.5,
    )  # fmt: skip


def _cast(form: str) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """Which objects take part in each event of a form, and in which of the ``WINDOWS`` it happens."""
    return {
        "one": (((0,),), ("full",)),
        "relation": (((0, 1),), ("full",)),
        "then": (((0,), (1,)), ("first", "second")),
        "same": (((0,), (0,)), ("first", "second")),
        "while": (((0,), (1,)), ("full", "full")),
    }[form]


def _actors(doers: Sequence[Sequence[int]]) -> int:
    """How many objects there must be."""
    return 1 + max(max(who) for who in doers)


def draw_looks(rng: np.random.Generator, theme: Theme, n: int) -> list[tuple[str, str]]:
    """Distinct (colour, shape) pairs; half of the later ones share one half with the first."""
    colours, shapes = tuple(theme.colours), tuple(theme.shapes)
    out: list[tuple[str, str]] = []
    while len(out) < n:
        c, s = pick(rng, colours), pick(rng, shapes)
        if out and rng.random() < 0.5:
            c, s = (out[0][0], s) if rng.random() < 0.5 else (c, out[0][1])
        if (c, s) not in out:
            out.append((c, s))
    return out


def make_act(
    rng: np.random.Generator, theme: Theme, kind: str, who: tuple[int, ...], slot: str, things: Sequence[Thing]
) -> tuple[Act, list[Thing]]:
    """An event of a kind with fresh amounts, and the things, sized so that it fits."""
    things = list(things)
    start, end = WINDOWS[slot]
    start_s = snap((start + JITTER * (2 * rng.random() - 1)) * DURATION_S)
    end_s = snap((end + JITTER * (2 * rng.random() - 1)) * DURATION_S)
    return shape_act(rng, theme, kind, who, (start_s, end_s), 2 if slot == "full" else 1, things)
