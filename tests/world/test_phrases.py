"""Phrases by the world's words alone are those of the truth."""

from vtexplore.world import SHAPES_THEME, draft_scene
from vtexplore.world.phrases import nouns, spelled, tagged, verbs


def test_a_tagger_finds_what_the_truth_says() -> None:
    for seed in range(600):
        caption = draft_scene(seed).caption
        for find in (nouns, verbs):
            truth = [tuple(w.word for w in p) for p in find(caption.words)]
            assert truth and truth == [tuple(w.word for w in p) for p in find(tagged(caption.text))], caption.text


def test_phrases_are_of_one_thing() -> None:
    for seed in range(300):
        scene = draft_scene(seed)
        told = list(verbs(scene.caption.words))
        assert sorted(p[0].event or 0 for p in told) == list(range(len(scene.events)))
        assert all(len({w.event for w in p}) == 1 for p in told)
        for phrase in told:
            event = scene.events[phrase[0].event or 0]
            voice = SHAPES_THEME.voice(scene.style.voice)
            assert spelled(SHAPES_THEME, voice, event.kind, event.target) == " ".join(w.text for w in phrase)
        looks = {p[0].objects[0] for p in nouns(scene.caption.words) if p[0].role == "colour"}
        assert looks == {o for e in scene.events for o in e.objects}


def test_commas_do_not_count() -> None:
    words = tagged("The red circle, then it turns blue.")
    assert [" ".join(w.text for w in p) for p in nouns(words)] == ["red circle"]
    assert [" ".join(w.text for w in p) for p in verbs(words)] == ["turns blue"]
