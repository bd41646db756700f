"""At full size, our names and shapes are those of the published files, one to one."""

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from vtexplore import registry
from vtexplore.blocks import s3d_names, video_swin
from vtexplore.blocks.s3d import HOWTO100M, KINETICS, S3D, TORCHVISION
from vtexplore.blocks.video_swin import SwinConfig, VideoSwin
from vtexplore.errors import WeightsError
from vtexplore.weights import derived_of, match, prefixed, tensors_of, translate

FOLDER = Path(__file__).parent / "manifests"
NOT_IN_TORCH = {"merlot"}  # its files are TensorFlow's
FAMILIES = [name for name in registry.names() if registry.family(name).manifests]


def shapes_of(family: registry.Family) -> dict[str, list[int]]:
    """Published names and shapes of everything that makes up a family's model."""
    shapes: dict[str, list[int]] = {}
    for place, prefix in family.manifests.items():
        file, _, entry = place.partition(":")
        keys = json.loads((FOLDER / f"{file}.keys.json").read_text("utf-8"))
        shapes |= {prefix + name: shape for name, shape in (keys[entry] if entry else keys).items()}
    return shapes


def published(name: str) -> nn.Module:
    return registry.build(name, "published", device="meta")


def test_every_published_size_has_a_manifest() -> None:
    sized = {name for name in registry.names() if "published" in registry.family(name).sizes}
    assert sized == set(FAMILIES) | NOT_IN_TORCH


@pytest.mark.parametrize("name", FAMILIES)
def test_a_bijection(name: str) -> None:
    family, model = registry.family(name), published(name)
    shapes = shapes_of(family)
    found = match(model, shapes, family.names, family.doubles)
    assert set(found.values()) == set(tensors_of(model)), "derived buffers stand in the file, too"
    assert len(set(found.values())) == len(found) == len(shapes) - len(family.doubles)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_wrong_file_is_refused(name: str) -> None:
    family, model = registry.family(name), published(name)
    shapes = shapes_of(family)
    derived = set(derived_of(model))
    loaded = [n for n, mine in match(model, shapes, family.names, family.doubles).items() if mine not in derived]

    some = loaded[:: max(len(loaded) // 5, 1)]
    for lost in some:
        without = "no place" if lost in family.doubles.values() else "missing"  # its double has another name here
        with pytest.raises(WeightsError, match=f"{without}|missing"):
            match(model, {n: s for n, s in shapes.items() if n != lost}, family.names, family.doubles)
        with pytest.raises(WeightsError, match="No rule|no place|would both become"):
            match(model, shapes | {f"{lost}_": shapes[lost]}, family.names, family.doubles)
        other = next(n for n in loaded if shapes[n] != shapes[lost])
        swapped = shapes | {lost: shapes[other], other: shapes[lost]}
        with pytest.raises(WeightsError, match="in the file and"):
            match(model, swapped, family.names, family.doubles)


class Classifier(nn.Module):
    """A Video Swin with the classifier that its files carry."""

    def __init__(self, config: SwinConfig) -> None:
        super().__init__()
        self.backbone, self.head = VideoSwin(config), nn.Linear(config.out_width, 400)


S3D_FILES = {
    "s3d": (HOWTO100M, s3d_names.MIL_NCE, 31_211_336),
    "s3d_kinetics": (KINETICS, s3d_names.KYLEMIN, 8_320_048),
    "s3d_torchvision": (TORCHVISION, s3d_names.TORCHVISION, 8_320_048),
}


@pytest.mark.parametrize("file", S3D_FILES)
def test_s3d(file: str) -> None:
    """Statistics of the batch norms stand in the file like weights, and are as indispensable."""
    config, rules, count = S3D_FILES[file]
    shapes = json.loads((FOLDER / f"{file}.keys.json").read_text("utf-8"))
    with torch.device("meta"):
        model = S3D(config)
    found = match(model, shapes, rules)
    assert set(found.values()) == set(tensors_of(model)) and len(found) == len(shapes)
    assert sum(p.numel() for p in model.parameters()) == count
    names = list(shapes)
    for lost in names[:: len(names) // 6]:
        with pytest.raises(WeightsError, match="missing"):
            match(model, {n: s for n, s in shapes.items() if n != lost}, rules)
        with pytest.raises(WeightsError, match="No rule|no place|would both become"):
            match(model, shapes | {f"{lost}_": shapes[lost]}, rules)
        other = next(n for n in names if shapes[n] != shapes[lost])
        with pytest.raises(WeightsError, match="in the file and"):
            match(model, shapes | {lost: shapes[other], other: shapes[lost]}, rules)


def test_the_two_kinetics_files_of_s3d_are_one_network_in_one_order() -> None:
    ours = []
    for file in ("s3d_kinetics", "s3d_torchvision"):
        names = json.loads((FOLDER / f"{file}.keys.json").read_text("utf-8"))
        ours.append(list(translate(names, S3D_FILES[file][1]).values()))
    assert ours[0] == ours[1]


SWIN_FILE = (*prefixed(video_swin.NAMES, "backbone.", "backbone."), (r"cls_head\.fc_cls\.(\w+)", r"head.\1"))


def test_video_swin_tiny_and_small() -> None:
    tiny = json.loads((FOLDER / "video_swin.keys.json").read_text("utf-8"))
    tiny = {k: v for k, v in tiny.items() if not k.startswith("_")}
    small = json.loads((FOLDER / "violet.keys.json").read_text("utf-8"))["video_swin_init_file(ckpt_video-swin.pt)"]
    with torch.device("meta"):
        models = Classifier(SwinConfig(depths=(2, 2, 6, 2))), VideoSwin(SwinConfig())
    for model, shapes, rules in ((models[0], tiny, SWIN_FILE), (models[1], small, video_swin.NAMES)):
        assert set(match(model, shapes, rules).values()) == set(tensors_of(model))
