"""A tree of clusters whose leaves are words: grown, walked down, searched, kept."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import Tensor

from vtexplore.errors import ConfigError, WeightsError
from vtexplore.visual_words import VisualWords


def clumps(items: int = 300, channels: int = 8, spread: float = 0.1) -> tuple[Tensor, Tensor]:
    """Nine clumps in three groups of three, and which clump each item is in."""
    group = 20 * torch.randn(3, 1, channels)
    centres = (group + 3 * torch.randn(3, 3, channels)).flatten(0, 1)
    at = torch.arange(items) % 9
    return centres[at] + spread * torch.randn(items, channels), at


def by_hand() -> VisualWords:
    """On a line: 0 and 10 are split, the one into −1 and 1, the other into 6 and 14; 30 stays whole."""
    places = torch.tensor([[13.0], [0], [10], [30], [-1], [1], [6], [14]])
    children = torch.full((8, 3), -1)
    children[0], children[1, :2], children[2, :2] = (torch.tensor(c) for c in ([1, 2, 3], [4, 5], [6, 7]))
    return VisualWords(places, children, torch.arange(5), {})


def test_down_the_tree_by_hand() -> None:
    words = by_hand()
    assert len(words) == 5 and words.word_centroids.flatten().tolist() == [30, -1, 1, 6, 14]
    x = torch.tensor([[-9.0], [0.5], [4.9], [5.1], [11], [19], [21], [99]])
    assert words.descend(x).tolist() == [1, 2, 2, 3, 4, 4, 0, 0]
    assert words.nearest(x).tolist() == [1, 2, 3, 3, 4, 4, 4, 0], "4.9 is nearer to 6, and 21 to 14"
    assert words.disagreement(x) == 2 / 8
    assert [words.path(w) for w in range(5)] == [(2,), (0, 0), (0, 1), (1, 0), (1, 1)]
    assert words.descend(x[:0]).shape == words.nearest(x[:0]).shape == (0,)


def test_what_was_put_in_is_found() -> None:
    items, at = clumps()
    words = VisualWords.fit(items, branching=3, levels=2)
    assert len(words) == 9 and words.made["items"] == 300
    mine = words.descend(items)
    assert len(set(zip(mine.tolist(), at.tolist()))) == 9, "a word for each clump"
    assert torch.equal(words.nearest(items), mine) and words.disagreement(items) == 0
    first = {words.path(int(w))[0] for w in mine[at < 3]}
    assert len(first) == 1, "clumps of one group have the first branch in common"
    for w in range(9):
        assert torch.allclose(words.word_centroids[w], items[mine == w].mean(0), atol=1e-4)


@settings(max_examples=15)
@given(st.integers(1, 120), st.integers(1, 6), st.integers(2, 5), st.integers(1, 3), st.integers(0, 9))
def test_any_items(items: int, channels: int, branching: int, levels: int, seed: int) -> None:
    x = torch.randn(items, channels, generator=torch.Generator().manual_seed(seed))
    words = VisualWords.fit(x, branching, levels, seed, smallest=branching)
    assert 1 <= len(words) <= min(branching**levels, items)
    for found in (words.descend(x), words.nearest(x)):
        assert found.min() >= 0 and found.max() < len(words)
        assert (words.children[words.leaves[found]] < 0).all()
    assert all(len(words.path(w)) <= levels for w in range(len(words)))
    assert len({words.path(w) for w in range(len(words))}) == len(words)
    assert torch.allclose(words.centroids[0], x.mean(0), atol=1e-5)
    apart = (x.double()[:, None] - words.word_centroids.double()).norm(dim=2)  # [item, word]
    rows = torch.arange(items)
    assert torch.allclose(apart[rows, words.nearest(x)], apart.min(1).values, atol=1e-6)
    assert torch.allclose(apart[words.exemplars, torch.arange(len(words))], apart.min(0).values, atol=1e-6)


def test_the_greedy_way_is_greedy() -> None:
    x, new = torch.randn(400, 5), torch.randn(50, 5)
    words = VisualWords.fit(x, 4, 3)
    for item, word in zip(new, words.descend(new)):
        node = 0
        for branch in words.path(int(word)):
            below = words.children[node][words.children[node] >= 0]
            assert int((words.centroids[below] - item).norm(dim=1).argmin()) == branch
            node = int(below[branch])
        assert node == words.leaves[word]


def test_small_nodes_are_not_split() -> None:
    x = torch.cat([torch.randn(200, 3), 100 + torch.randn(10, 3)])
    words = VisualWords.fit(x, branching=2, levels=3, smallest=20)
    far = words.descend(x[200:])
    assert len(set(far.tolist())) == 1 and words.path(int(far[0])) in [(0,), (1,)]
    assert 2 + 1 <= len(words) < 8, "the number of words depends on the data"
    assert len(VisualWords.fit(x, 2, 3, smallest=5)) > len(words)


def test_items_that_are_all_alike_are_one_word() -> None:
    words = VisualWords.fit(torch.ones(50, 4), 3, 2)
    assert len(words) == 1 and words.path(0) == () and words.descend(torch.randn(3, 4)).tolist() == [0, 0, 0]
    two = VisualWords.fit(torch.arange(2.0).repeat(30)[:, None], 3, 2)
    assert len(two) == 2 and sorted(two.word_centroids.flatten().tolist()) == [0, 1]


def test_the_seed_decides() -> None:
    x = torch.randn(500, 6)
    a, b, c = (VisualWords.fit(x, 4, 2, seed) for seed in (1, 1, 2))
    assert torch.equal(a.centroids, b.centroids) and torch.equal(a.children, b.children)
    assert torch.equal(a.exemplars, b.exemplars)
    assert a.centroids.shape != c.centroids.shape or not torch.equal(a.centroids, c.centroids)
    np.random.seed(5)
    assert torch.equal(VisualWords.fit(x, 4, 2, 1).centroids, a.centroids), "and nothing else does"


def test_many_items_go_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    items, at = clumps(900)
    monkeypatch.setattr("vtexplore.visual_words.MANY", 100)
    words = VisualWords.fit(items, 3, 2)
    assert len(set(zip(words.descend(items).tolist(), at.tolist()))) == 9


def test_in_pieces_as_in_one(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(300, 4)
    words = VisualWords.fit(x, 4, 2)
    whole = words.descend(x), words.nearest(x)
    monkeypatch.setattr("vtexplore.visual_words._NUMBERS", 100)
    assert torch.equal(words.descend(x), whole[0]) and torch.equal(words.nearest(x), whole[1])
    assert torch.equal(VisualWords.fit(x, 4, 2).exemplars, words.exemplars)


def test_how_often_they_disagree() -> None:
    """Without clusters, and the more the more dimensions: the numbers of the docstring, at a smaller size."""
    flat, deep = (VisualWords.fit(torch.randn(800, d), 6, 2).disagreement(torch.randn(500, d)) for d in (2, 64))
    assert flat < 0.15 and 0.3 < deep < 0.7


def test_saved_and_loaded_to_the_bit(tmp_path: Path) -> None:
    words = VisualWords.fit(torch.randn(200, 5), 3, 3)
    words.save(tmp_path / "words.safetensors")
    again = VisualWords.load(tmp_path / "words.safetensors")
    for name in ("centroids", "children", "exemplars"):
        assert torch.equal(getattr(words, name), getattr(again, name))
    assert again.made == words.made == json.loads(json.dumps(words.made))
    assert [p.name for p in tmp_path.iterdir()] == ["words.safetensors"]


def test_no_words_in_there(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        VisualWords.load(tmp_path / "missing.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="cannot be read"):
        VisualWords.load(tmp_path / "broken.safetensors")
    save_file({"x": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="holds no visual words"):
        VisualWords.load(tmp_path / "other.safetensors")
    words = by_hand()
    parts = {"centroids": words.centroids[:-1], "children": words.children, "exemplars": words.exemplars}
    save_file(parts, tmp_path / "cut.safetensors", {"format": "visual words 1", "made": "{}"})
    with pytest.raises(WeightsError, match="no tree"):
        VisualWords.load(tmp_path / "cut.safetensors")


def test_what_is_refused_says_what_to_do() -> None:
    words, x = by_hand(), torch.randn(9, 1)
    for wrong in ({"branching": 1}, {"levels": 0}, {"smallest": 2}):
        with pytest.raises(ConfigError, match="no tree"):
            VisualWords.fit(x, **wrong)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="no items"):
        VisualWords.fit(x[:0])
    with pytest.raises(ConfigError, match="not finite"):
        VisualWords.fit(x / 0)
    for way in (words.descend, words.nearest):
        with pytest.raises(ConfigError, match="made of 1 channels, and the features have 2"):
            way(torch.randn(3, 2))
        with pytest.raises(ConfigError, match="not finite"):
            way(torch.tensor([[float("nan")]]))
    with pytest.raises(ConfigError, match="at least one"):
        words.disagreement(x[:0])
    upside_down = words.children.clone()
    upside_down[[0, 4]] = upside_down[[4, 0]]
    with pytest.raises(ConfigError, match="tree|before their parent"):
        VisualWords(words.centroids, upside_down, words.exemplars, {})
