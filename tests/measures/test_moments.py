"""In which moment something happens: spans by hand, and a script whose steps are told apart."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vtexplore.measures.moments import iou, likeliest, unlike
from vtexplore.measures.tally import rounds
from vtexplore.world import script

SPAN = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)


def test_the_likeliest_span_never_ends_before_it_begins() -> None:
    logits = torch.zeros(2, 4, 2)
    logits[0, 2, 0], logits[0, 3, 1] = 5, 5
    logits[1, 3, 0], logits[1, 0, 1] = 5, 4  # the best start comes after the best end: one of them has to give way
    assert likeliest(logits).tolist()[0] == [2, 3]
    first, last = likeliest(logits).tolist()[1]
    assert (first, last) == (3, 3)


@given(SPAN, SPAN)
def test_overlap_is_that_of_sets(a: list[int], b: list[int]) -> None:
    one, two = (set(range(x[0], x[1] + 1)) for x in (a, b))
    assert torch.isclose(iou(torch.tensor([a]), torch.tensor([b])), torch.tensor(len(one & two) / len(one | two)))


def test_steps_that_are_told_alike_are_not_asked_for() -> None:
    for seed in range(20):
        scene = script(seed, 8)
        asked = [text for *_, text in unlike(scene)]
        assert len(asked) == len(set(asked)) and all(a < b for a, b, _ in unlike(scene))
        if len(asked) < 8:
            return
    raise AssertionError("no script repeats itself: nothing was tested")


def test_rounds_hold_everything_once_and_say_how_far_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(rounds(7, 3, "asking", quiet=True)) == [(0, 3), (3, 3), (6, 1)] and capsys.readouterr().err == ""
    assert len(list(rounds(7, 3, "asking", quiet=False))) == 3
    assert "asking: 100%" in (told := capsys.readouterr().err) and "7/7" in told
