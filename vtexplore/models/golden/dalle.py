"""The discrete VAE of DALL·E against openai/DALL-E."""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from vtexplore.blocks.dvae import NAMES, DiscreteVAE, DVAEConfig, map_pixels
from vtexplore.weights import load_state, part


def golden(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Codes of a picture, and the picture painted from them."""
    sizes = DVAEConfig(config["n_hid"], config["n_blk_per_group"], config["vocab_size"], config["decoder_n_init"])
    dvae = DiscreteVAE(sizes).eval()
    load_state(dvae, part(tensors, "param/"), NAMES)
    image = tensors["in/img"]
    ids = dvae.codes(image)
    return {
        "out/mapped": map_pixels(image),
        "out/logits": dvae(image),
        "out/ids": ids,
        "out/decoder_raw": dvae.decoder(F.one_hot(ids, sizes.codes).movedim(-1, 1).float()),
        "out/reconstruction": dvae.decode(ids),
    }
