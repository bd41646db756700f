"""The right frame at every time: whatever the container, the codec, the order, the size and the backend."""

import io
import pickle

import av
import films
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vtexplore.data.quick import available, decode_quickly
from vtexplore.data.video import read_video
from vtexplore.errors import ConfigError, VideoError

NAMES = [name for name, kind in films.KINDS.items() if films.has_encoder(kind.codec)]


def numbers(frames):
    return [films.number_of(f) for f in frames]


def middles(film, rows):
    """Times inside the frames of those numbers: nobody argues about them."""
    ends = np.append(film.starts_s[1:], film.starts_s[-1] + float(film.kind.tick))
    return [(film.starts_s[r] + ends[r]) / 2 for r in rows]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("backend", ["auto", "pyav"])
def test_every_frame_is_found_at_its_time(film, name, backend):
    made = film(name)
    clip = read_video(made.path, backend=backend)
    everything = range(made.kind.count)
    assert numbers(clip.sample(middles(made, everything), 60)) == list(everything)
    # Its first moment belongs to a frame, and so does every moment up to the next one.
    assert numbers(clip.sample(list(made.starts_s), 60)) == list(everything)
    assert clip.fps == pytest.approx(made.kind.count / clip.duration_s, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15)
@given(data=st.data())
def test_random_times_in_any_order(film, name, data):
    made = film(name)
    clip = read_video(made.path, backend=data.draw(st.sampled_from(["auto", "pyav", "decord"])))
    rows = data.draw(st.lists(st.integers(0, made.kind.count - 1), min_size=1, max_size=6))
    at = data.draw(st.lists(st.floats(0.02, 0.9), min_size=len(rows), max_size=len(rows)))
    ends = np.append(made.starts_s[1:], clip.duration_s)
    times = [made.starts_s[r] + a * (ends[r] - made.starts_s[r]) for r, a in zip(rows, at, strict=True)]
    for _ in range(2):  # the second time from what was kept
        assert numbers(clip.sample(times, 48)) == [made.number_at(t) for t in times] == rows


@pytest.mark.skipif(available() is None, reason="decord is not built for this platform")
@pytest.mark.parametrize("name", ["h264", "h264-varied", "h264-varied-mkv", "h264-ntsc", "odd", "vp9"])
def test_decord_gives_the_same_frames_where_it_is_asked(film, name):
    made = film(name)
    source = read_video(made.path).source
    assert source._quickly()
    layout, rng = source.opening.layout, np.random.default_rng(0)
    for _ in range(5):
        rows = rng.permutation(made.kind.count)[:7]
        ticks = [int(layout.ticks[r]) for r in rows]
        got = decode_quickly(made.path, layout, ticks, 48)
        assert [films.number_of(got[t]) for t in ticks] == rows.tolist()
    times = middles(made, range(0, made.kind.count, 7))
    both = [read_video(made.path, backend=b).sample(times).astype(int) for b in ("decord", "pyav")]
    assert np.abs(both[0] - both[1]).mean() < 1


@pytest.mark.parametrize("name", ["mpeg4-avi", "gif", "av1", "vp8", "h264-transport", "h264-open"])
def test_decord_is_not_asked_where_it_is_not_safe(film, name):
    if films.has_encoder(films.KINDS[name].codec):
        assert not read_video(film(name).path).source._quickly()


def test_whatever_decord_says_pyav_decides(film, monkeypatch):
    def broken(*_):
        raise RuntimeError("decord is tired")

    monkeypatch.setattr("vtexplore.data.video.decode_quickly", broken)
    clip = read_video(film("h264").path, backend="decord")
    assert numbers(clip.sample([1.0], 48)) == [25]


# ── size, aspect, orientation ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["h264", "odd", "vp9"])
@pytest.mark.parametrize("short", [None, 1, 17, 61, 224])
@pytest.mark.parametrize("backend", ["pyav", "auto"])
def test_size_is_as_asked_and_aspect_true(film, name, short, backend):
    made = film(name)
    width, height = made.kind.size
    got = read_video(made.path, backend=backend).sample([0.0, 0.4], short)
    if short is None:
        assert got.shape == (2, height, width, 3)
    else:
        assert got.shape == (2, short, round(width * short / height), 3)
    assert got.dtype == np.uint8


def test_colours_are_true(tmp_path):
    red = np.zeros((64, 64, 3), np.uint8) + np.array([210, 40, 30], np.uint8)
    films.encode(tmp_path / "red.mp4", films.KINDS["h264"], [np.resize(red, (72, 96, 3))] * 5, list(range(5)))
    for backend in ("pyav", "auto"):
        mean = read_video(tmp_path / "red.mp4", backend=backend).frames(32).mean((0, 1, 2))
        assert np.abs(mean - [210, 40, 30]).max() < 4


