"""Files as the authors of the papers write them, from lists of keys alone: nothing here reads the loader's tables.

``tensors_of`` draws tensors of the names and shapes of a list; ``write`` puts them into a file as the fact sheet of
the system says: a plain dictionary, a trainer's checkpoint with a settings object, a pickled module, …
"""

import argparse
import json
import sys
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

FOLDER = Path(__file__).parent / "manifests"


def shapes_of(manifest: str) -> dict[str, list[int]]:
    """Names and shapes of a stored list, "file" or "file:entry"."""
    file, _, entry = manifest.partition(":")
    keys = json.loads((FOLDER / f"{file}.keys.json").read_text("utf-8"))
    keys = keys[entry] if entry else keys
    return {name: shape for name, shape in keys.items() if not name.startswith("_")}


def tensors_of(manifest: str, seed: int = 0) -> dict[str, Tensor]:
    """Tensors of a list: small random numbers, norms near 1, and what follows from the architecture."""
    generator = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for name, shape in shapes_of(manifest).items():
        if name.endswith("relative_position_index"):
            tensors[name] = relative_index((shape[0] // 49, 7, 7))
        elif name.endswith("position_ids"):
            tensors[name] = torch.arange(shape[-1])[None]
        elif name.rpartition(".")[2] == "pad":  # HERO's rows that fill a batch up
            tensors[name] = torch.zeros(shape)
        elif name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(1000)
        else:
            noise = torch.empty(shape).normal_(0, 0.02, generator=generator)
            scale = len(shape) == 1 and name.endswith("weight") or name.endswith("running_var")
            tensors[name] = noise.abs() + 0.9 if scale else noise
    for second, first in DOUBLES.items():
        if second in tensors and first in tensors:
            tensors[second] = tensors[first]
    return tensors


DOUBLES = {  # as the models of the authors tie them
    "fc_mtm.predictions.decoder.bias": "fc_mtm.predictions.bias",
    "v_encoder.f_encoder.lm_head.decoder.weight": "v_encoder.f_encoder.embeddings.word_embeddings.weight",
}


def relative_index(window: tuple[int, int, int]) -> Tensor:
    """Which row of the table of biases a pair of places has: offsets, made positive, counted row by row."""
    places = np.stack(np.unravel_index(np.arange(np.prod(window)), window), axis=1)
    offsets = places[:, None] - places[None] + np.array(window) - 1  # [query, key, axis]
    return torch.from_numpy(np.ravel_multi_index(np.moveaxis(offsets, 2, 0), [2 * side - 1 for side in window]))


# ── how files are written ─────────────────────────────────────────────────────────────────────────

Writer = Callable[[Path, Mapping[str, Tensor]], None]


def plain(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A state dict, nothing around it (VIOLET, HERO, S3D)."""
    torch.save(OrderedDict(tensors), path)


def old(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """The same, as torch wrote it before 1.6."""
    torch.save(OrderedDict(tensors), path, _use_new_zipfile_serialization=False)


def parallel(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """A state dict of a model spread over GPUs (kylemin's S3D may be one)."""
    torch.save(OrderedDict((f"module.{name}", t) for name, t in tensors.items()), path)


def trainer(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """MCQ.pth: the trainer's checkpoint, its settings a pickled object of the repository, names behind module."""
    first = next(iter(tensors.values()))
    with modules("parse_config_dist_multi") as (module,):
        config = made(module, "ConfigParser")()
        config.args = argparse.Namespace(config="configs/dist-4frame-mask-verb.json", local_rank=0)
        config.resume, config.cfg_fname = None, Path("configs") / "dist-4frame-mask-verb.json"
        config._config, config.log_levels = OrderedDict(name="MCQ", n_gpu=40), {0: 30, 1: 20, 2: 10}
        config._save_dir = Path("results") / "models"
        torch.save(
            {
                "arch": "DistributedDataParallel",
                "epoch": 10,
                "state_dict": OrderedDict((f"module.{name}", t) for name, t in tensors.items()),
                "optimizer": {
                    "state": {0: {"step": 5, "exp_avg": torch.zeros_like(first)}},
                    "param_groups": [{"lr": 1e-5, "betas": (0.9, 0.999), "params": [0]}],
                },
                "monitor_best": float("inf"),
                "config": config,
            },
            path,
        )


def wrapped(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """MCQ_CLIP.pth: the state dict, and nothing beside it."""
    torch.save({"state_dict": OrderedDict(tensors)}, path)


def mmcv(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Video Swin: what mmcv writes."""
    meta = {"mmcv_version": "1.3.1", "epoch": 30, "config": "model = dict()", "CLASSES": None, "time": "2021"}
    torch.save({"meta": meta, "state_dict": OrderedDict(tensors)}, path)


def dalle(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """encoder.pkl, decoder.pkl: the module itself, of classes of the repository."""
    kind = "encoder" if len(tensors) == 74 else "decoder"
    with modules("dall_e", "dall_e.utils", f"dall_e.{kind}") as (_, utils, coder):
        conv, block = made(utils, "Conv2d", nn.Module), made(coder, f"{kind.title()}Block", nn.Module)
        root = made(coder, kind.title(), nn.Module)()
        for name, tensor in tensors.items():
            node = root
            *path_of, last = name.split(".")
            for depth, step in enumerate(path_of):
                if step not in node._modules:
                    is_conv, is_block = depth == len(path_of) - 1, step.startswith("block_")
                    node.add_module(step, conv() if is_conv else block() if is_block else nn.Sequential())
                node = node._modules[step]
            node.register_parameter(last, nn.Parameter(tensor))
            node.device, node.use_float16 = torch.device("cpu"), True
        for group in (1, 2, 3):
            resize = nn.MaxPool2d(2) if kind == "encoder" else nn.Upsample(scale_factor=2, mode="nearest")
            root.blocks._modules[f"group_{group}"].add_module("resize", resize)
        root.blocks._modules["group_2"]._modules["block_2"].add_module("id_path", nn.Identity())
        root.blocks._modules["output"].add_module("relu", nn.ReLU())
        torch.save(root, path)


WRITERS: dict[str, Writer] = {
    "bridgeformer:MCQ_pretrain": trainer,
    "bridgeformer:MCQ_zeroshot": trainer,
    "bridgeformer:MCQ_CLIP_ViT-B-32": wrapped,
    "dalle:Encoder": dalle,
    "dalle:Decoder": dalle,
    "s3d_kinetics": parallel,
    "video_swin": mmcv,
    "video_swin_small": mmcv,
}
"""How the file of a list is written, as the fact sheets say; all others are plain."""


def write(path: Path, manifest: str, tensors: Mapping[str, Tensor]) -> Path:
    """The file of a list."""
    WRITERS.get(manifest, plain)(path, tensors)
    return path


# ── classes of other repositories, while a file is written ────────────────────────────────────────


@contextmanager
def modules(*names: str) -> Iterator[list[ModuleType]]:
    """Modules that can be imported inside the block, and are gone behind it."""
    new = [ModuleType(name) for name in names]
    sys.modules.update(zip(names, new))
    try:
        yield new
    finally:
        for name in names:
            del sys.modules[name]


def made(module: ModuleType, name: str, base: type = object) -> Any:
    """A class of a module, whose objects can be pickled."""
    kind = type(name, (base,), {"__module__": module.__name__})
    setattr(module, name, kind)
    return kind
