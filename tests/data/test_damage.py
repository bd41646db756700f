"""Files that are no videos, or not whole: one sentence, never a crash, a hang or a wrong frame."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import films
import numpy as np
import pytest

from vtexplore.data.damage import is_text, nals_fit, shortfall
from vtexplore.data.video import read_video
from vtexplore.errors import VideoError

WHOLE = ["h264", "h264-open", "mpeg4-b-avi", "vp9", "gif", "h264-transport", "lossless", "h264-ntsc"]
WHOLE = [name for name in WHOLE if films.has_encoder(films.KINDS[name].codec)]


def one_sentence(error, name):
    """The message names the file, gives a reason and a mend, and is nobody else's."""
    text = str(error.value)
    assert name in text
    assert ";" in text
    assert text.endswith(".")
    assert "\n" not in text
    assert not re.search(r"Errno|Traceback|av\.|avcodec|DECORD|\.cc|0x", text)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return True


# ── what is no video at all ───────────────────────────────────────────────────────────────────────


def _sound_only(path):
    with films.av.open(str(path), "w") as container:
        container.mux(films._tone(container.add_stream("aac", rate=44100), 440, 1.0))


def _song_with_cover(path):
    disposition = pytest.importorskip("av.stream").Disposition
    with films.av.open(str(path), "w", format="mp4") as container:
        sound = container.add_stream("aac", rate=44100)
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = disposition.attached_pic
        picture = films.av.VideoFrame.from_ndarray(films.coded(3, 64, 48), format="rgb24")
        container.mux(cover.encode(picture.reformat(format="yuvj420p")))
        container.mux(cover.encode())
        container.mux(films._tone(sound, 440, 1.0))


