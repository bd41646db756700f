"""The training loop: resumable to the bit, fair to its processes, honest about bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vtexplore.errors import ConfigError
from vtexplore.train import Recipe, Task, fit, step_rng


class Curve(Task):
    """Fits a sine with dropout, so that every source of randomness takes part."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Dropout(0.1), nn.Linear(32, 1))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))  # explicit state

    def draw(self, rng: np.random.Generator, count: int) -> Tensor:
        return torch.from_numpy(rng.uniform(-3, 3, (count, 1)).astype(np.float32))

    def losses(self, data: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        self.seen += len(data)
        noise = 0.01 * torch.randn(data.shape, generator=generator)
        return {"mse": (self.net(data) - data.sin() + noise).pow(2).mean(), "_x": data.mean()}


RECIPE = Recipe(steps=60, batch=8, lr=1e-2)


def weights(folder: Path) -> dict[str, Tensor]:
    return torch.load(folder / "checkpoint.pt", weights_only=True)["task"]


def test_it_learns_and_says_how(tmp_path: Path) -> None:
    about = fit(Curve(), replace(RECIPE, steps=300), tmp_path, quiet=True)
    curve = about["curve"]
    assert curve[-1]["mse"] < 0.3 * curve[0]["mse"]
    assert [row["step"] for row in curve] == sorted({row["step"] for row in curve})


def test_in_16_bits_it_learns_and_keeps_32(tmp_path: Path) -> None:
    task = Curve()
    seen: list[torch.dtype] = []
    task.net[0].register_forward_hook(lambda module, given, said: seen.append(said.dtype))
    curve = fit(task, replace(RECIPE, steps=300, bf16=True), tmp_path, quiet=True)["curve"]
    assert curve[-1]["mse"] < 0.3 * curve[0]["mse"]
    assert set(seen) == {torch.bfloat16} and all(p.dtype == torch.float32 for p in task.parameters())


def test_resumed_equals_uninterrupted_to_the_bit(tmp_path: Path) -> None:
    fit(Curve(), RECIPE, tmp_path / "whole", quiet=True)

    class Killed(Exception):
        pass

    class Fragile(Curve):
        def losses(self, data: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
            if int(self.seen) >= stop * 8:
                raise Killed
            return super().losses(data, generator)

    import vtexplore.train as train

    for stop in (1, 17, 59):
        folder = tmp_path / f"cut{stop}"
        patch = pytest.MonkeyPatch()
        patch.setattr(train, "CHECKPOINT_EVERY_S", -1.0)  # after every step
        with pytest.raises(Killed):
            fit(Fragile(), RECIPE, folder, quiet=True)
        patch.undo()
        fit(Curve(), RECIPE, folder, quiet=True)
        whole, resumed = weights(tmp_path / "whole"), weights(folder)
        assert whole.keys() == resumed.keys()
        assert all(torch.equal(whole[k], resumed[k]) for k in whole)


SCRIPT = """
import sys; sys.path.insert(0, {here!r})
import time, torch
from pathlib import Path
import vtexplore.train as train
from test_train import Curve, RECIPE
torch.set_num_threads(1)
train.CHECKPOINT_EVERY_S = 0.02
class Slow(Curve):
    def draw(self, rng, count):
        time.sleep({pause}); return super().draw(rng, count)
train.fit(Slow(), RECIPE, Path({folder!r}), quiet=True)
"""


def test_kill_9_loses_nothing(tmp_path: Path) -> None:
    """A real process, really killed, at whatever step it had reached."""
    here = str(Path(__file__).parent)
    folder = str(tmp_path / "run")
    code = SCRIPT.format(here=here, folder=folder, pause=0.02)
    first = subprocess.Popen([sys.executable, "-c", code])
    deadline = time.monotonic() + 60
    while not (tmp_path / "run" / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.2)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    done = torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["done"]
    assert 0 < done < RECIPE.steps, "the kill came too late to test anything"
    subprocess.run([sys.executable, "-c", SCRIPT.format(here=here, folder=folder, pause=0)], check=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    fit(Curve(), RECIPE, tmp_path / "whole", quiet=True)
    torch.set_num_threads(threads)
    whole, resumed = weights(tmp_path / "whole"), weights(tmp_path / "run")
    assert all(torch.equal(whole[k], resumed[k]) for k in whole)


PAIR = """
import os, sys; sys.path.insert(0, {here!r})
from pathlib import Path
from vtexplore.train import fit
from test_train import Curve, RECIPE
about = fit(Curve(), RECIPE, Path({folder!r}), quiet=True)
Path({told!r}, os.environ["RANK"]).write_text(str(about["processes"]))  # two at once would print into each other
"""


def test_two_processes_really_are_two(tmp_path: Path) -> None:
    """Both take part, see different data, and the result is not that of one process."""
    script = tmp_path / "pair.py"
    folder, told = tmp_path / "run", tmp_path / "told"
    script.write_text(PAIR.format(here=str(Path(__file__).parent), folder=str(folder), told=str(told)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for _ in range(2):  # the second time there is a run to go on with, and nothing left to do
        shutil.rmtree(told, ignore_errors=True)
        told.mkdir()
        subprocess.run([*command, str(script)], capture_output=True, text=True, check=True)
        assert {path.name: path.read_text() for path in told.iterdir()} == {"0": "2", "1": "2"}
    assert not np.array_equal(step_rng(0, 3, 0).uniform(size=4), step_rng(0, 3, 1).uniform(size=4))
    state = torch.load(folder / "checkpoint.pt", weights_only=True)
    assert state["done"] == RECIPE.steps
    assert int(state["task"]["seen"]) == RECIPE.steps * RECIPE.batch // 2


def test_bad_recipes_are_refused(tmp_path: Path) -> None:
    fit(Curve(), RECIPE, tmp_path, quiet=True)
    with pytest.raises(ConfigError, match="another recipe"):
        fit(Curve(), replace(RECIPE, lr=1.0), tmp_path, quiet=True)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    class Broken(Curve):
        def losses(self, data: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
            return {"mse": super().losses(data, generator)["mse"] * float("nan")}

    with pytest.raises(FloatingPointError, match="step 0"):
        fit(Broken(), RECIPE, tmp_path, quiet=True)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_the_learning_rate_rises_then_falls() -> None:
    rates = [RECIPE.lr_at(s) for s in range(RECIPE.steps)]
    peak = int(np.argmax(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1]) and rates[peak:] == sorted(rates[peak:], reverse=True)
    assert rates[peak] == pytest.approx(1.0) and rates[-1] < 0.05


def test_the_log_survives_a_torn_line(tmp_path: Path) -> None:
    fit(Curve(), RECIPE, tmp_path, quiet=True)
    with (tmp_path / "log.jsonl").open("a") as log:
        log.write('{"step": 99, "ms')
    about = fit(Curve(), RECIPE, tmp_path, quiet=True)  # nothing left to do
    assert json.dumps(about["curve"][-1]).startswith('{"step": 59')
