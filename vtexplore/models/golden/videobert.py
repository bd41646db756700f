"""VideoBERT against BERT in its layout: nothing official exists, and the file says so itself.

Three sequences (words, visual words, both), and a tree of clusters walked down and searched.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vtexplore.blocks.embeddings import BERT_WORDS
from vtexplore.blocks.s3d import KINETICS
from vtexplore.blocks.tap import Call, listening, name_taps
from vtexplore.models.videobert import FAMILY, NAMES, Config, VideoBERT
from vtexplore.types import Inputs, Stream, Tokens
from vtexplore.visual_words import VisualWords
from vtexplore.weights import load_state, part


class Listener:
    """Keeps the attention weights of every layer, in order."""

    def __init__(self) -> None:
        self.kept: list[Tensor] = []

    def hear(self, call: Call) -> None:
        """Keep the weights of a layer."""
        self.kept.append(call.weights())

    def see(self, site: str, stream: Stream) -> None:
        """States are read elsewhere."""


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every output of the three sequences, what stands at the masks, and both ways through the tree."""
    model = build(config, tensors)
    out = {}
    for kind in ("text", "video", "joint"):
        ids, kinds, mask = (tensors[f"in/{kind}_{x}"] for x in ("ids", "type", "mask"))
        stream = model.words.join(Stream(model.words.look_up(ids, kinds), mask.bool(), partial(_bare, *ids.shape)))
        listener = Listener()
        with listening(listener):
            hidden = model.fusion(stream).hidden
        out[f"out/{kind}_embedding"], out[f"out/{kind}_hidden"] = stream.hidden, hidden
        out[f"out/{kind}_logits"] = logits = model.word_head(hidden)
        out |= {f"out/{kind}_attn_layer{i}": weights for i, weights in enumerate(listener.kept)}
    out["out/joint_align_logits"] = model.align_head(hidden[:, 0])
    out["out/joint_mask_positions"] = at = (tensors["in/joint_ids"] == model.ids.mask).nonzero()
    masked = logits[at[:, 0], at[:, 1]]  # of the joint sequence, the last of the three
    out["out/joint_mask_top5_text"] = masked[:, : model.first].topk(5).indices
    out["out/joint_mask_top5_visual"] = masked[:, model.first : model.joiner].topk(5).indices
    words = tree([tensors[f"hkm/centroids_level{level}"] for level in range(config["d"])])
    out["hkm/ids_tree_descent"] = words.descend(tensors["hkm/features"])
    out["hkm/ids_flat_nearest_leaf"] = words.nearest(tensors["hkm/features"])
    return out


def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> VideoBERT:
    """The page at the file's sizes, with the file's weights."""
    model = VideoBERT(
        Config(
            inputs=Inputs(),
            words=replace(BERT_WORDS, size=config["text_vocab"]),
            s3d=replace(KINETICS, divide=8),  # unused: the file has no pixels
            branching=config["k"],
            levels=config["d"],
            width=config["hidden"],
            depth=config["layers"],
            heads=config["heads"],
            inner=config["intermediate"],
            places=config["max_position"],
            eps=config["layer_norm_eps"],
        )
    )
    load_state(model, part(tensors, "param/"), NAMES, FAMILY.doubles, may_miss=r"eyes\..*")
    name_taps(model)
    return model.eval()


def tree(levels: Sequence[Tensor]) -> VisualWords:
    """A full tree from the centroids of each level [node, child, channel]; words are counted by their path."""
    branching = levels[0].shape[1]
    centroids = torch.cat([levels[0].mean(1), *(level.flatten(0, 1) for level in levels)])
    leaves = len(levels[-1]) * branching
    children = torch.full((len(centroids), branching), -1)
    children[:-leaves] = torch.arange(1, len(centroids)).view(-1, branching)
    return VisualWords(centroids, children, torch.zeros(leaves, dtype=torch.long), {})


def _bare(batch: int, length: int) -> list[Tokens]:
    return [Tokens.make([str(i) for i in range(length)], [{"text"}] * length)] * batch
