"""Exemplars are drawn again exactly as they were when words were clustered."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fresh import fresh

from vtexplore import registry
from vtexplore.errors import ConfigError, Unsupported
from vtexplore.exemplars import SIDE_PX, exemplar_frames, word_moment, words_of
from vtexplore.miniatures import visual_words
from vtexplore.tasks import scene_batch
from vtexplore.train import step_rng
from vtexplore.world import sample_scene

CLIPS, SEED = 12, 3


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    torch.manual_seed(0)
    model = registry.build("videobert")
    model.take(visual_words(model, CLIPS, SEED, tmp_path_factory.mktemp("words")))  # type: ignore[operator]
    return model


def test_the_making_is_remembered_and_counted(model: Any, tmp_path: Path) -> None:
    made = words_of(model).made
    assert made["world"] == "shapes" and made["seed"] == SEED and made["clips"] == CLIPS and made["moments"] == 6
    assert sum(made["counts"]) == CLIPS * 6 and len(made["counts"]) == len(model.eyes.words)
    words = model.eyes.words
    words.save(tmp_path / "w")
    assert type(words).load(tmp_path / "w").made == made


def test_words_found_in_a_folder_are_told_where_they_come_from(model: Any, tmp_path: Path) -> None:
    words = model.eyes.words
    replace(words, made={"seed": SEED, "items": CLIPS * 6}).save(tmp_path / f"visual_words_{CLIPS}.safetensors")
    found = visual_words(model, CLIPS, SEED, tmp_path)
    assert found.made == {"seed": SEED, "items": CLIPS * 6, "world": "shapes", "clips": CLIPS, "moments": 6}


def test_an_exemplar_is_read_as_its_word(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn at the size at which it was clustered, it is the item nearest the centroid."""
    monkeypatch.setattr("vtexplore.exemplars.SIDE_PX", model.inputs.size_px)
    words = model.eyes.words
    for word in range(0, len(words), 3):
        moment = word_moment(model, int(words.exemplars[word]))
        video = torch.from_numpy(moment).permute(0, 3, 1, 2)[None].float() / 255
        assert model.eyes(video).tolist() == [[word]]


def test_the_moment_is_that_of_the_scene(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert word_moment(model, 4 * 6 + 2).shape == (8, SIDE_PX, SIDE_PX, 3)
    monkeypatch.setattr("vtexplore.exemplars.SIDE_PX", model.inputs.size_px)
    batch = scene_batch([sample_scene(step_rng(SEED, 4, 3_000))], model.inputs)
    seen = (batch.video[0, 16:24] * 255).round().byte().permute(0, 2, 3, 1)
    assert np.array_equal(word_moment(model, 4 * 6 + 2), seen.numpy())


def test_frames_are_the_middle_ones_and_drawing_can_be_replaced(model: Any) -> None:
    shown = exemplar_frames(model, [2, 0])
    exemplars = model.eyes.words.exemplars
    assert np.array_equal(shown[1], word_moment(model, int(exemplars[0]))[4])
    mine = exemplar_frames(model, [2], lambda _, item: np.full((3, 2, 2, 3), item % 256, np.uint8))
    assert mine.shape == (1, 2, 2, 3) and mine.max() == exemplars[2] % 256
    assert len(exemplar_frames(model, [])) == 0
    with pytest.raises(ConfigError, match="counted from 0"):
        exemplar_frames(model, [len(exemplars)])


def test_weights_from_a_file_are_told_by_their_card(model: Any) -> None:
    again: Any = registry.build("videobert")
    again.load_state_dict(model.state_dict())
    with pytest.raises(Unsupported, match="Nobody remembers"):
        exemplar_frames(again, [0])
    again.card = {"visual_words": words_of(model).made}
    assert np.array_equal(exemplar_frames(again, [0]), exemplar_frames(model, [0]))


def test_words_of_something_else_have_no_pictures() -> None:
    with pytest.raises(Unsupported, match="Nobody remembers"):
        exemplar_frames(fresh("videobert"), [0])
    with pytest.raises(Unsupported, match="violet does not read"):
        words_of(registry.build("violet"))
