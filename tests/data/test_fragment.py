"""A stretch named with its file."""

from pathlib import Path

import numpy as np
import pytest

from vtexplore.data.fragment import cut
from vtexplore.data.video import read_video
from vtexplore.errors import ConfigError, VideoError
from vtexplore.many.items import items


@pytest.mark.parametrize(
    ("said", "start_s", "end_s"),
    [
        ("60,70", 60, 70),
        ("1.5", 1.5, None),
        (",20", None, 20),
        ("1:00,1:10.5", 60, 70.5),
        ("npt:1:02:03,2:00:00", 3723, 7200),
        ("0,125", 0, 125),
    ],
)
def test_times_are_seconds_or_clock_times(said: str, start_s: float | None, end_s: float | None) -> None:
    assert cut(f"a/film.mp4#t={said}") == (Path("a/film.mp4"), (said, start_s, end_s))


@pytest.mark.parametrize("said", ["", ",", "npt:", "a,b", "1,2,3", "-1,2", "1:75", "1;2", "10s"])
def test_what_is_no_stretch_is_told_in_a_sentence(said: str) -> None:
    with pytest.raises(VideoError, match="from and to; write #t=60,70"):
        read_video(f"film.mp4#t={said}")


def test_a_file_that_is_called_so_is_that_file(tmp_path: Path) -> None:
    assert cut("film.mp4") == (Path("film.mp4"), None) and cut(tmp_path / "t=3") == (tmp_path / "t=3", None)
    odd = tmp_path / "film#t=1,2"
    odd.write_bytes(b"x")
    assert cut(odd) == (odd, None)


def test_the_frames_are_those_of_the_stretch(film) -> None:
    path = film("h264").path
    named, asked = read_video(f"{path}#t=0:02,6", 4), read_video(path, 4, start_s=2.0, end_s=6.0)
    assert named.name == f"{path.name}#t=0:02,6" and named.duration_s == asked.duration_s == 4
    assert named.times_s == asked.times_s
    assert np.array_equal(named.sample(named.times_s, 48), asked.sample(asked.times_s, 48))
    with pytest.raises(ConfigError, match="leave start_s and end_s out"):
        read_video(f"{path}#t=2,6", start_s=1.0)
    with pytest.raises(VideoError, match="no stretch from 2 to 60 s"):
        read_video(Path(f"{path}#t=2,60"))
    with pytest.raises(VideoError, match="there is no such file"):
        read_video("nowhere.mp4#t=2,6")


def test_stretches_of_one_file_are_items_of_their_own(film, tmp_path: Path) -> None:
    path = film("h264").path
    table = tmp_path / "clips.csv"
    table.write_text(f'path,text\n"{path}#t=0,2",a\n"{path}#t=2,6",b\n')
    for found in (items([f"{path}#t=0,2", f"{path}#t=2,6"]), items(str(table))):
        assert [item.open().duration_s for item in found] == [2, 4]
        assert len({item.id for item in found}) == 2 and all("#t=" in item.id for item in found)