# What a player does with a matrix [[a, b], [c, d]]: the point (x, y) goes to (ax + cy, bx + dy).
TURNS = {
    (1, 0, 0, 1): lambda f: f,
    (0, 1, -1, 0): lambda f: np.rot90(f, -1),
    (-1, 0, 0, -1): lambda f: np.rot90(f, 2),
    (0, -1, 1, 0): lambda f: np.rot90(f, 1),
    (-1, 0, 0, 1): lambda f: f[:, ::-1],
    (1, 0, 0, -1): lambda f: f[::-1],
    (0, 1, 1, 0): lambda f: f.transpose(1, 0, 2),
}


@pytest.mark.parametrize("matrix", TURNS)
def test_rotation_and_mirroring_are_honoured(film, tmp_path, matrix):
    plain = read_video(film("h264").path).sample([2.0])[0]
    path = tmp_path / "turned.mp4"
    path.write_bytes(film("h264").path.read_bytes())
    films.turn(path, matrix)
    clip = read_video(path)
    got = clip.sample([2.0])[0]
    assert got.shape == TURNS[matrix](plain).shape
    assert np.abs(got.astype(int) - TURNS[matrix](plain)).max() <= 2
    assert min(clip.sample([2.0], 40).shape[1:3]) == 40


def test_pixels_that_are_not_square_are_made_square(tmp_path):
    kind = films.Kind("wide.mp4", "libx264", 10, options=(*films.X264, ("aspect", "2")))
    frames = [films.coded(i, *kind.size) for i in range(10)]
    with av.open(str(tmp_path / "wide.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options=dict(films.X264))
        stream.width, stream.height, stream.pix_fmt = 96, 72, "yuv420p"
        stream.codec_context.sample_aspect_ratio = films.Fraction(3, 2)
        for i, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = i, films.Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    got = read_video(tmp_path / "wide.mp4").sample([0.1, 0.2])
    assert got.shape == (2, 72, 144, 3)
    assert numbers(got) == [2, 5]


# ── stretches, sound, what is shown ───────────────────────────────────────────────────────────────


def test_a_stretch_has_times_of_its_own(film):
    clip = read_video(film("h264").path, 4, start_s=2.0, end_s=6.0)
    assert clip.duration_s == 4.0
    assert clip.times_s == (0.5, 1.5, 2.5, 3.5)
    assert numbers(clip.frames(48)) == [62, 87, 112, 137]
    for wrong in ({"start_s": -1}, {"start_s": 12.5}, {"end_s": 20}, {"start_s": 3, "end_s": 3}):
        with pytest.raises(VideoError, match=r"h264.mp4: it lasts 12.00 s"):
            read_video(film("h264").path, **wrong)
    assert read_video(film("h264").path, end_s=12.3).duration_s == 12.0


def test_sound_is_16_khz_mono_and_in_time(tmp_path):
    kind = films.KINDS["h264"]
    path = tmp_path / "tone.mp4"
    films.encode(path, kind, [films.coded(i, *kind.size) for i in range(100)], list(range(100)), sound_hz=440)
    clip = read_video(path)
    wave = clip.waveform()
    assert wave.dtype == np.float32
    assert len(wave) == pytest.approx(16000 * clip.duration_s, abs=1)
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.05)
    part = clip.waveform(1.25, 2.5)
    assert len(part) == 20000
    # Also in phase, to half a sample: 440 Hz turns in 36 of them.
    assert np.abs(part - wave[20000:40000]).max() < 0.05
    assert np.argmax(np.abs(np.fft.rfft(part))) / 1.25 == pytest.approx(440, abs=2)
    stretch = read_video(path, start_s=1.0, end_s=3.0)
    assert np.abs(stretch.waveform(0.25, 1.5) - part).max() < 0.05
    with pytest.raises(VideoError, match="no sound from 2 to 1 s"):
        clip.waveform(2, 1)


def test_no_sound_is_none(film):
    assert read_video(film("h264").path).waveform() is None


def test_shown_frames_are_middles_and_never_more_than_there_are(film):
    assert read_video(film("h264").path).times_s == pytest.approx([12 * (i + 0.5) / 8 for i in range(8)])
    assert len(read_video(film("gif").path, 99).times_s) == 30


def test_times_outside_the_clip_are_refused(film):
    clip = read_video(film("h264").path)
    assert numbers(clip.sample([12.0], 48)) == [299]
    for wrong in (-0.1, 12.1, float("nan")):
        with pytest.raises(VideoError, match="no frame at"):
            clip.sample([wrong], 48)
    with pytest.raises(VideoError, match="cannot be 0 pixels"):
        clip.sample([0.0], 0)
    assert clip.sample([], 48).shape == (0, 48, 64, 3)


def test_decoded_frames_are_kept(film, monkeypatch):
    clip = read_video(film("h264").path)
    first = clip.sample([1.0, 2.0], 48)

    def never(*_):
        raise AssertionError("decoded again")

    monkeypatch.setattr(type(clip.source), "_decode", never)
    assert (clip.sample([2.0, 1.0, 1.01], 48)[[1, 0]] == first).all()
    with pytest.raises(AssertionError):
        clip.sample([1.0], 50)


def test_a_clip_travels_to_another_process(film):
    clip = read_video(film("h264").path)
    wanted = clip.frames(48)
    assert (pickle.loads(pickle.dumps(clip)).frames(48) == wanted).all()


# ── other sources ─────────────────────────────────────────────────────────────────────────────────


def test_bytes_and_file_objects(film):
    path = film("h264").path
    wanted = read_video(path, backend="pyav").frames(48)
    data = path.read_bytes()
    with open(path, "rb") as file:
        for given_ in (data, io.BytesIO(data), file):
            assert (read_video(given_, backend="pyav").frames(48) == wanted).all()
    with open(path, encoding="latin-1") as file, pytest.raises(VideoError, match="'rb'"):
        read_video(io.StringIO("abc"))


def test_arrays_are_shown_at_their_rate():
    array = np.stack([films.coded(i, 40, 30) for i in range(10)])
    clip = read_video(array, fps=5)
    assert (clip.duration_s, clip.fps, len(clip.times_s)) == (2.0, 5.0, 8)
    assert numbers(clip.sample([0, 0.19, 0.2, 1.99, 2.0])) == [0, 0, 1, 9, 9]
    assert clip.sample([0.0], 60).shape == (1, 60, 80, 3)
    assert clip.waveform() is None
    floats = read_video(array / np.float32(255), fps=5)
    assert (floats.sample([0.5]) == clip.sample([0.5])).all()


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 3, 20, 20), np.uint8), "colours in front"),
        (np.zeros((4, 20, 20, 4), np.uint8), r"not \[4, 20, 20, 4\]"),
        (np.zeros((0, 20, 20, 3), np.uint8), r"not \[0, 20, 20, 3\]"),
        (np.zeros((4, 20, 20, 3), np.int64), "not int64"),
        (np.full((4, 20, 20, 3), 255.0), r"in 255..255"),
        (np.full((4, 20, 20, 3), np.nan), r"in nan..nan"),
        ([], "empty"),
        ([np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4, 3), np.uint8)], "one size"),
    ],
)
def test_arrays_that_are_no_clip(array, reason):
    with pytest.raises(VideoError, match=reason):
        read_video(array, fps=5)


