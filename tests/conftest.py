"""What all tests share: one thread, fixed seeds, no screen, and where the golden data lies."""

import importlib
import os
import random
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of kernels and other processes that tests start; for us, see below
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import hypothesis
import numpy as np
import pytest
import torch

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)  # small tensors: a second thread costs more than it gives, a lot more on a busy machine
hypothesis.settings.register_profile("house", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("house")


def _import_world_unchecked() -> None:
    """The world is tested without run-time type checks.

    A scene is made of dozens of tiny objects, and statistics need thousands of scenes: with every call
    checked (see ``addopts``), they would take 200 times as long. mypy checks the same annotations.
    """
    hooks = [f for f in sys.meta_path if type(f).__module__.startswith("jaxtyping")]
    importlib.import_module("vtexplore.types")
    sys.meta_path[:] = [f for f in sys.meta_path if f not in hooks]
    try:
        importlib.import_module("vtexplore.world")
        importlib.import_module("vtexplore.world.truth")
    finally:
        sys.meta_path[:0] = hooks


_import_world_unchecked()


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
def toy_answerer(toy_model: Any) -> Any:
    """A model made by hand that answers questions and embeds texts and videos; see toy.py."""
    from toy import ToyAnswerer

    return ToyAnswerer(toy_model.inputs.vocabulary)


@pytest.fixture(scope="session")
def toy_clip() -> Any:
    """A clip made by hand, whose truth is known; see toy.py."""
    from toy import toy_clip

    return toy_clip()


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Types a command into this process: its exit code, and what it says on either stream."""
    import vtexplore.cli as cli

    def inner(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["vtexplore", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return inner
