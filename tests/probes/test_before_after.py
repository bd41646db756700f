"""Before or after: chance by counting, and models that hear order, mention, or a bag of words."""

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from toy_order import Storyteller, stairs, story_words

from vtexplore.errors import ConfigError
from vtexplore.probes.before_after import (
    CHANCE,
    WORDINGS,
    BeforeAfterResult,
    before_after,
    clip_pair,
    distances,
    joined,
    right,
    world_pairs,
)
from vtexplore.world.foils import holds

RED, BLUE = "the red disc spins", "the blue disc grows"


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> str:
    return story_words(tmp_path_factory.mktemp("story"))


@pytest.fixture(scope="module")
def pairs() -> Any:
    red = [stairs((0.1, 0.2 + i / 50), name="red") for i in range(5)]
    return [clip_pair(one, stairs((0.5, 0.6), name="blue"), RED, BLUE) for one in red]


def test_chance_is_what_all_rankings_give() -> None:
    ranked = np.array(list(permutations(range(4))), dtype=float).reshape(-1, 2, 2)
    assert {name: found.mean() for name, found in right(ranked).items()} == CHANCE


def test_ties_are_not_right() -> None:
    assert not any(found.any() for found in right(np.zeros((3, 2, 2))).values())
    assert right(np.array([[1.0, 0.0], [0.0, 1.0]]))["group"] == np.True_


def test_two_clips_are_shown_one_after_the_other(pairs: Any) -> None:
    first, second = pairs[0].clips
    assert first.duration_s == 4 and first.name != second.name
    grey = [first.sample([t], 8).mean() for t in (0.5, 1.5, 2.5, 3.5)]
    assert np.allclose(grey, [26, 51, 128, 153], atol=1)
    assert np.array_equal(second.sample([0.5, 3.5], 8), first.sample([2.5, 1.5], 8))
    assert pairs[0].texts[0][:2] == (f"{RED} before {BLUE}", f"{BLUE} after {RED}")
    assert pairs[0].texts[1][2:] == (f"after {BLUE} {RED}", f"before {RED} {BLUE}")
    with pytest.raises(ConfigError, match="what happens"):
        clip_pair(stairs(caption=""), stairs())


def test_shapes_must_agree() -> None:
    from vtexplore.data.video import read_video

    wide = read_video(np.zeros((4, 20, 40, 3), dtype=np.uint8), fps=1.0)
    with pytest.raises(ConfigError, match="one shape"):
        joined(stairs(), wide)


def test_who_hears_order_is_right_in_every_wording(words: str, pairs: Any) -> None:
    result = before_after(Storyteller(words), pairs, resamples=50, quiet=True)
    assert all(one.value == 1 for one in result.shares)
    assert result.wording == (0, 0, 0) and result.order[0] == 2
    assert np.isclose(result["group"].p, (1 / 6) ** 5) and np.isclose(result["text"].p, 0.25**5)
    assert not any("mention" in note or "hears how" in note for note in result.notes)


def test_who_matches_mention_is_found_out(words: str, pairs: Any) -> None:
    result = before_after(Storyteller(words, "mention"), pairs, resamples=50, quiet=True)
    assert result["text, said in order"].value == 1 and result["text, said backwards"].value == 0
    assert result["group"].value == 0.5
    assert any("order of mention" in " ".join(note.split()) for note in result.notes)
    assert np.isclose(result.wording[0], 4 / 3)  # of six pairs of wordings, four mention another event first
    with pytest.raises(ConfigError, match="group"):
        result["both"]


def test_a_bag_of_words_is_never_right(words: str, pairs: Any) -> None:
    result = before_after(Storyteller(words, "bag"), pairs, resamples=50, quiet=True)
    assert all(one.value == 0 for one in result.shares) and result["group"].p == 1
    assert any("hears how it is said" in " ".join(note.split()) for note in result.notes)


def test_distances_by_hand() -> None:
    scores = np.zeros((1, 2, 2, 2))
    scores[0, 0] = [[3, 1], [0, 2]]
    scores[0, 1] = [[2, 1], [0, 2]]
    same, opposite = distances(scores)
    assert same.tolist() == [0.25] and opposite.tolist() == [(2 + 2 + 1 + 2) / 4]


def test_the_worlds_pairs_are_true_and_differ_in_order_only() -> None:
    made = world_pairs(3, seed=1)
    for pair in made:
        scenes = [clip.truth.scene for clip in pair.clips]  # type: ignore[union-attr]
        assert holds(scenes[0], scenes[0].statement) and not holds(scenes[0], scenes[1].statement)
        for mine, other in zip(*pair.texts, strict=True):
            assert mine != other and sorted(mine.split()) == sorted(other.split())
        assert len(set(pair.texts[0])) == len(WORDINGS)
    assert [p.texts for p in world_pairs(3, seed=1)] == [p.texts for p in made]


def test_it_survives_its_file_and_shows_itself(words: str, pairs: Any, tmp_path: Any) -> None:
    result = before_after(Storyteller(words), pairs, resamples=50, quiet=True)
    result.save(tmp_path / "x.npz")
    assert BeforeAfterResult.load(tmp_path / "x.npz").to_dict() == result.to_dict()
    assert "100 % of pairs are told apart both ways" in result.plot().alt
    with pytest.raises(ConfigError, match="nothing to compare"):
        before_after(Storyteller(words), [])
