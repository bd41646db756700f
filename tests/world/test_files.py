"""Sound, clips and mp4 files of scenes."""

import json
from pathlib import Path

import av
import numpy as np
import pytest

from vtexplore.errors import ConfigError
from vtexplore.types import Clip, Truth
from vtexplore.world import render, sample_scene, script, stereo, waveform, write_mp4
from vtexplore.world.video_file import EXAMPLES, example_scene, plain_caption


def loudness(sound):
    return float(np.sqrt(np.mean(np.square(sound))))


def test_a_tone_while_something_happens():
    for seed in range(6):
        scene = sample_scene(seed, form="then")
        sound = waveform(scene)
        assert sound.dtype == np.float32 and sound.shape == (64_000,) and np.abs(sound).max() <= 1
        a, b = scene.events
        for e in (a, b):
            assert loudness(waveform(scene, e.start_s + 0.1, e.end_s - 0.1)) > 0.05
        assert loudness(waveform(scene, 0.0, a.start_s - 0.01)) < 0.01
        assert np.array_equal(waveform(scene, 1.0, 2.0), sound[16_000:32_000])
        assert waveform(scene, 3.5, 5.0).shape == (24_000,) and not waveform(scene, 4.0, 5.0).any()


def test_the_tone_names_the_event_and_comes_from_its_side():
    scene = sample_scene(0, form="one", kinds=["slides left"])
    e = scene.events[0]
    sound = waveform(scene, e.start_s, e.end_s)
    peak = np.abs(np.fft.rfft(sound)).argmax() * 16_000 / len(sound)
    assert abs(peak - scene.theme.actions[e.kind].tone_hz) < 3
    a, b = int(e.start_s * 16_000), int(e.end_s * 16_000)
    side = [loudness(c[1]) / loudness(c[0]) for c in (stereo(scene)[:, a : a + 8000], stereo(scene)[:, b - 8000 : b])]
    assert (side[1] < side[0]) == (e.kind == "slides left")


def test_a_clip_knows_everything():
    scene = sample_scene(3, form="then")
    clip = scene.clip()
    assert isinstance(clip, Clip) and isinstance(clip.truth, Truth)
    assert clip.caption == scene.caption.text and clip.world == "shapes" and clip.duration_s == 4.0
    assert clip.frames().shape == (4, 256, 256, 3) and clip.sample([1.0, 9.0], 96).shape == (2, 96, 96, 3)
    assert clip.waveform().shape == (64_000,) and clip.speech
    truth = clip.truth
    n = len(scene.objects)
    assert len(truth.objects) == n and truth.masks([0.8, 1.6], 64).shape == (n, 2, 64, 64)
    assert truth.boxes([0.8]).shape == (n, 1, 4)
    assert [e.kind for e in truth.events] == [e.kind for e in scene.events]
    assert [p.text for p in truth.phrases] == clip.caption.split()
    assert clip.regions.boxes.shape == (4, n, 4) and clip.regions.tags == truth.objects


@pytest.mark.parametrize("scene", [sample_scene(5), script(1, 4)], ids=["clip", "script"])
def test_mp4_is_the_scene(scene, tmp_path):
    path = write_mp4(scene, tmp_path / "deep" / "clip.mp4", size_px=128)
    assert [p.name for p in path.parent.iterdir()] == ["clip.mp4"], "no temporary file is left"
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        assert file.streams.audio[0].codec_context.name == "aac"
        assert float(file.streams.video[0].average_rate) == 24
        frames = [f.to_ndarray(format="rgb24") for f in file.decode(video=0)]
    with av.open(str(path)) as file:
        sound = np.concatenate([f.to_ndarray() for f in file.decode(audio=0)], axis=1)
    assert len(frames) == round(24 * scene.duration_s) and frames[0].shape == (128, 128, 3)
    assert sound.shape[0] == 2 and abs(sound.shape[1] / 16_000 - scene.duration_s) < 0.2
    truth = scene.clip().sample([1.0], 128)[0].astype(float)
    assert np.abs(frames[24] - truth).mean() < 8


def test_mp4_refuses_odd_sizes(tmp_path):
    with pytest.raises(ConfigError, match="even"):
        write_mp4(sample_scene(0), tmp_path / "x.mp4", size_px=97)
    assert not list(tmp_path.iterdir())


def test_examples_are_named_after_what_they_show():
    for name, (_, split, _) in EXAMPLES.items():
        scene = example_scene(name)
        assert scene.is_heldout() == (split == "heldout")
        words = plain_caption(scene).replace(" the ", " ").removeprefix("the ").split()
        assert [w for w in words if w not in ("now", "and", "it")] == name.split("_")
    with pytest.raises(ConfigError, match="red_circle"):
        example_scene("green_moon_sings")


def test_shipped_examples_are_those():
    folder = Path(__file__).parents[2] / "assets" / "clips"
    assert sorted(p.stem for p in folder.glob("*.mp4")) == sorted(EXAMPLES)
    for name in EXAMPLES:
        about = json.loads((folder / f"{name}.json").read_text())
        assert about["caption"] == plain_caption(example_scene(name)) and about["seed"] == EXAMPLES[name][0]
        assert (folder / f"{name}.mp4").stat().st_size < 300_000
        with av.open(str(folder / f"{name}.mp4")) as file:
            frame = next(file.decode(video=0)).to_ndarray(format="rgb24")
        assert np.abs(frame - render([example_scene(name)], [0.0], 256)[0, 0].astype(float)).mean() < 8
