"""Honest files are read whole: bit for bit, whatever is around the weights, and through them the authors' numbers."""

import json
from pathlib import Path

import pytest
import stand_ins
import torch
from safetensors.torch import load_file
from torch import Tensor

from vtexplore import registry
from vtexplore.errors import WeightsError
from vtexplore.published.reading import convert, read

GOLDEN = Path(__file__).parents[1] / "golden"
WRITERS = {
    f.__name__: f for f in (stand_ins.plain, stand_ins.old, stand_ins.parallel, stand_ins.wrapped, stand_ins.mmcv)
}
PAGES = [name for name in registry.publications() if (GOLDEN / f"{name}.golden.json").exists()]


def some() -> dict[str, Tensor]:
    tensors = {f"layer.{i}.weight": torch.randn(3, 2) for i in range(3)} | {"steps": torch.tensor(7)}
    return tensors | {"half": torch.randn(4).half(), "again": tensors["layer.0.weight"]}


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> bool:
    return list(ours) == list(theirs) and all(torch.equal(t, theirs[n]) for n, t in ours.items())


@pytest.mark.parametrize("writer", [*WRITERS, "trainer"])
def test_any_wrapping_comes_off(writer: str, tmp_path: Path) -> None:
    tensors = some()
    (WRITERS | {"trainer": stand_ins.trainer})[writer](tmp_path / "a.pt", tensors)
    contents = read(tmp_path / "a.pt")
    assert same(dict(contents.tensors), tensors)
    assert contents.prefix == ("module." if writer in ("parallel", "trainer") else "")
    assert contents.inside == ("state_dict" if writer in ("wrapped", "mmcv", "trainer") else "")
    import hashlib

    assert contents.sha256 == hashlib.sha256((tmp_path / "a.pt").read_bytes()).hexdigest()
    assert not any(t.requires_grad for t in contents.tensors.values())


def test_a_prefix_that_not_all_names_have_stays(tmp_path: Path) -> None:
    tensors = {"module.a": torch.ones(1), "b": torch.ones(1)}
    stand_ins.plain(tmp_path / "a.pt", tensors)
    assert set(read(tmp_path / "a.pt").tensors) == set(tensors)


@pytest.mark.parametrize("legacy", [False, True])
def test_converted_once_it_is_no_pickle_any_more(legacy: bool, tmp_path: Path) -> None:
    tensors = some()
    (stand_ins.old if legacy else stand_ins.trainer)(tmp_path / "a.pt", tensors)
    convert(tmp_path / "a.pt", tmp_path / "a.safetensors")
    assert {n: t.tolist() for n, t in load_file(tmp_path / "a.safetensors").items()} == {
        n: t.tolist() for n, t in tensors.items()
    }
    again = read(tmp_path / "a.safetensors")
    assert again.stood_in == () and set(again.tensors) == set(tensors)


def test_nothing_is_written_of_a_file_that_is_refused(tmp_path: Path) -> None:
    torch.save({"epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="holds no tensors, but epoch"):
        convert(tmp_path / "a.pt", tmp_path / "a.safetensors")
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_what_is_missing_or_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"There is no file .*a\.pt"):
        read(tmp_path / "a.pt")
    with pytest.raises(WeightsError, match="is a folder"):
        read(tmp_path)
    (tmp_path / "model.ckpt.index").write_bytes(b"\0" * 64)
    with pytest.raises(WeightsError, match="TensorFlow, which is not read here"):
        read(tmp_path / "model.ckpt.index")
    torch.save([torch.ones(2)], tmp_path / "b.pt")
    with pytest.raises(WeightsError, match="holds a list, not tensors by their names"):
        read(tmp_path / "b.pt")


@pytest.mark.parametrize("name", PAGES)
def test_the_authors_numbers_through_a_file(name: str, tmp_path: Path) -> None:
    """Weights of the golden data, written as MCQ's trainer writes them: what the original code gave comes out."""
    told = json.loads((GOLDEN / f"{name}.golden.json").read_text("utf-8"))
    config = told.get("config", told)
    tensors = load_file(GOLDEN / f"{name}.golden.safetensors") | registry.golden_weights(name, config)
    weights = {n: t for n, t in tensors.items() if "/param" in f"/{n}"}
    stand_ins.trainer(tmp_path / "a.pth", weights)
    held = dict(read(tmp_path / "a.pth").tensors)
    assert held.keys() == weights.keys()
    with torch.no_grad():
        ours = registry.golden_reader(name)(config, tensors | held)
    theirs = {n: t for n, t in tensors.items() if "/out/" in f"/{n}" and t.is_floating_point()}
    assert theirs
    for n, t in theirs.items():
        assert (ours[n].double() - t.double()).abs().max() <= 1e-4, n
