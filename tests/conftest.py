"""What all tests share: few threads, fixed seeds, no screen, and where the golden data lies."""

import os
import random
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(min(2, os.cpu_count() or 1))
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("house")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test draws the same random numbers, whichever tests ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def golden_dir() -> Path:
    """Weights, inputs and outputs of the original code; VTEXPLORE_GOLDEN names another folder."""
    return Path(os.environ.get("VTEXPLORE_GOLDEN", ROOT / "tests" / "golden"))


@pytest.fixture(scope="session")
def toy_model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A model made by hand, whose answers are known; see toy.py."""
    from toy import ToyModel, toy_vocabulary

    return ToyModel(toy_vocabulary(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def toy_clip() -> Any:
    """A clip made by hand, whose truth is known; see toy.py."""
    from toy import toy_clip

    return toy_clip()
