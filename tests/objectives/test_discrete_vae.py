"""The bound that a discrete VAE is trained on, term by term."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from vtexplore.blocks.dvae import DiscreteVAE, DVAEConfig
from vtexplore.objectives import discrete_vae


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_relaxed_choice() -> None:
    logits = torch.tensor([2.0, 1.0, 0.0]).log_softmax(0).view(1, 3, 1, 1).expand(20_000, 3, 1, 1)
    sharp = discrete_vae.gumbel_softmax(logits, 0.01, seeded())
    assert torch.allclose(sharp.sum(1), torch.ones(()), atol=1e-4)
    share = (sharp.argmax(1) == torch.arange(3).view(1, 3, 1)).float().mean((0, 2))
    assert torch.allclose(share, logits[0].exp().flatten(), atol=0.015)
    assert discrete_vae.gumbel_softmax(logits, 5.0, seeded()).amax(1).mean() < sharp.amax(1).mean()


@pytest.mark.parametrize("mu,log_b", [(0.0, 0.0), (1.5, -1.0)])
def test_a_density_integrates_to_one(mu: float, log_b: float) -> None:
    raw = torch.tensor([mu] * 3 + [log_b] * 3).view(1, 6, 1, 1)

    def density(x: float) -> float:
        # frames are mapped to 0.1..0.9; undo that to ask for any x in 0..1
        frames = torch.full((1, 3, 1, 1), (x - 0.1) / 0.8)
        return float(np.exp(-discrete_vae.logit_laplace(raw, frames)[0, 0, 0, 0]))

    total = quad(density, 1e-4, 1 - 1e-4, points=[1 / (1 + np.exp(-mu))], limit=200)[0]
    assert total == pytest.approx(1, abs=0.01)


def test_kl_by_hand() -> None:
    assert discrete_vae.kl_from_uniform(torch.zeros(1, 8, 2, 2)).abs().max() < 1e-6
    sure = torch.zeros(1, 8, 1, 1)
    sure[0, 3] = 100
    assert discrete_vae.kl_from_uniform(sure).item() == pytest.approx(np.log(8), abs=1e-4)


def test_it_learns() -> None:
    torch.manual_seed(0)
    dvae = DiscreteVAE(DVAEConfig(width=8, blocks=1, codes=8, decoder_width=8))
    frames = torch.rand(4, 3, 1, 1).expand(4, 3, 16, 16)  # one colour each
    optimizer = torch.optim.Adam(dvae.parameters(), 1e-2)
    first = None
    for step in range(25):
        losses = discrete_vae.loss(dvae, frames, 1.0, 0.0, seeded(step))
        assert losses["kl"] == 0
        first = losses["paint"].item() if first is None else first
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    assert losses["paint"].item() < first - 0.3
    a, b = (discrete_vae.loss(dvae, frames, 1.0, 2.0, seeded(7)) for _ in range(2))
    assert all(torch.equal(a[k], b[k]) for k in a) and a["kl"] > 0
