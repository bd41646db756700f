"""Training a discrete VAE (Ramesh et al. 2021, §2.1 and App. A): paint a frame from a relaxed choice of codes."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vtexplore.blocks.dvae import DiscreteVAE, map_pixels


def gumbel_softmax(
    logits: Float[Tensor, "batch code row column"], temperature: float, generator: torch.Generator
) -> Float[Tensor, "batch code row column"]:
    """A relaxed one-hot choice along dimension 1 (Jang et al. 2017); sums to 1."""
    noise = torch.empty(logits.shape, device=generator.device).exponential_(generator=generator).log().neg()
    return ((logits + noise.to(logits)) / temperature).softmax(dim=1)


def logit_laplace(
    raw: Float[Tensor, "batch 6 height width"], frames: Float[Tensor, "batch 3 height width"]
) -> Float[Tensor, "batch 3 height width"]:
    """−log p of pixels under the paper's logit-Laplace (eq. 2), a number for each.

    ``raw``: location and log-scale of each channel; ``frames`` in 0..1.
    """
    x = map_pixels(frames)
    mu, log_b = raw.chunk(2, dim=1)
    return log_b + (2 * x * (1 - x)).log() + (x.logit() - mu).abs() * (-log_b).exp()


def kl_from_uniform(logits: Float[Tensor, "batch code row column"]) -> Float[Tensor, "batch row column"]:
    """KL of the encoder's choice from all codes alike, in nats a place: 0..log(codes)."""
    log_q = logits.log_softmax(dim=1)
    return (log_q.exp() * log_q).sum(dim=1) + torch.tensor(float(logits.shape[1])).log().to(logits)


def loss(
    dvae: DiscreteVAE, frames: Tensor, temperature: float, kl_weight: float, generator: torch.Generator
) -> dict[str, Tensor]:
    """The two terms of the negative evidence bound, both per pixel and channel; their sum is minimised.

    ``frames`` [batch, rgb, height, width] in 0..1, sides divisible by 8. The paper lowers ``temperature``
    from 1 to 1/16 and raises ``kl_weight`` from 0 to 6.6 during training.
    """
    logits = dvae(frames)  # [batch, code, row, column]
    raw = dvae.decoder(gumbel_softmax(logits, temperature, generator))
    places = logits.shape[2] * logits.shape[3] / frames[0].numel()
    return {
        "paint": logit_laplace(raw, frames).mean(),
        "kl": kl_weight * kl_from_uniform(logits).mean() * places,
    }
