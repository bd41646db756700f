"""BridgeFormer's variant that starts from CLIP against TencentARC/MCQ: two towers, and no bridge."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vtexplore.blocks.clip import NAMES, CLIPConfig, CLIPTowers
from vtexplore.blocks.vit import QuickGELU, ViTConfig
from vtexplore.objectives.contrastive import unit
from vtexplore.types import Batch
from vtexplore.weights import load_state, part


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every output."""
    model = build(config, tensors)
    pixels, words = tensors["in/video"], tensors["in/text"]
    states = model.video.states(pixels)
    text = Batch.bare(torch.zeros(len(words), 1, 3, 1, 1), words)
    told, video = model.embed_text(model.text(text).hidden, words), model.embed_video(states[-1].hidden)
    return {f"out/video_layer{i}": state.hidden for i, state in enumerate(states[1:])} | {
        "out/text_feature": told,
        "out/video_feature": video,
        "out/text_norm": unit(told),
        "out/video_norm": unit(video),
        "out/sim": unit(told) @ unit(video).T,
        "out/video_feature_single_frame": model.embed_video(model.video.states(pixels[:, :1])[-1].hidden),
    }


def build(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> CLIPTowers:
    """The towers at the file's sizes, with the file's weights."""
    vision = ViTConfig(
        size_px=config["image"],
        patch_px=config["patch"],
        width=config["vision_width"],
        depth=config["vision_layers"],
        heads=config["vision_heads"],
        inner=4 * config["vision_width"],
        eps=config["ln_eps"],
        patch_bias=False,
        norm_first=True,
        activation=QuickGELU,
    )
    model = CLIPTowers(
        CLIPConfig(
            video=vision,
            words=config["vocab"],
            context=config["context"],
            width=config["text_width"],
            depth=config["text_layers"],
            heads=config["text_heads"],
            out=config["embed_dim"],
        )
    )
    load_state(model, part(tensors, "param/"), NAMES)
    return model.eval()