BAD = {
    "empty.mp4": (lambda p: p.write_bytes(b""), "empty"),
    "text.mp4": (lambda p: p.write_text("This is no video.\n" * 50), "text, not a video"),
    "page.mp4": (lambda p: p.write_text("<!DOCTYPE html><html>…</html>"), "web page"),
    "list.m3u8": (lambda p: p.write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost:1/a.ts\n"), "text"),
    "folder.mp4": (lambda p: p.mkdir(), "folder"),
    "noise.mp4": (lambda p: p.write_bytes(np.random.default_rng(0).bytes(50_000)), "no video that can be read"),
    "zeros.mp4": (lambda p: p.write_bytes(bytes(50_000)), "no video"),
    "sound.m4a": (_sound_only, "only sound"),
    "song.m4a": (_song_with_cover, "only sound"),
    "missing.mp4": (lambda p: None, "no such file"),
    "pipe.mp4": (lambda p: os.mkfifo(p), "device or pipe"),
    "broken.png": (lambda p: p.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40)), "picture is damaged"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("partial", [False, True])
def test_what_is_no_video_gets_one_sentence(tmp_path, name, partial):
    write, reason = BAD[name]
    write(tmp_path / name)
    with pytest.raises(VideoError, match=reason) as error:
        read_video(tmp_path / name, allow_partial=partial)
    assert one_sentence(error, name)


@pytest.mark.parametrize("address", ["https://example.org/a.mp4", "rtsp://camera/1", "file:///a.mp4"])
def test_addresses_are_refused(address):
    with pytest.raises(VideoError, match="address on the net") as error:
        read_video(address)
    assert one_sentence(error, address)


def test_instructions_to_ffmpeg_are_only_names(tmp_path, film, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VideoError, match="no such file"):
        read_video("concat:a.mp4|b.mp4")
    Path("concat:a.mp4").write_bytes(film("h264").path.read_bytes())
    assert read_video("concat:a.mp4").duration_s == 12


def test_no_permission(tmp_path, film, monkeypatch):
    path = tmp_path / "secret.mp4"
    path.write_bytes(film("h264").path.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything
        import builtins

        def refuse(*_, **__):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(builtins, "open", refuse)
    with pytest.raises(VideoError, match="may not read") as error:
        read_video(path)
    monkeypatch.undo()
    assert one_sentence(error, "secret.mp4")


def test_bytes_that_are_no_video():
    for data in (b"", b"hello", np.random.default_rng(1).bytes(5000)):
        with pytest.raises(VideoError) as error:
            read_video(io.BytesIO(data))
        assert one_sentence(error, "file object")


# ── what breaks off ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", WHOLE)
def test_whole_files_lack_nothing(film, name):
    with open(film(name).path, "rb") as file:
        assert shortfall(file) is None


@pytest.mark.parametrize("name", ["h264", "h264-open", "vp9", "mpeg4-b-avi", "h264-ntsc"])
def test_every_byte_that_is_missing_is_noticed(film, name):
    data = film(name).path.read_bytes()
    for end in [*range(64, len(data), 97), *range(len(data) - 40, len(data))]:
        assert shortfall(io.BytesIO(data[:end])), end
    # What tools leave behind the last box is none of ours.
    assert shortfall(io.BytesIO(data + bytes(5))) is None


def test_the_index_moved_to_the_front_does_not_help(film, tmp_path):
    path = tmp_path / "fast.mp4"
    with (
        films.av.open(str(film("h264").path)) as source,
        films.av.open(str(path), "w", options={"movflags": "faststart"}) as out,
    ):
        copy = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = copy
                out.mux(packet)
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    path.write_bytes(data[: len(data) * 3 // 4])
    with pytest.raises(VideoError, match=r"bytes are missing at its end.*allow_partial=True") as error:
        read_video(path)
    assert one_sentence(error, "fast.mp4")
    with pytest.warns(UserWarning, match="only this much can be read"):
        clip = read_video(path, allow_partial=True)
    assert 4 < clip.duration_s < 11
    assert f"first {clip.duration_s:.2f} s" in clip.name
    rows = range(0, int(clip.duration_s * 25))
    assert [films.number_of(f) for f in clip.sample([(r + 0.5) / 25 for r in rows], 48)] == list(rows)


def test_on_the_command_line_it_is_said_before_the_command(film, tmp_path, typed):
    path = tmp_path / "cut.mkv"
    data = film("h264-open").path.read_bytes()
    path.write_bytes(data[: len(data) * 3 // 4])
    asked = ("attend", str(path), "the red circle spins", "--json")
    code, out, err = typed(*asked)
    assert code == 2 and not out and "--partial before a command" in err
    code, out, err = typed("--partial", *asked)
    assert code == 0 and json.loads(out)["clip"].startswith("cut.mkv (first ")
    assert "note: cut.mkv (first " in err and "only this much can be read" in err
    assert typed(*asked)[0] == 2
    for many in (("probe", "match", str(tmp_path)), ("recover-order", str(tmp_path)), ("retrieve", "a", str(tmp_path))):
        code, out, err = typed("--partial", *many)
        assert code == 2 and not out and "commands about one clip" in err


def test_a_head_that_promises_too_much(film, tmp_path):
    """decord waits for ever for the frames of such a file."""
    data = bytearray(film("mpeg4-avi").path.read_bytes())
    for mark, at in ((b"avih", 24), (b"strh", 40)):  # dwTotalFrames, dwLength
        start = data.index(mark) + at
        data[start : start + 4] = (500).to_bytes(4, "little")
    path = tmp_path / "boast.avi"
    path.write_bytes(data)
    with pytest.raises(VideoError, match=r"holds 3\.2 s of the 20\.0 s that it announces") as error:
        read_video(path)
    assert one_sentence(error, "boast.avi")
    with pytest.warns(UserWarning):
        clip = read_video(path, allow_partial=True)
    assert clip.duration_s == pytest.approx(3.2)


def test_a_hole_in_the_pictures(film, tmp_path):
    data = bytearray(film("h264").path.read_bytes())
    start = data.index(b"mdat") + 4
    hole = start + (data.index(b"moov") - start) * 2 // 3
    data[hole : hole + 400] = b"\xff" * 400
    path = tmp_path / "hole.mp4"
    path.write_bytes(data)
    with pytest.raises(VideoError, match=r"make no sense near \d+\.\d s") as error:
        read_video(path)
    assert one_sentence(error, "hole.mp4")
    with pytest.warns(UserWarning):
        clip = read_video(path, allow_partial=True)
    rows = range(int(clip.duration_s * 25))
    assert len(rows) > 50
    assert [films.number_of(f) for f in clip.sample([(r + 0.5) / 25 for r in rows], 48)] == list(rows)


def test_damage_that_only_decoding_finds_is_told_when_asked(film, tmp_path, monkeypatch):
    path = tmp_path / "late.mkv"
    path.write_bytes(film("lossless").path.read_bytes())
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 60] = bytes(60)
    path.write_bytes(data)
    clip = read_video(path)
    with pytest.raises(VideoError, match=r"damaged near .* s; .*allow_partial=True") as error:
        clip.sample(np.linspace(0, clip.duration_s, 60).tolist(), 48)
    assert one_sentence(error, "late.mkv")


def test_allowing_a_part_of_a_whole_file_changes_nothing(film):
    for name in WHOLE:
        whole, part = read_video(film(name).path), read_video(film(name).path, allow_partial=True)
        assert (whole.duration_s, whole.name, whole.times_s) == (part.duration_s, part.name, part.times_s)


# ── truncation and noise anywhere, in a process of its own ────────────────────────────────────────

TRY_ALL = """
import json, sys, warnings
sys.path.insert(0, sys.argv[1])
import films
from vtexplore.data.video import read_video
from vtexplore.errors import VideoError
warnings.simplefilter("ignore")
for line in sys.stdin:
    path, starts, partial = json.loads(line)
    try:
        clip = read_video(path, allow_partial=partial)
        times = [s + 1e-3 for s in starts if s + 1e-3 < clip.duration_s]
        said = [films.number_of(f) for f in clip.sample(times, 48)]
        result = [said, len(times)]
    except VideoError as error:
        result = str(error)
    print(json.dumps(result), flush=True)
"""


def try_all(cases):
    """What happens to each file: its frame numbers, or the message. A crash or a hang fails the test."""
    lines = "\n".join(json.dumps([str(p), list(map(float, s)), partial]) for p, s, partial in cases)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", TRY_ALL, str(Path(__file__).parent)],
        input=lines,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    results = [json.loads(line) for line in done.stdout.splitlines() if line[:1] in '["']
    assert len(results) == len(cases)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("partial", [False, True])
@pytest.mark.parametrize("name", [*WHOLE, "mpeg4-b", "mpeg4-avi", "vp8", "h264-flv", "mjpeg", "h265"])
def test_truncated_anywhere(film, tmp_path, name, partial):
    made = film(name)
    data = made.path.read_bytes()
    cuts = np.random.default_rng(0).integers(1, len(data), 40)
    cases = []
    for cut in cuts:
        path = tmp_path / f"{cut}{made.path.suffix}"
        path.write_bytes(data[:cut])
        cases.append((path, made.starts_s, partial))
    results = try_all(cases)
    for (path, *_), result in zip(cases, results, strict=True):
        if isinstance(result, str):
            assert path.name in result
        else:
            said, count = result
            # The last picture of a stream without lengths may be cut, and nothing in it says so.
            certain = count - 1 if name in ("h264-transport", "h264-flv") else count
            assert said[:certain] == list(range(certain)), path.name
    if partial:
        assert sum(not isinstance(r, str) for r in results) >= len(results) // 3 or name in (
            "h264",
            "h264-ntsc",
            "mpeg4-b",
            "h265",  # their index stands at the end
        )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["h264", "h264-varied", "mpeg4-avi", "vp9", "gif", "h264-transport", "h265"])
def test_noise_anywhere_neither_crashes_nor_hangs(film, tmp_path, name):
    made, rng = film(name), np.random.default_rng(0)
    cases = []
    for i in range(40):
        data = bytearray(made.path.read_bytes())
        start, length = int(rng.integers(0, len(data))), int(rng.integers(1, 200))
        data[start : start + length] = rng.bytes(min(length, len(data) - start))
        path = tmp_path / f"{i}{made.path.suffix}"
        path.write_bytes(data)
        cases.append((path, made.starts_s, bool(i % 2)))
    try_all(cases)


@pytest.mark.slow
def test_pure_noise_never_hangs(tmp_path):
    cases, rng = [], np.random.default_rng(0)
    for i, end in enumerate([".mp4", ".avi", ".mkv", ".ts", ".gif", ".mpg", ".h264", ".bin"] * 8):
        path = tmp_path / f"{i}{end}"
        path.write_bytes(rng.bytes(int(rng.integers(10, 200_000))))
        cases.append((path, [0.0], bool(i % 2)))
    results = try_all(cases)
    assert all(isinstance(r, str) for r in results)


# ── the parts ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"#EXTM3U\n", True),
        ("Käse".encode(), True),
        ("ä".encode() * 9 + b"\xc3", True),
        (b"\0\0\0 ftyp", False),
        (b"", False),
    ],
)
def test_is_text(head, text):
    assert is_text(head) is text


def test_units_of_a_packet_fill_it():
    assert nals_fit(b"\0\0\0\2ab\0\0\0\1c", 4)
    assert not nals_fit(b"\0\0\0\2ab\0\0\0\2c", 4)
    assert not nals_fit(b"\xff" * 20, 4)


@pytest.mark.parametrize("name", ["h264-open", "lossless", "vp9"])
def test_a_part_of_a_long_film_is_found_without_decoding_it_all(film, tmp_path, name, monkeypatch):
    monkeypatch.setattr("vtexplore.data.opening._is_short", lambda *_: False)
    made = film(name)
    path = tmp_path / made.path.name
    path.write_bytes(made.path.read_bytes()[: made.path.stat().st_size * 3 // 5])
    with pytest.warns(UserWarning):
        clip = read_video(path, allow_partial=True)
    starts = [t for t in made.starts_s if t + 0.01 < clip.duration_s]
    assert len(starts) > 5
    got = clip.sample([t + 0.01 for t in starts], 48)
    assert [films.number_of(f) for f in got] == list(range(len(starts)))
