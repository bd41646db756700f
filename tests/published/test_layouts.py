"""Files in the authors' layouts, at reduced size or on "meta": recognised, renamed, and told about.

Runs over what the registry knows to be published, so that a new family's files are tested unseen.
"""

from pathlib import Path
from typing import Any

import pytest
import stand_ins
import torch
from stand_ins import shapes_of
from torch import nn

from vtexplore import registry
from vtexplore.errors import ConfigError, WeightsError
from vtexplore.published.filling import fill, recognise, settings_of, silenced
from vtexplore.published.layout import Layout, Published
from vtexplore.published.reading import Contents, read
from vtexplore.types import Output
from vtexplore.weights import match, tensors_of

KNOWN = [registry.published(name) for name in registry.publications()]
LAYOUTS = [pytest.param(p, lay, id=f"{p.name}: {lay.name}") for p in KNOWN for lay in p.layouts if lay.manifest]


def empty(contents: dict[str, list[int]], name: str = "file.pt") -> Contents:
    """A file of which only names and shapes matter."""
    return Contents(name, {n: torch.empty(s, device="meta") for n, s in contents.items()}, "0" * 64)


def model_of(known: Published, layout: Layout) -> nn.Module:
    if layout.build is not None:
        with torch.device("meta"):
            return layout.build()
    whole = layout if not layout.behind else known.layouts[0]
    settings = {k: v for k, v in whole.settings.items() if k not in layout.brings}
    return registry.build(known.name, whole.size, "meta", **settings)


def test_every_family_says_what_is_published() -> None:
    assert set(registry.names()) <= set(registry.publications())
    for name in registry.names():
        files = {file.name for file in registry.published(name).files}
        assert set(registry.family(name).checkpoints) <= files
    for known in KNOWN:
        assert len({f.name for f in known.files}) == len(known.files)
        for file in known.files:
            assert bool(file.why) != bool(file.layout), f"{file.name}: a layout, or why there is none"
            assert file.at or file.by_hand, f"{file.name}: nobody knows how to get it"
            assert not file.layout or known.layout(file.layout)


@pytest.mark.parametrize("known, layout", LAYOUTS)
def test_a_layout_is_recognised_and_no_other(known: Published, layout: Layout) -> None:
    shapes = shapes_of(layout.manifest)
    assert recognise(empty(shapes), known) is layout
    same = (r.name for p in KNOWN for r in p.layouts if p is not known and r.fits(shapes))
    assert not list(same), "a file is one family's"


@pytest.mark.parametrize("known, layout", LAYOUTS)
def test_every_tensor_of_a_layout_has_its_place(known: Published, layout: Layout) -> None:
    import re

    shapes = shapes_of(layout.manifest)
    kept = {n: s for n, s in shapes.items() if not any(re.fullmatch(p, n) for p, _ in layout.ignored)}
    model = model_of(known, layout)
    place = {layout.behind + n: s for n, s in kept.items()}
    may_miss = layout.lacks or (rf"(?!{re.escape(layout.behind)}).*" if layout.behind else None)
    found = match(model, place, layout.names, layout.doubles, may_miss)
    assert len(set(found.values())) == len(kept) - len(layout.doubles)
    ours = {n for n in tensors_of(model) if n.startswith(layout.behind)}
    missing = ours - set(found.values())
    assert all(re.fullmatch(layout.lacks, n) for n in missing), missing
    assert bool(missing) == bool(layout.lacks)


def test_sizes_are_those_of_the_tensors() -> None:
    for known in KNOWN:
        for file in known.files:
            layout = known.layout(file.layout) if file.layout else None
            if layout is None or not layout.manifest:
                assert file.mb is None
                continue
            counted = {n: s for n, s in shapes_of(layout.manifest).items() if n not in layout.doubles}
            whole = ("relative_position_index", "position_ids", "num_batches_tracked")
            size = sum(torch.Size(s).numel() * (8 if n.endswith(whole) else 4) for n, s in counted.items())
            assert file.mb == round(size / 1e6), file.name


# ── a file and what became of it, at the size of a toy ────────────────────────────────────────────


