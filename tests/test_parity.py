"""The original code's numbers, computed again by our pages: every golden file in the folder, every tensor in it.

A golden file holds weights (``param…``), inputs (``in/``) and what the authors' code made of them. The folder is
``tests/golden``, or what VTEXPLORE_GOLDEN names; a file's configuration stands in the json beside it. Weights too big
for a file are drawn as its json says, and from there on treated as if it held them.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from vtexplore.errors import ConfigError
from vtexplore.registry import golden_reader, golden_weights

FOLDER = Path(os.environ.get("VTEXPLORE_GOLDEN", Path(__file__).parent / "golden"))
NAMES = sorted(p.name.removesuffix(".golden.safetensors") for p in FOLDER.glob("*.golden.safetensors"))
TOLERANCE = 1e-4


class Watched(Mapping[str, Tensor]):
    """Tensors of a file, and which of them somebody took."""

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        self.tensors = tensors
        self.taken: set[str] = set()

    def __getitem__(self, name: str) -> Tensor:
        self.taken.add(name)
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)

    def __contains__(self, name: object) -> bool:
        return name in self.tensors


def given(name: str) -> bool:
    """Weights and inputs, of any case in the file; all else is output, or a draw that the outputs rest on."""
    return "/param" in f"/{name}" or "/in/" in f"/{name}"


def output(name: str) -> bool:
    return "/out/" in f"/{name}"


def error(ours: Tensor, theirs: Tensor) -> float:
    """The largest difference; infinite if shape or kind of number differ."""
    if ours.shape != theirs.shape or ours.is_floating_point() != theirs.is_floating_point():
        return float("inf")
    if not theirs.is_floating_point():
        return 0.0 if torch.equal(ours.long(), theirs.long()) else float("inf")
    worst = (ours.double() - theirs.double()).abs().max().item()
    return worst if worst == worst else float("inf")


def compare(ours: Mapping[str, Tensor], file: Watched) -> tuple[int, float, list[str]]:
    """How many tensors were compared, the largest error, and what is wrong, one line each."""
    wrong = [f"{name}: computed, and not in the file" for name in ours if name not in file]
    theirs = {name: t for name, t in file.tensors.items() if not given(name)}
    for name in theirs:
        if name not in ours and output(name):
            wrong.append(f"{name}: never compared")
        elif name not in ours and name not in file.taken:
            wrong.append(f"{name}: neither compared nor read")
    errors = {name: error(ours[name], t) for name, t in theirs.items() if name in ours}
    wrong += [f"{name}: off by {e:.2g}" for name, e in errors.items() if not e <= TOLERANCE]
    return len(errors), max(errors.values(), default=0.0), wrong


def read(name: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    stem = FOLDER / f"{name}.golden"
    told = json.loads(stem.with_suffix(".golden.json").read_text("utf-8"))
    config = told.get("config", told)
    return config, load_file(f"{stem}.safetensors") | golden_weights(name, config)


@torch.no_grad()
def computed(name: str, config: dict[str, Any], file: Watched) -> dict[str, Tensor]:
    """What the reader makes of weights and inputs. A file of a variant, "name-variant", may share the reader."""
    return golden_reader(name)(config, file)


def test_there_is_something_to_compare() -> None:
    assert NAMES, f"no golden files in {FOLDER}"
    lonely = {p.name.removesuffix(".golden.json") for p in FOLDER.glob("*.golden.json")} ^ set(NAMES)
    assert not lonely, f"a golden file is a .json and a .safetensors: {lonely}"


@pytest.mark.parametrize("name", NAMES)
def test_every_output_of_the_original_code(name: str, record_property: Any) -> None:
    config, tensors = read(name)
    file = Watched(tensors)
    count, worst, wrong = compare(computed(name, config, file), file)
    record_property("compared", count)
    record_property("max_error", worst)
    print(f"{name}: {count} tensors compared, off by at most {worst:.1g}")
    assert not wrong, "\n".join([f"{name} does not give what the original code gives:", *wrong])
    assert count >= sum(output(n) for n in tensors) > 0


@pytest.mark.parametrize("name", NAMES)
def test_outputs_come_from_the_weights(name: str) -> None:
    """Slightly other weights must be noticed: no reader hands the file's own numbers back."""
    config, tensors = read(name)
    other = {n: t * 1.02 if given(n) and t.is_floating_point() and t.dim() > 1 else t for n, t in tensors.items()}
    ours = computed(name, config, Watched(other))
    same = [n for n in ours if output(n) and ours[n].is_floating_point() and error(ours[n], tensors[n]) < 1e-7]
    assert len(same) <= 1, same  # at most normalised pixels rest on no weight


def test_comparing_notices() -> None:
    x = torch.arange(6.0)
    file = Watched({"param/w": x, "in/x": x, "out/y": x, "a/out/z": x, "out/n": x.long(), "drawn/k": x, "drawn/l": x})
    assert file["drawn/k"] is x
    _, _, wrong = compare({"out/y": x + 2e-4, "a/out/z": x + 1e-5, "out/n": x.long() + 1, "out/new": x}, file)
    assert sorted(line.partition(":")[0] for line in wrong) == ["drawn/l", "out/n", "out/new", "out/y"]
    count, worst, wrong = compare({"out/y": x, "a/out/z": x[:3], "out/n": x}, file)
    assert count == 3 and worst == float("inf")
    assert [line.partition(":")[0] for line in wrong] == ["drawn/l", "a/out/z", "out/n"]
    assert any("never" in line for line in compare({"out/y": x, "out/n": x.long()}, file)[2])
    assert any("off" in line for line in compare({"out/y": x * float("nan")}, file)[2])


def test_a_golden_nobody_reads() -> None:
    with pytest.raises(ConfigError, match="Nobody reads"):
        golden_reader("nobody")
