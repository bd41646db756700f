"""S3D against antoine77340/S3D_HowTo100M, antoine77340/MIL-NCE_HowTo100M and kylemin/S3D, at full size.

The file holds no weights for most of its cases, since 20 million would not fit; it tells how to draw them, from a
hash of the place of each number. ``weights`` draws them, and ``golden`` takes what it is given under ``param_mil/…``,
``param_mil_nos2d/…`` and ``param_kin/…``, so that a test can give it others.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vtexplore.blocks.bag_of_words import BagConfig, BagOfWords, word_ids
from vtexplore.blocks.s3d import HOWTO100M, KINETICS, MIXED, S3D, S3DConfig, window_mean
from vtexplore.blocks.s3d_names import KYLEMIN, MIL_NCE, MIL_NCE_FULL_STEM, TEXT
from vtexplore.objectives import mil_nce
from vtexplore.weights import Rules, load_state, part, tensors_of, translate

MIL_STEPS = {"conv1": "stem", "conv_2c": "2c", "gating": "gate"}
MIL_STEPS |= {f"maxpool_{n}": n for n in ("2a", "3a", "4a", "5a")} | {f"mixed_{n}": n for n in MIXED}
KIN_STEPS = dict(zip((f"base.{i}" for i in range(16)), ("stem", "2a", "2b", "2c", *sorted([*MIXED, "3a", "4a", "5a"]))))


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The maps of every case (every so many channels, as the file says), embeddings, classes, ids, and losses."""
    if "param_mil/fc.weight" not in tensors:
        tensors = {**tensors, **weights(config)}
    out: dict[str, Tensor] = {}
    for kind, (sizes, rules) in _kinds(config).items():
        model = S3D(sizes).eval()
        load_state(model, {**part(tensors, f"param_{kind[:3]}/"), **part(tensors, f"param_{kind}/")}, rules)
        for case in _cases(tensors, "video_u8"):
            if kind == _kind(case):
                video = tensors[f"{case}/in/video_u8"].transpose(1, 2) / 255  # [batch, frame, rgb, height, width]
                maps = _maps(model, video, config["channel_stride_in_out"][kind[:3]])
                out |= {f"{case}/out/{name}": x for name, x in maps.items()}
    for case in _cases(tensors, "text"):
        out[f"{case}/out/loss"] = mil_nce.loss(tensors[f"{case}/in/video"], tensors[f"{case}/in/text"])[None]
    return out | _text(config, tensors)


def weights(config: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights of which the file holds the recipe, by their published names after ``param_mil/`` and so on."""
    drawn = {}
    for kind, (sizes, rules) in _kinds(config).items():
        with torch.device("meta"):
            ours = tensors_of(S3D(sizes))
        keys, gain = (config["key_index_mil"], 2.0) if kind.startswith("mil") else (config["key_index_kin"], 1.0)
        for name, mine in translate(keys, rules).items():
            if kind != "mil_nos2d" or name == "conv1.conv1.weight":  # all else is as with space-to-depth
                drawn[f"param_{kind}/{name}"] = _draw(name, tuple(ours[mine].shape), keys[name], gain)
    return drawn


def _draw(name: str, shape: tuple[int, ...], k: int, gain: float) -> Tensor:
    """The numbers of one tensor, from the place ``k`` of its name and the place of each in it."""
    kind = name.rpartition(".")[2]
    if kind == "num_batches_tracked":
        return torch.tensor(0)
    x = (np.arange(prod(shape), dtype=np.int64) * 1103515245 + k * 12345 + 12345) % 2**31
    for factor, add, shift in ((1, 0, 15), (1664525, 1013904223, 13), (22695477, 1, 16)):
        x = (x * factor + add) % 2**31
        x ^= x >> shift
    u = x / 2**30 - 1
    if kind == "running_var":
        u = 0.3 + 0.25 * u
    elif kind in ("running_mean", "bias"):
        u = 0.1 * u
    elif len(shape) == 1:
        u = 1 + 0.25 * u
    elif not name.endswith("word_embd.weight"):
        u = u * (gain / prod(shape[1:])) ** 0.5
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def _kinds(config: Mapping[str, Any]) -> dict[str, tuple[S3DConfig, Rules]]:
    few = replace(HOWTO100M, text=BagConfig(words=len(_listed(config, "dictionary")) + 1))  # rows that are asked for
    return {
        "mil": (few, MIL_NCE),
        "mil_nos2d": (replace(few, stem="full"), MIL_NCE_FULL_STEM),
        "kin": (KINETICS, KYLEMIN),
    }


def _kind(case: str) -> str:
    return case if case == "mil_nos2d" else case[:3]


def _maps(model: S3D, video: Tensor, strides: Mapping[str, int]) -> dict[str, Tensor]:
    steps = dict(model.steps(video))
    names = MIL_STEPS if model.project is not None else KIN_STEPS
    out = {name: steps[names[name]][:, ::stride] for name, stride in strides.items()}
    if model.project is not None:
        return out | {"pooled_1024": model.features(video), "video_embedding": model.embed(video)}
    windows = window_mean(steps["5c"].movedim(1, -1))
    return out | {"mean_1024": model.features(video), "window_mean_1024": windows, "logits": model.logits(video)}


def _text(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    sentences, words = _listed(config, "sentences"), _listed(config, "dictionary")
    out: dict[str, Tensor] = {}
    for case, prefix in (("mil_text", "param_mil/text_module."), ("text_small", "text_small/param/")):
        found = part(tensors, prefix)
        (rows, width), (out_width, inner) = found["word_embd.weight"].shape, found["fc2.weight"].shape
        bag = BagOfWords(BagConfig(rows, width, inner), out_width).eval()
        load_state(bag, found, TEXT)
        ids = word_ids(sentences, words, tensors[f"{case}/out/ids"].shape[1])
        out |= {f"{case}/out/ids": ids, f"{case}/out/text_embedding": bag(ids)}
        if f"{case}/out/pooled_2048" in tensors:
            out[f"{case}/out/pooled_2048"] = bag.pooled(ids)
    return out


def _cases(tensors: Mapping[str, Tensor], given: str) -> Iterator[str]:
    return (name.split("/")[0] for name in sorted(tensors) if name.endswith(f"/in/{given}"))


def _listed(config: Mapping[str, Any], name: str) -> list[str]:
    """A list that stands in the file's notes, as "name (…) = […]"."""
    found: list[str] = next(json.loads(n.partition(" = ")[2]) for n in config["notes"] if n.startswith(name))
    return found
