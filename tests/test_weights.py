"""A checkpoint becomes weights: renamed one to one, checked, and stored in halves and parts."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vtexplore.errors import AssetError, WeightsError
from vtexplore.weights import (
    load_miniature,
    load_state,
    match,
    part,
    prefixed,
    save_miniature,
    save_part,
    start_from_parts,
    translate,
)

RULES = ((r"enc\.(\d+)\.w", r"layers.\1.weight"), (r"enc\.(\d+)\.b", r"layers.\1.bias"))


class Toy(nn.Module):
    def __init__(self, width: int = 3) -> None:
        super().__init__()
        self.eyes, self.head = nn.Linear(width, width), nn.Linear(width, 2)
        self.register_buffer("index", torch.arange(width), persistent=False)


def file_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: t.detach().clone() for name, t in model.named_parameters()}


# ── names ─────────────────────────────────────────────────────────────────────────────────────────


def test_names_by_hand() -> None:
    assert translate(["enc.0.w", "enc.10.b"], RULES) == {"enc.0.w": "layers.0.weight", "enc.10.b": "layers.10.bias"}
    inside = prefixed(RULES, "net.a.", "b.")
    assert translate(["net.a.enc.0.w"], inside) == {"net.a.enc.0.w": "b.layers.0.weight"}
    with pytest.raises(WeightsError, match="No rule"):
        translate(["netxa.enc.0.w"], inside)  # the dot is a dot
    assert part({"a.x": torch.zeros(1), "b.y": torch.ones(1)}, "b.") == {"y": torch.ones(1)}


@given(st.sets(st.integers(0, 30), min_size=1))
def test_a_bijection_or_nothing(numbers: set[int]) -> None:
    names = [f"enc.{n}.{kind}" for n in numbers for kind in "wb"]
    assert len(set(translate(names, RULES).values())) == len(names)
    with pytest.raises(WeightsError, match="would both become"):
        translate(names, ((r"enc\.(\d+)\.[wb]", r"layers.\1"),))


# ── loading ───────────────────────────────────────────────────────────────────────────────────────


def test_loading_reports() -> None:
    model, other = Toy(), Toy()
    report = load_state(model, file_of(other) | {"index": torch.arange(3)})
    assert torch.equal(model.eyes.weight, other.eyes.weight)
    assert report.used == ("eyes.bias", "eyes.weight", "head.bias", "head.weight")
    assert report.checked == ("index",) and report.missing == ()
    half = {name: t.half() for name, t in file_of(other).items()}
    load_state(model, half)
    assert model.head.weight.dtype == torch.float32
    assert load_state(model, part(half, "eyes."), prefixed(((r"(.*)", r"\1"),), "", "eyes."), may_miss=r"head\..*")


def test_what_does_not_fit_is_named() -> None:
    model, tensors = Toy(), file_of(Toy())
    before = file_of(model)
    with pytest.raises(WeightsError, match=r"1 tensors have no place.*eyes\.wight; nearest here: eyes\.weight"):
        load_state(model, tensors | {"eyes.wight": torch.zeros(1)})
    with pytest.raises(WeightsError, match=r"missing.*head\.bias"):
        load_state(model, {k: t for k, t in tensors.items() if k != "head.bias"})
    with pytest.raises(WeightsError, match=r"head\.weight is 2×4 in the file and 2×3"):
        load_state(model, tensors | {"head.weight": torch.zeros(2, 4)})
    with pytest.raises(WeightsError, match="index differs"):
        load_state(model, {"index": torch.arange(3) + 1, **tensors})
    assert all(torch.equal(t, before[k]) for k, t in file_of(model).items()), "a refused file changes nothing"


def test_stored_twice() -> None:
    model, tensors = Toy(), file_of(Toy())
    twice = tensors | {"head.again": tensors["head.bias"]}
    doubles = {"head.again": "head.bias"}
    load_state(model, twice, doubles=doubles)
    assert set(match(model, {k: t.shape for k, t in twice.items()}, doubles=doubles)) == set(tensors)
    with pytest.raises(WeightsError, match="should be one tensor"):
        load_state(model, twice | {"head.again": tensors["head.bias"] + 1}, doubles=doubles)


class Normed(Toy):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(3)


def test_what_a_batch_norm_learned_is_loaded_and_stored(tmp_path: Path) -> None:
    """Statistics are buffers, and cannot be derived."""
    model, other = Normed(), Normed()
    other.norm.running_mean += 2.0
    other.norm.num_batches_tracked += 100_000  # too much for fp16
    file = {name: t.clone() for name, t in other.state_dict().items()}
    report = load_state(model, file | {"index": torch.arange(3)})
    assert "norm.running_mean" in report.used and report.checked == ("index",)
    assert torch.equal(model.norm.running_mean, torch.full((3,), 2.0))
    with pytest.raises(WeightsError, match=r"missing.*norm\.running_var"):
        load_state(model, {k: t for k, t in file.items() if k != "norm.running_var"})

    save_part(other, "norm", "norm.", tmp_path, {})
    save_miniature(other, "toy", {"norm": "norm."}, tmp_path, {})
    again = Normed()
    load_miniature(again, "toy", {"norm": "norm."}, tmp_path)
    assert torch.equal(again.norm.running_mean, other.norm.running_mean)
    assert int(again.norm.num_batches_tracked) == 100_000


# ── miniatures ────────────────────────────────────────────────────────────────────────────────────

PARTS = {"sight": "eyes."}


def saved(folder: Path) -> Toy:
    model = Toy()
    save_part(model, "sight", "eyes.", folder, {"steps": 3})
    save_miniature(model, "toy", PARTS, folder, {"seed": 1})
    return model


def test_there_and_back(tmp_path: Path) -> None:
    model, other = saved(tmp_path), Toy()
    digest = load_miniature(other, "toy", PARTS, tmp_path)
    for name, tensor in other.named_parameters():
        assert torch.equal(tensor, dict(model.named_parameters())[name].half().float())
    assert len(digest) == 64 and digest == load_miniature(Toy(), "toy", PARTS, tmp_path)
    card = json.loads((tmp_path / "toy.json").read_text())
    assert card["seed"] == 1 and set(card["shared"]) == {"sight"} and len(card["sha256"]) == 64
    assert json.loads((tmp_path / "shared" / "sight.json").read_text())["steps"] == 3


def test_only_what_differs_is_stored(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    model = saved(tmp_path)
    assert set(load_file(tmp_path / "toy.safetensors")) == {"head.weight", "head.bias"}
    assert set(load_file(tmp_path / "shared" / "sight.safetensors")) == {"weight", "bias"}
    with torch.no_grad():
        model.eyes.bias += 1
    save_miniature(model, "toy", PARTS, tmp_path, {})
    assert set(load_file(tmp_path / "toy.safetensors")) == {"head.weight", "head.bias", "eyes.bias"}
    other = Toy()
    load_miniature(other, "toy", PARTS, tmp_path)
    assert torch.equal(other.eyes.bias, model.eyes.bias.half().float())


def test_other_files_are_refused(tmp_path: Path) -> None:
    saved(tmp_path)
    (tmp_path / "shared" / "sight.safetensors").rename(tmp_path / "kept")
    with pytest.raises(AssetError, match="sight.safetensors"):
        load_miniature(Toy(), "toy", PARTS, tmp_path)
    save_part(Toy(), "sight", "eyes.", tmp_path, {})
    with pytest.raises(WeightsError, match="not the file that its card names"):
        load_miniature(Toy(), "toy", PARTS, tmp_path)


def test_a_longer_table_begins_with_the_shared_rows(tmp_path: Path) -> None:
    short, long = (nn.ModuleDict({"word": nn.Embedding(rows, 4), "out": nn.Linear(4, rows)}) for rows in (3, 5))
    save_part(short, "words", "", tmp_path, {})
    before = {k: t.clone() for k, t in long.state_dict().items()}
    start_from_parts(long, {"words": ""}, tmp_path)
    assert torch.equal(long["word"].weight[:3], short["word"].weight.half().float())
    assert torch.equal(long["word"].weight[3:], before["word.weight"][3:])
    assert torch.equal(long["out"].weight, before["out.weight"]), "only embeddings have rows of their own"


def test_too_large_for_halves(tmp_path: Path) -> None:
    model = Toy()
    with torch.no_grad():
        model.head.bias[0] = 1e6
    with pytest.raises(WeightsError, match=r"head\.bias does not fit"):
        save_miniature(model, "toy", {}, tmp_path, {})
    assert not list(tmp_path.iterdir())


def test_a_part_may_be_called_something_else() -> None:
    from vtexplore.weights import placed, repeated, translate

    shared = {"text.word": torch.zeros(1), "fusion.layers.0": torch.ones(1), "head": torch.ones(2)}
    assert set(placed(shared, "eyes.")) == {"eyes.text.word", "eyes.fusion.layers.0", "eyes.head"}
    assert set(placed(shared, {"text.": "words.", "fusion.": "encoder."})) == {"words.word", "encoder.layers.0"}
    rules = repeated(((r"norm(\d)\.(\w+)", r"n\2_\1"),), "a.blocks.", "b.")
    assert translate(["a.blocks.11.norm3.bias"], rules) == {"a.blocks.11.norm3.bias": "b.11.nbias_3"}