def test_pictures(tmp_path):
    pictures = [Image.fromarray(films.coded(i, 40, 30)) for i in range(3)]
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for picture, path in zip(pictures, paths, strict=True):
        picture.save(path)
    for given_ in (pictures, paths, [pictures[0], str(paths[1]), np.asarray(pictures[2])]):
        assert numbers(read_video(given_, fps=2).frames()) == [0, 1, 2]
    with pytest.raises(VideoError, match="fps="):
        read_video(pictures)
    one = read_video(paths[2])
    assert (one.name, one.duration_s, one.times_s) == ("2.png", 1.0, (0.5,))
    assert numbers(one.sample([0, 0.3, 1.0])) == [2, 2, 2]
    assert numbers(read_video(pictures[1]).frames()) == [1]
    assert numbers(read_video(paths[1].read_bytes()).frames()) == [1]
    assert numbers(read_video(films.coded(7, 40, 30)).frames()) == [7]


def test_a_photo_taken_sideways_stands_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(films.coded(5, 40, 30)).save(tmp_path / "photo.jpg", exif=exif, quality=95)
    assert read_video(tmp_path / "photo.jpg").frames().shape == (1, 40, 30, 3)


def test_settings_that_make_no_sense(film):
    for wrong in ({"frames": 0}, {"backend": "magic"}, {"fps": 5.0}):
        with pytest.raises(ConfigError):
            read_video(film("h264").path, **wrong)
    with pytest.raises(VideoError, match="fps=0"):
        read_video(np.zeros((2, 4, 4, 3), np.uint8), fps=0)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "mpeg2"])  # its stamps after a seek are guesses
def test_a_long_film_of_any_kind_is_exact_without_reading_it_through(film, name, monkeypatch):
    monkeypatch.setattr("vtexplore.data.opening._is_short", lambda *_: False)
    made = film(name)
    clip = read_video(made.path)
    assert clip.source.opening.layout.ticks is None
    assert clip.duration_s == pytest.approx(read_video(made.path, backend="pyav").duration_s, abs=0.3)
    rng = np.random.default_rng(0)
    for _ in range(4):
        rows = rng.permutation(made.kind.count - 1)[:5].tolist()
        assert numbers(clip.sample(middles(made, rows), 48)) == rows
