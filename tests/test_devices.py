"""Where a model computes and in how many bits: what is chosen, what is refused, and what 16 bits do to maps."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from fresh import fresh
from guest_makers import made

from vtexplore import devices, registry
from vtexplore.blocks.tap import Tap, attend
from vtexplore.data.prepare import prepare
from vtexplore.devices import computing, device_of, precision_of
from vtexplore.errors import ConfigError
from vtexplore.record import record

TEXT = "the red circle slides left"
CPU = torch.device("cpu")


@pytest.mark.parametrize("gpu, apple, chosen", [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")])
def test_auto_takes_the_best_that_is_there(monkeypatch: Any, gpu: bool, apple: bool, chosen: str) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: apple)
    assert device_of("auto").type == chosen


def test_sixteen_bits_by_themselves_only_on_a_gpu(monkeypatch: Any) -> None:
    assert precision_of("auto", CPU) == precision_of("auto", torch.device("mps")) == "fp32"
    for capability, word in (((9, 0), "bf16"), ((8, 0), "bf16"), ((7, 5), "fp16")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _, c=capability: c)
        assert precision_of("auto", torch.device("cuda")) == word


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_what_cannot_be_is_refused_with_the_mend() -> None:
    for options, said in (
        ({"device": "cuda"}, r"no 'cuda'. Use device='auto' or 'cpu'"),
        ({"device": "toaster"}, "'toaster' is no device. Use 'auto'"),
        ({"precision": "fp16"}, "CPU does not compute in fp16. Use precision='bf16' or 'fp32'"),
        ({"precision": "fp8"}, "no precision 'fp8'. Use fp32, bf16, fp16 or auto"),
    ):
        with pytest.raises(ConfigError, match=said):
            registry.load("violet", **options)


def test_in_32_bits_a_model_is_what_it_was() -> None:
    model = fresh("violet")
    kind = type(model)
    assert type(computing(model, "auto")) is kind and model.precision == "fp32"


@pytest.mark.parametrize("name", registry.names())
def test_maps_in_16_bits_are_near_those_in_32(name: str, toy_clip: Any) -> None:
    """Attention is computed in 32 bits from queries and keys that have 16: rows sum to 1, and no weight is far off.

    Who reads video in words reads the same words: one that lies between two may be another in 16 bits.
    """
    model = fresh(name)
    batch = prepare([toy_clip], [TEXT], model.inputs)
    if hasattr(model, "foresee"):
        with torch.no_grad():
            codes = model.codes(batch)
        model.codes = lambda batch: codes
    exact = record(model, batch, rows="all", hidden=True)
    near = record(computing(model, "bf16"), batch, rows="all", hidden=True)
    assert near.about["precision"] == "bf16" and exact.about["precision"] == "fp32"
    moved = False
    for site, attention in exact.attention.items():
        weights = near.attention[site].weights
        assert weights.dtype == torch.float32
        assert torch.allclose(weights.sum(-1), attention.weights.sum(-1), atol=2e-6), site
        assert (weights - attention.weights).abs().max() < 0.02, site
        moved |= not torch.equal(weights, attention.weights)
    assert moved, "nothing was computed in 16 bits"
    assert {s.hidden.dtype for s in near.hidden.values()} == {torch.float32}
    assert {getattr(near.output, head).dtype for head in near.output.heads()} <= {torch.float32, torch.int64}


def test_every_way_into_a_model_is_narrow_and_hands_out_32_bits(toy_clip: Any) -> None:
    model = fresh("violet")
    batch = prepare([toy_clip], [TEXT], model.inputs)
    with torch.no_grad():
        exact = model.embed(batch)[0].hidden
        computing(model, "bf16")
        video, text = model.embed(batch)
        assert video.hidden.dtype == text.hidden.dtype == torch.float32 and not torch.equal(video.hidden, exact)
        assert model.read(video, text, batch).match_logits.dtype == torch.float32
        assert set(model.loss(batch.take([0, 0]), torch.Generator().manual_seed(0))) == {"words", "codes", "match"}


def test_a_copy_computes_with_its_own_weights(toy_clip: Any) -> None:
    model = computing(fresh("bridgeformer"), "bf16")
    batch = prepare([toy_clip], [TEXT], model.inputs)
    other = copy.deepcopy(model)
    with torch.no_grad():
        said = model(batch).video_embedding
        other.video_proj.weight.zero_()
        other.video_proj.bias.zero_()
        assert not other(batch).video_embedding.any() and torch.equal(model(batch).video_embedding, said)


@pytest.mark.parametrize("name", ["vilt", "clip", "timesformer"])
def test_a_guest_in_16_bits(name: str, tmp_path: Path, toy_clip: Any) -> None:
    plain, narrow = made(name, tmp_path), made(name, tmp_path, precision="bf16")
    batch = prepare([toy_clip], ["the red disc slides right"], plain.inputs)
    exact, near = record(plain, batch, rows="all"), record(narrow, batch, rows="all")
    assert narrow.precision == "bf16" and set(near.attention) == set(exact.attention)
    for site, attention in exact.attention.items():
        weights = near.attention[site].weights
        assert weights.dtype == torch.float32 and (weights - attention.weights).abs().max() < 0.02, site


def test_a_layer_of_16_bits_may_have_a_mask_of_32() -> None:
    q = torch.randn(1, 2, 3, 4, generator=torch.Generator().manual_seed(0))
    bias = torch.zeros(1, 1, 3, 3).masked_fill(torch.ones(3, 3).triu(1).bool(), -torch.inf)
    how: dict[str, Any] = {"queries": list, "keys": list}
    narrow = attend(Tap(), *[q.bfloat16()] * 3, bias=bias, **how)
    assert narrow.dtype == torch.bfloat16 and torch.allclose(
        narrow.float(), attend(Tap(), q, q, q, bias=bias, **how), atol=0.03
    )


def test_a_container_may_have_less_than_the_machine(tmp_path: Path) -> None:
    assert devices._allowed(tmp_path) == []
    (tmp_path / "memory.max").write_text("8000\n")
    (tmp_path / "memory.current").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("anon 3000\ninactive_file 1500\n")
    assert devices._allowed(tmp_path) == [4500]
    (tmp_path / "memory.max").write_text("max\n")
    assert devices._allowed(tmp_path) == []
