"""The folder is the registry."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from vtexplore import registry
from vtexplore.errors import ConfigError

PAGES = Path(registry.__file__).parent / "models"


def test_names_are_the_files() -> None:
    assert registry.names() == tuple(sorted(p.stem for p in PAGES.glob("*.py") if not p.stem.startswith("_")))
    assert "violet" in registry.names() and registry.family("violet").name == "violet"


def test_an_unknown_family_meets_its_neighbours() -> None:
    with pytest.raises(ConfigError, match="Did you mean violet"):
        registry.family("violett")
    with pytest.raises(ConfigError, match="violet"):
        registry.family("../weights")


def test_listing_imports_no_page_and_no_torch() -> None:
    code = "import sys; from vtexplore import registry; registry.names(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=PAGES.parents[1])
    assert done.stdout.strip() == "False", done.stderr


def test_a_model_explores_itself_and_a_copy_the_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    from vtexplore.widgets import live

    monkeypatch.setattr(live, "explore", lambda model, clip, text, **others: (model, clip, text, others))
    model = registry.build("violet", depth=1)
    assert model.explore("clip", "text", other_text="else") == (model, "clip", "text", {"other_text": "else"})
    twin = copy.deepcopy(model)
    assert twin.explore("clip")[0] is twin and twin is not model


def test_build() -> None:
    model = registry.build("violet", depth=1)
    assert (model.name, model.size, model.weights_hash, model.training) == ("violet", "mini", None, False)
    assert len(model.fusion.layers) == 1 and model.inputs == registry.family("violet").inputs()
    published = registry.build("violet", "published", device="meta")
    assert {p.device.type for p in published.parameters()} == {"meta"}
    count = sum(p.numel() for n, p in published.named_parameters() if not n.startswith("dvae."))
    assert count / 1e6 == pytest.approx(197.6, abs=0.05)


def test_the_vocabulary_gives_the_ids() -> None:
    model = registry.build("violet", device="meta")
    assert model.word_head.decoder.out_features == model.ids.size == model.text.word.num_embeddings
    assert registry.build("violet", device="meta", match_groups=4).config.match_groups == 4
    assert torch.equal(model.ids.special(torch.tensor([model.ids.mask])), torch.tensor([False]))


def test_only_miniatures_are_shipped() -> None:
    with pytest.raises(ConfigError, match="Only miniatures"):
        registry.load("violet", "published")


def test_the_table_has_a_row_for_each_page() -> None:
    rows = registry.table_markdown().splitlines()
    assert len(rows) == 2 + len(registry.names())
    assert "VIOLET" in "".join(rows) and "arxiv.org/abs/2111.12681" in "".join(rows)
