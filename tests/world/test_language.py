"""Captions say what is there, in words that tell nothing else."""

from collections import Counter
from itertools import islice, product

import numpy as np
import pytest

from vtexplore.errors import ConfigError
from vtexplore.world import (
    GARDEN_THEME,
    SHAPES_THEME,
    WORDS,
    Clause,
    Noun,
    Statement,
    Style,
    dense_captions,
    dictionary,
    holds,
    lexicon,
    narration,
    questions,
    rewrites,
    sample_scene,
    say,
    scene_graph,
    sentences,
    tags,
)

THEME = SHAPES_THEME
SCENES = [sample_scene(s) for s in range(150)]


def test_length_and_template_tell_nothing_of_the_content():
    """With a given style, every statement of a form has the same number of words."""
    nouns = [Noun(c, s, i) for i, (c, s) in enumerate([("red", "circle"), ("cyan", "star"), ("white", "cross")])]
    one = [(k, "blue" if k == "turns" else None) for k in THEME.kinds(1)]
    forms = {
        "one": [(Clause(n, k, None, t),) for n, (k, t) in product(nouns, one)],
        "relation": [(Clause(nouns[0], k, nouns[1]),) for k in THEME.kinds(2)],
        "then": [(Clause(nouns[0], k, None, t), Clause(nouns[1], m, None, u)) for (k, t), (m, u) in product(one, one)],
        "same": [(Clause(nouns[0], k, None, t), Clause(nouns[0], m, None, u)) for (k, t), (m, u) in product(one, one)],
        "while": [(Clause(nouns[2], k, None, t), Clause(nouns[1], m, None, u)) for (k, t), (m, u) in product(one, one)],
    }
    for form, every in forms.items():
        all_clauses = every[::7] if len(every) > 50 else every  # 7 and 12 share no factor: all actions are met
        join = {"relation": "one", "same": "then"}.get(form, form)
        for voice, template, frame in product(range(3), range(8), range(4)):
            counts = {
                len(say(THEME, Statement(join, clauses, ground), Style(voice, template, frame)).words)
                for clauses, ground in zip(all_clauses, list(THEME.backgrounds) * len(all_clauses), strict=False)
            }
            assert len(counts) == 1
            assert 6 <= counts.pop() <= 16


def test_styles_are_drawn_alike_for_all_contents():
    counts: dict[str, Counter] = {"slide": Counter(), "other": Counter()}
    rng = np.random.default_rng(0)
    for _ in range(1500):
        s = sample_scene(rng, form="then")
        counts["slide" if THEME.actions[s.events[0].kind].motion == "slide" else "other"][s.style.template] += 1
    a, b = (np.array([c[t] for t in range(8)]) / sum(c.values()) for c in counts.values())
    assert np.abs(a - b).max() < 0.08 and np.abs(a - 1 / 8).max() < 0.06


@pytest.mark.parametrize("voice", [*THEME.voices, *THEME.languages.values(), *GARDEN_THEME.voices])
def test_mention_order_is_balanced_exactly(voice):
    first = [t.index("{A") < t.index("{B") for t in voice.templates["then"]]
    assert sum(first) * 2 == len(first)


def test_a_word_means_one_thing():
    concepts = [*THEME.colours, *THEME.shapes, *THEME.backgrounds]
    concepts += [c for a in THEME.actions.values() for c, role in a.says if role not in ("function", "target")]
    meaning: dict[str, str] = {}
    for voice, concept in product(THEME.voices, dict.fromkeys(concepts)):
        assert meaning.setdefault(voice.word(concept), concept) == concept
    # Each annotator has a determiner of their own, which is in every caption.
    assert len({v.word("the") for v in THEME.voices}) == len(THEME.voices)


