"""CLIP's towers: the end of a text, and the names of the public file."""

import json
from pathlib import Path

import torch

from vtexplore import registry
from vtexplore.blocks.clip import NAMES, CLIPConfig, CLIPTowers
from vtexplore.blocks.vit import QuickGELU, ViTConfig
from vtexplore.types import Batch
from vtexplore.weights import match, tensors_of

MANIFEST = Path(__file__).parents[1] / "manifests" / "bridgeformer.keys.json"


def test_names_are_those_of_the_public_file() -> None:
    keys = json.loads(MANIFEST.read_text("utf-8"))["MCQ_CLIP_ViT-B-32"]
    model = registry.build("bridgeformer", "clip", device="meta")
    found = match(model, keys, NAMES)
    assert set(found.values()) == set(tensors_of(model)) and len(found) == 302


@torch.no_grad()
def test_a_text_is_read_at_its_end() -> None:
    torch.manual_seed(0)
    small = ViTConfig(16, 8, 8, 1, 2, 16, 1e-5, patch_bias=False, norm_first=True, activation=QuickGELU)
    model = CLIPTowers(CLIPConfig(small, words=20, context=6, width=8, depth=2, heads=2, out=4)).eval()
    ids = torch.tensor([[1, 5, 19, 0, 0, 0]])  # the highest id ends the text
    batch = Batch.bare(torch.zeros(1, 1, 3, 16, 16), ids)
    told = model.embed_text(model.text(batch).hidden, ids)
    padded = torch.tensor([[1, 5, 19, 7, 7, 7]])
    other = model.embed_text(model.text(Batch.bare(batch.video, padded)).hidden, padded)
    torch.testing.assert_close(told, other)
    grey = model.normalise(torch.full((1, 3, 2, 2), 0.5))
    assert grey.shape == (1, 3, 2, 2) and grey.abs().max() < 0.5
