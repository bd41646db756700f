"""Video Swin against SwinTransformer/Video-Swin-Transformer: clips of several shapes, and inflation from 2-D."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from vtexplore.blocks.video_swin import NAMES, SwinConfig, VideoSwin, inflate
from vtexplore.weights import load_state, part

MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every block, stage and the classifier of every case; inflated kernels and bias tables."""
    sizes = SwinConfig(
        patch=tuple(config["patch_size"]),
        time_stride=config["patch_size"][0],
        width=config["embed_dim"],
        depths=tuple(config["depths"]),
        heads=tuple(config["num_heads"]),
        window=tuple(config["window_size"]),
        mlp_ratio=config["mlp_ratio"],
    )
    swin = VideoSwin(sizes).eval()
    load_state(swin, part(tensors, "param/"), NAMES)
    head = part(tensors, "param_head/fc_cls.")
    out = {}
    for case in sorted({name.split("/")[0] for name in tensors if name.endswith("/in/video_u8")}):
        video = (tensors[f"{case}/in/video_u8"].transpose(1, 2) - MEAN) / STD  # [batch, frame, rgb, height, width]
        steps = dict(swin.steps(video))
        pooled = steps["final"].mean((1, 2, 3))
        mine = {name: x if "block" in name else x.movedim(-1, 1) for name, x in steps.items()}
        mine |= {"pooled": pooled, "logits": F.linear(pooled, head["weight"], head["bias"])}
        for name, x in mine.items():
            theirs = tensors.get(f"{case}/out/{name}")
            if theirs is not None:  # the file leaves some large ones out, and of others keeps the first items only
                out[f"{case}/out/{name}"] = x[: len(theirs)]
    inflated = inflate(part(tensors, "inflate/in/"), sizes.patch[0], sizes.window)
    return out | {f"inflate/out/{name}": x for name, x in inflated.items()}
