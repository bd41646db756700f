"""Three hours of 1080p at one key frame in 250 frames: a clip costs little memory, and little time."""

import json
import subprocess
import sys

import films
import pytest

from vtexplore.data.video import read_video

HOURS_3 = 3 * 3600 * 25

MEASURE = """
import json, pathlib, re, resource, sys, time
import numpy as np
from vtexplore.data.video import read_video
def peak():
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # ru_maxrss starts at the peak of the process that started this one
        return int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)
before, start = peak(), time.perf_counter()
clip = read_video(sys.argv[1], backend=sys.argv[2])
opened = time.perf_counter() - start
frames = clip.frames(224)
print(json.dumps([peak() - before, opened, time.perf_counter() - start, clip.duration_s, list(frames.shape)]))
"""


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    """250 coded frames, encoded once and copied 1,080 times."""
    folder = tmp_path_factory.mktemp("long")
    options = (("preset", "ultrafast"), ("crf", "40"), ("bf", "2"), ("x264-params", "scenecut=0"))
    kind = films.Kind("gop.mp4", "libx264", 250, (1920, 1080), gop=250, options=options)
    pictures = [films.coded(i, *kind.size) for i in range(250)]
    films.encode(folder / "gop.mp4", kind, pictures, list(range(250)))
    films.repeat(folder / "gop.mp4", folder / "long.mp4", HOURS_3 // 250)
    yield folder / "long.mp4"
    (folder / "long.mp4").unlink()  # half a gigabyte


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["auto", "decord"])
def test_three_hours_cost_at_most_64_mb(long_film, backend):
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(long_film), backend], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    memory_mb, opened_s, all_s, duration_s, shape = json.loads(done.stdout)
    print(f"{backend}: {memory_mb:.0f} MB, opened in {opened_s:.2f} s, 8 frames after {all_s:.2f} s")
    assert memory_mb <= 64
    assert duration_s == pytest.approx(3 * 3600, abs=0.1)
    assert shape == [8, 224, 398, 3]


@pytest.mark.slow
def test_frames_of_a_long_film_are_exact(long_film):
    clip = read_video(long_film)
    rows = [0, 1, 249, 250, 251, 123_456, 123_700, 199_999, HOURS_3 - 250, HOURS_3 - 1]
    got = clip.sample([(r + 0.5) / 25 for r in rows], 60)
    assert [films.number_of(f) for f in got] == [r % 250 for r in rows]
    assert [films.number_of(f) for f in clip.sample([r / 25 for r in rows], 60)] == [r % 250 for r in rows]
