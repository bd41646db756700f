"""What a record will hold is known to the byte before it is made, and what would not fit is not begun."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh
from guest_makers import made
from torch import Tensor, nn

from vtexplore import foresight, registry
from vtexplore.data.prepare import prepare
from vtexplore.devices import computing, free_bytes
from vtexplore.errors import TooBig
from vtexplore.foresight import ceiling, foreseen, size
from vtexplore.record import Record, Recorder, record
from vtexplore.types import Batch, Output

TEXTS = ("the red circle slides left", "the blue star grows and then it spins")
QUESTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"rows": "all", "hidden": True},
    {"rows": "video"},
    {"rows": [0]},
    {"rows": "all", "reduce": "heads"},
    {"reduce": "received"},
    {"reduce": "frames", "hidden": True},
)


def held(kept: Record) -> tuple[dict[str, int], dict[str, int]]:
    """Bytes of the storages that a record keeps alive, by site."""
    attention = {site: a.weights.untyped_storage().nbytes() for site, a in kept.attention.items()}
    return attention, {site: s.hidden.untyped_storage().nbytes() for site, s in kept.hidden.items()}


def told(model: Any, batch: Batch, question: dict[str, Any]) -> Any:
    return foreseen(model, batch, Recorder(**question))


@pytest.mark.parametrize("name", registry.names())
def test_bytes_are_foreseen_exactly(name: str, toy_clip: Any) -> None:
    model = fresh(name)
    batch = prepare([toy_clip, toy_clip], TEXTS, model.inputs)
    most = ceiling(model, batch)
    for question in QUESTIONS:
        found, kept = told(model, batch, question), record(model, batch, **question)
        assert (found.attention, found.hidden) == held(kept) and found.attention, question
        assert found.bytes <= found.most and found.bytes + found.passing <= most, question


def test_bytes_are_foreseen_in_16_bits_too(toy_clip: Any) -> None:
    model = computing(fresh("violet"), "bf16")
    batch = prepare([toy_clip], TEXTS[:1], model.inputs)
    question: dict[str, Any] = {"rows": "all", "hidden": True}
    found = told(model, batch, question)
    assert (found.attention, found.hidden) == held(record(model, batch, **question))


@pytest.mark.parametrize("name", ["bert", "clip", "swin", "timesformer", "videomae", "xclip"])
def test_bytes_of_a_guest_are_foreseen(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    batch = prepare([toy_clip], ["the red disc slides right"], guest.inputs)
    found = told(guest, batch, {"rows": "all"})
    assert found is not None and found.attention == held(record(guest, batch, rows="all"))[0]


@pytest.mark.parametrize("name", ["lxmert", "vilt"])
def test_guests_that_read_boxes_or_masks_off_numbers_are_not_foreseen(name: str, tmp_path: Path, toy_clip: Any) -> None:
    guest = made(name, tmp_path)
    batch = prepare([toy_clip], ["the red disc slides right"], guest.inputs)
    assert told(guest, batch, {}) is None and record(guest, batch, at_most=0).attention


def test_texts_of_the_same_shapes_take_no_more(toy_clip: Any) -> None:
    model = fresh("violet")
    short, long = (prepare([toy_clip], [text], model.inputs) for text in ("red", " ".join(["red"] * 22)))
    assert told(model, long, {}).bytes > told(model, short, {}).bytes
    assert told(model, long, {}).bytes <= told(model, short, {}).most


def test_memory_on_the_way_is_foreseen_too(toy_clip: Any) -> None:
    model = fresh("violet")
    batch = prepare([toy_clip], TEXTS[:1], model.inputs)
    question: dict[str, Any] = {"rows": "video"}
    found = told(model, batch, question)

    def peak(run: Any) -> int:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as seen:
            run()
        events = (e for e in seen.profiler.kineto_results.events() if e.name() == "[memory]")
        changes = sorted((e.start_ns(), e.nbytes()) for e in events)
        return int(np.cumsum([change for _, change in changes]).max())

    with torch.inference_mode():
        model(batch)
        plain = peak(lambda: model(batch))
    recorded = peak(lambda: record(model, batch, **question))
    assert found.bytes <= recorded <= plain + found.bytes + found.passing


def test_what_would_not_fit_is_refused_before_anything_is_computed(toy_clip: Any) -> None:
    model = fresh("violet")
    batch = prepare([toy_clip, toy_clip], TEXTS, model.inputs)
    contents: list[Tensor] = []

    def look(module: nn.Module, _: Any, out: Any) -> None:
        contents.extend(x for x in (out,) if isinstance(x, Tensor) and x.is_floating_point() and not x.is_meta)

    for module in model.modules():
        module.register_forward_hook(look)
    whole = told(model, batch, {"rows": "all"})
    need = whole.bytes + whole.passing
    with pytest.raises(TooBig) as refused:
        record(model, batch, rows="all", at_most=need - 1)
    assert not contents, "something was computed"
    said = str(refused.value)
    assert size(whole.bytes) in said and size(need - 1) in said and f"{len(whole.attention)} sites" in said
    for mend in ("rows='text'", "sites=…", "reduce='heads'", "fewer clips", "fewer frames"):
        assert mend in said
    assert isinstance(refused.value, MemoryError)
    assert record(model, batch, rows="all", at_most=need).attention and contents
    assert record(model, batch, at_most=need // 2).attention  # the mend: words' rows alone


def test_what_is_free_is_the_limit(monkeypatch: Any, toy_model: Any, toy_clip: Any) -> None:
    batch = prepare([toy_clip], TEXTS[:1], toy_model.inputs)
    assert free_bytes(torch.device("cpu")) > 10**6
    monkeypatch.setattr(foresight, "free_bytes", lambda device: 1000)
    with pytest.raises(TooBig, match="1.0 kB are free"):
        record(toy_model, batch)
    with pytest.raises(TooBig, match="fewer layers .* or fewer frames"):
        record(toy_model, batch, reduce="received", at_most=0)


def test_a_model_is_walked_through_once(monkeypatch: Any, toy_clip: Any) -> None:
    model, walks, real = fresh("violet"), [], foresight._walked
    batch = prepare([toy_clip], TEXTS[:1], model.inputs)
    monkeypatch.setattr(foresight, "_walked", lambda *a: walks.append(a) or real(*a))  # type: ignore[func-returns-value]
    for question in QUESTIONS:
        record(model, batch, **question)
    assert len(walks) == 1
    record(model, batch, at_most=50_000_000)  # below what all together could take
    record(model, batch, at_most=50_000_000)
    assert len(walks) == 2


class Moody(nn.Module):
    """Looks at the pixels before it decides to say anything."""

    def forward(self, batch: Batch) -> Output:
        if batch.video.sum() == 0:
            raise ValueError("black")
        return Output(match_logits=batch.video.mean((1, 2, 3, 4)))


def test_who_decides_by_numbers_is_not_refused() -> None:
    batch = Batch.bare(torch.ones(1, 2, 3, 4, 4), torch.zeros(1, 3, dtype=torch.long))
    assert foreseen(Moody().eval(), batch, Recorder()) is None
    assert record(Moody().eval(), batch, at_most=0).output.match_logits is not None


def test_a_walk_changes_nothing(toy_clip: Any) -> None:
    model = fresh("merlot")
    batch = prepare([toy_clip], TEXTS[:1], model.inputs)
    before, numbers = {k: v.clone() for k, v in model.state_dict().items()}, torch.get_rng_state()
    pixels = batch.video.clone()
    assert told(model, batch, {"rows": "all"}) is not None
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(torch.get_rng_state(), numbers) and torch.equal(batch.video, pixels)
    assert told(model.train(), batch, {}) is None


@pytest.mark.parametrize("name", registry.names())
def test_the_full_size_is_foreseen_without_its_weights(name: str) -> None:
    """Models on the meta device take no memory, nor do their records. As many bytes as layers, heads, rows, keys."""
    shapes = []
    for device in ("cpu", "meta"):
        model: Any = registry.build(name, device=device)
        if hasattr(model, "foresee"):
            pytest.skip("its tree of visual words is of whole numbers, which must be there")
        words = torch.tensor([[2, 5, 6, 7, 3, 0]])
        batch = Batch.bare(torch.rand(1, model.inputs.frames, 3, *[model.inputs.size_px] * 2), words, words != 0)
        shapes.append(told(model, batch, {}).attention)
    assert shapes[0] == shapes[1]


def test_bytes_as_a_reader_says_them() -> None:
    assert [size(n) for n in (0, 999, 1000, 1_500_000, 23_456_789_012, 5e14)] == [
        "0 bytes", "999 bytes", "1.0 kB", "1.5 MB", "23.5 GB", "500000 GB",
    ]  # fmt: skip