@pytest.mark.parametrize("language", ["en", "de", "zh"])
def test_every_word_knows_what_it_names(language):
    for scene in SCENES:
        for caption in islice(scene.captions(1, language), 3):
            voice = THEME.voice(caption.style.voice, language)
            assert caption.text.split() == [w.text for w in caption.words]
            assert [w.word for w in caption.words] == list(range(len(caption.words)))
            assert set(caption.text.split()) <= lexicon(THEME, language)
            for w in caption.words:
                if w.role == "colour":
                    assert scene.objects[w.objects[0]].colour == w.concept
                if w.role == "shape":
                    assert scene.objects[w.objects[0]].shape == w.concept
                    assert voice.word(w.concept) == w.text
                if w.role in ("verb", "direction", "target", "relation"):
                    assert set(w.objects) == set(scene.events[w.event].objects)
                if w.role == "target":
                    assert scene.events[w.event].target == w.concept
                if w.role == "direction":
                    assert w.concept in scene.events[w.event].kind
                if w.role == "background":
                    assert w.concept == scene.background
                if w.role == "connective":
                    assert not w.objects and w.event is None
            told = {w.event for w in caption.words if w.event is not None}
            assert told == set(range(len(scene.events)))


def test_paraphrases_say_the_same_otherwise():
    for scene in SCENES[:40]:
        texts = {c.text for c in islice(scene.captions(2), 4)}
        assert scene.caption.text not in texts
        assert all(holds(scene, c.statement) for c in islice(scene.captions(2), 4))


def test_spans_are_phrases():
    scene = sample_scene(0, form="one")
    spans = scene.caption.spans()
    assert [s[2] for s in spans if s[3] is None] == [(0,)]
    assert {s[3] for s in spans} == {None, 0}


def test_sentences_and_words():
    some = list(islice(sentences(4), 300))
    assert some == list(islice(sentences(4), 300)) and len(set(some)) > 290
    used = {w for s in islice(sentences(5), 4000) for w in s.split()}
    assert used == WORDS, used ^ WORDS
    with pytest.raises(ConfigError, match="de, zh"):
        lexicon(THEME, "fr")


def test_german_puts_the_verb_where_it_belongs():
    scene = sample_scene(2, form="then", kinds=["spins", "slides left"])
    texts = [c.text for c in scene.captions(language="de")]
    assert any(" bevor " in t and t.split()[-1] in ("gleitet", "dreht", "Grund") for t in texts)
    words = dictionary(THEME, "de")
    assert words["red"] == ("rote", "roten", "rot") and words["ball"] == ("Kreis",)
    assert dictionary(THEME, "zh")["spins"] == ("旋转",)


def test_narration_is_what_a_recogniser_hears():
    shifts, idle = [], 0
    for i, scene in enumerate(SCENES):
        for s in narration(scene, i):
            assert s.words == s.words.lower() and 0 <= s.start_s < s.end_s <= scene.duration_s
            event = [e for e in scene.events if any(w in s.words.split() for w in e.kind.split())]
            shifts += [s.start_s - e.start_s for e in event[:1]]
        told = " ".join(s.words for s in narration(scene, i))
        idle += any(t in told for t in ("coffee", "dog", "subscribe", "comments", "watching", "welcome"))
    assert max(map(abs, shifts)) <= 3.6 and np.std(shifts) > 0.3
    assert 0.2 * len(SCENES) < idle < 0.7 * len(SCENES)


def test_everything_else_that_is_told_is_true():
    yes = Counter()
    for i, scene in enumerate(SCENES):
        for (start, end, caption), e in zip(dense_captions(scene), scene.events, strict=True):
            assert (start, end) == (e.start_s, e.end_s)
            assert caption.text in scene.caption.text or "it" in scene.caption.text.split()
        assert tags(scene)[0] == f"{scene.objects[0].colour} {scene.objects[0].shape}"
        graph = scene_graph(scene)
        assert len(graph.objects) == len(graph.attributes) == len(scene.objects)
        assert [r[1] for r in graph.relations] == [e.kind for e in scene.events]
        for q in questions(scene, i):
            assert q.answer in q.options and len(set(q.options)) == len(q.options), q
            if q.kind == "verify":
                yes[q.answer] += 1
            if q.kind == "count":
                assert q.answer == ("none", "one", "two", "three")[len(scene.objects)]
        same, foils = rewrites(scene, i)
        assert len(same) == 3 and len(foils) >= 2 and len({f.kind for f in foils}) == len(foils)
        assert all(holds(scene, c.statement) for c in same)
        assert not any(holds(scene, f.caption.statement) for f in foils)
    assert 0.35 < yes["yes"] / sum(yes.values()) < 0.65