class Toy(nn.Module):
    """Two heads on one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.words, self.scores = nn.Linear(3, 3), nn.Linear(3, 5), nn.Linear(3, 1)

    def read(self, x: torch.Tensor) -> Output:
        hidden = self.body(x)
        return Output(word_logits=self.words(hidden), match_logits=self.scores(hidden).squeeze(-1))

    def forward(self, x: torch.Tensor) -> Output:
        return self.read(x)


NAMES = ((r"net\.(\w+)", r"body.\1"), (r"w\.(\w+)", r"words.\1"), (r"s\.(\w+)", r"scores.\1"))
WHOLE = Layout("whole", "", NAMES, lambda shapes: "w.bias" in shapes)
TASK = Layout(
    "task", "", NAMES, lambda shapes: "net.bias" in shapes, lacks=r"words\..*|scores\..*", silent=("word_logits",),
    ignored=((r"s\..*", "scores answers"),),
)  # fmt: skip
TOYS = Published("toy", "Toy", (), (WHOLE, TASK))


def toy_file(path: Path, *parts: str) -> dict[str, torch.Tensor]:
    shapes = {"net": 3, "w": 5, "s": 1}
    tensors = {f"{p}.weight": torch.randn(shapes[p], 3) for p in parts}
    tensors |= {f"{p}.bias": torch.randn(shapes[p]) for p in parts}
    stand_ins.trainer(path, tensors)
    return tensors


def test_a_report_says_what_became_of_every_tensor(tmp_path: Path) -> None:
    tensors = toy_file(tmp_path / "toy.pth", "net", "s")
    contents, model = read(tmp_path / "toy.pth"), Toy()
    layout = recognise(contents, TOYS)
    report = fill(model, [(layout, contents)])
    assert layout is TASK and torch.equal(model.body.weight, tensors["net.weight"])
    assert report.used == ("body.bias", "body.weight")
    assert set(report.ignored) == {"s.weight", "s.bias"}
    assert report.missing == ("scores.bias", "scores.weight", "words.bias", "words.weight")
    told = str(report)
    for line in (
        "the weights stand in 'state_dict'", "'module.' is left out", "not read: arch, epoch, optimizer, monitor_best",
        "stand-ins took the place of argparse.Namespace, parse_config_dist_multi.ConfigParser", "scores answers",
        "says nothing of: word_logits", report.sha256,
    ):  # fmt: skip
        assert line in told, line
    assert model.words.weight.isnan().all(), "what no file filled is no number"


def test_a_head_without_weights_says_nothing(tmp_path: Path) -> None:
    from copy import deepcopy

    toy_file(tmp_path / "toy.pth", "net", "s")
    contents, model = read(tmp_path / "toy.pth"), Toy()
    fill(model, [(TASK, contents)])
    silenced(model, ("word_logits",))
    for quiet in (model, deepcopy(model)):
        with torch.no_grad():
            quiet.body.bias.fill_(float("nan") if quiet is model else 0.0)
        out = quiet(torch.ones(2, 3))
        assert out.word_logits is None and out.match_logits is not None
        assert quiet.read(torch.ones(2, 3)).word_logits is None
    assert isinstance(model, Toy) and type(model).__name__ == "Toy"


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    tensors = toy_file(tmp_path / "a.pth", "net", "w", "s")
    tensors["net.bias"][1] = float("inf")
    stand_ins.plain(tmp_path / "b.pth", tensors)
    with pytest.raises(WeightsError, match=r"net\.bias: numbers in the file are infinite"):
        fill(Toy(), [(WHOLE, read(tmp_path / "b.pth"))])


def test_another_familys_file_is_refused(tmp_path: Path) -> None:
    toy_file(tmp_path / "a.pth", "s")
    with pytest.raises(
        WeightsError, match=r"a\.pth \(2 tensors: s\.weight, s\.bias\) is arranged as no published file"
    ):
        recognise(read(tmp_path / "a.pth"), TOYS)
    for name in registry.names():
        with pytest.raises(WeightsError, match="is arranged as no published file"):
            registry.load(name, weights=tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="is arranged as no published file"):
        registry.backbone("s3d", weights=tmp_path / "a.pth")


def test_files_go_together_or_are_refused() -> None:
    violet = registry.published("violet")
    pretraining, encoder = violet.layout("pretraining"), violet.layout("encoder of the discrete VAE")
    assert settings_of([pretraining], ["a"]) == (pretraining, {"dvae": None})
    assert settings_of([encoder, pretraining], ["a", "b"]) == (pretraining, {})
    with pytest.raises(WeightsError, match="none of them holds a whole model"):
        settings_of([encoder], ["a"])
    with pytest.raises(WeightsError, match="more than one of them holds"):
        settings_of([pretraining, pretraining], ["a", "b"])


def test_a_size_that_is_not_the_files(monkeypatch: Any) -> None:
    shapes = shapes_of("bridgeformer:MCQ_CLIP_ViT-B-32")
    monkeypatch.setattr(registry, "_contents", lambda known, weights: [empty(shapes)])
    with pytest.raises(ConfigError, match="of size 'clip', not 'published'"):
        registry.load("bridgeformer", "published", weights="anything")
