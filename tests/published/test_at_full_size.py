"""A family at full size: with the file that is here, or with random weights that say so."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from vtexplore import registry
from vtexplore.errors import ConfigError
from vtexplore.probes.attend import attend
from vtexplore.published import full_size as room
from vtexplore.published.fetching import cache, here
from vtexplore.published.full_size import RANDOM, full_size
from vtexplore.published.layout import File, Layout


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))


@pytest.fixture
def state(monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """As if VIOLET's authors had published a model of the miniature's size, and a part that goes with it."""
    found = registry.build("violet", dvae=None).state_dict()
    whole = Layout("small", "", [("(.+)", r"\1")], lambda shapes: set(shapes) == set(found), "mini", {"dvae": None})
    files = tuple(File(name, "", "", "", lay, main=True) for name, lay in (("m.pt", "small"), ("part.pt", "part")))
    part = replace(whole, name="part", behind="dvae.", fits=lambda shapes: False)
    known = replace(registry.published("violet"), files=files, layouts=(whole, part))
    monkeypatch.setattr(registry, "published", lambda name: known)
    return found


def test_without_its_file_a_model_is_random_and_says_so(state: Any, toy_clip: Any) -> None:
    model = full_size("violet")
    assert (model.size, model.weights_hash, model.inputs.vocabulary) == ("mini, random weights", None, "world")
    assert "RANDOM WEIGHTS. m.pt of VIOLET is not" in model.banner and "seed 0" in model.banner
    assert attend(model, toy_clip, "the red circle").notes[0] == RANDOM
    again, other = full_size("violet"), full_size("violet", seed=1)
    assert torch.equal(again.match_head.state_dict()["3.weight"], model.match_head.state_dict()["3.weight"])
    assert not torch.equal(other.match_head.state_dict()["3.weight"], model.match_head.state_dict()["3.weight"])


def test_drawing_weights_leaves_everybody_elses_random_numbers_alone(state: Any) -> None:
    torch.manual_seed(3)
    wanted = torch.rand(1)
    torch.manual_seed(3)
    full_size("violet")
    assert torch.equal(torch.rand(1), wanted)


def test_with_its_file_a_model_is_its_authors(state: dict[str, torch.Tensor], toy_clip: Any) -> None:
    cache().mkdir(parents=True)
    (cache() / "part.pt").write_bytes(b"x")  # a part alone is no model
    assert full_size("violet").weights_hash is None
    (cache() / "part.pt").unlink()
    torch.save(state, cache() / "m.pt")
    model = full_size("violet")
    assert torch.equal(model.state_dict()["match_head.3.weight"], state["match_head.3.weight"])
    assert "its authors' weights, m.pt" in model.banner and "missing: nothing" in model.banner
    assert RANDOM not in attend(model, toy_clip, "the red circle").notes


def test_a_file_is_here_or_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    plain, hub = File("a.pt", "", "", ""), File("b.bin", "", "", "", at="hub:some/body:b.bin")
    assert not here(plain)
    cache().mkdir(parents=True)
    (cache() / "a.pt").write_bytes(b"x")
    assert here(plain)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, name: None)
    assert not here(hub)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, name: f"{tmp_path}/{repo}/{name}")
    assert here(hub)


def test_every_family_of_whose_weights_something_is_known_can_be_built() -> None:
    """Names and shapes alone: the published size with the words of the world."""
    for name in set(registry.publications()) & set(registry.names()):
        model: Any = registry.build(name, "published", device="meta", vocabulary="world")
        assert model.inputs.vocabulary == "world" and model.ids.size == 600
        assert replace(model.inputs, vocabulary="") == replace(registry.family(name).inputs("published"), vocabulary="")
    with pytest.raises(ConfigError, match="no setting 'words'"):
        registry.build("bridgeformer", "clip", device="meta", vocabulary="world")
    with pytest.raises(ConfigError, match="Nothing is known"):
        room.full_size("nobody")
