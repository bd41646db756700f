"""Choices that are wrong, and of the same kind."""

import pytest

from vtexplore.world import SHAPES_THEME, WORDS
from vtexplore.world.choices import alternatives, reverses

TEXT = "the red circle slides left"


def test_other_looks_share_a_word_and_then_none() -> None:
    found = alternatives(TEXT, "red circle", there=["red ring", "pink star"])
    assert len(set(found)) == 4 and set(" ".join(found).split()) <= WORDS
    assert found[0].startswith("red ") and found[1].endswith(" circle")
    assert not {"red", "circle"} & set(" ".join(found[2:]).split())
    for seed in range(40):
        assert not {"red circle", "red ring", "pink star"} & set(
            alternatives(TEXT, "red circle", there=["red ring", "pink star"], seed=seed)
        )


def test_they_are_said_by_the_same_person() -> None:
    second = alternatives("this red ball hops here", "red ball")
    own = {SHAPES_THEME.voice(1).word(s) for s in SHAPES_THEME.shapes}
    assert {p.split()[1] for p in second} <= own
    assert {p.split()[0] for p in alternatives("that star gets yellow", "gets yellow")} <= {"gets", "glides"}


@pytest.mark.parametrize(("phrase", "back"), [("slides left", "slides right"), ("left", "right")])
def test_the_reverse_is_the_first_foil_or_none(phrase: str, back: str) -> None:
    for seed in range(20):
        assert back not in alternatives(TEXT, phrase, reverse=False, seed=seed)
    assert back in alternatives(TEXT, phrase)
    assert alternatives(TEXT, "slides left")[0] == "slides right"


def test_what_happens_anyway_is_no_foil() -> None:
    text = "the red circle grows before it spins"
    for seed in range(20):
        found = alternatives(text, "spins", happens=["shakes"], reverse=False, seed=seed)
        assert found and not {"grows", "shrinks", "spins", "shakes"} & set(found)
        assert all(len(p.split()) == 1 for p in found)


def test_one_word_gives_way_to_others_of_its_role() -> None:
    assert set(alternatives(TEXT, "red")) <= set(SHAPES_THEME.colours) - {"red"}
    assert set(alternatives("over this grey floor", "grey floor")) == {"dark floor", "dotted floor", "striped floor"}


def test_only_known_words_and_only_the_worlds() -> None:
    assert alternatives(TEXT, "red circle", known={"red", "circle", "blue"}) == ("blue circle",)
    assert alternatives("a dog barks", "dog") == ()


def test_who_is_whose_reverse() -> None:
    assert reverses("slides left", "slides right") and reverses("grows", "contracts") and reverses("left", "right")
    assert not reverses("spins", "twirls") and not reverses("slides left", "slides up") and not reverses("red", "blue")
