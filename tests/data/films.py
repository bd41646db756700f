"""Small films that PyAV encodes: bright and dark blocks in each frame spell its number in binary."""

import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COLUMNS, ROWS = 4, 3


def coded(number: int, width: int, height: int) -> np.ndarray:
    """uint8 [height, width, rgb]: 12 blocks, bright where the number's bit is set."""
    bits = [(number >> i) & 1 for i in range(COLUMNS * ROWS)]
    small = np.array(bits, dtype=np.uint8).reshape(ROWS, COLUMNS) * 180 + 40
    rows = np.arange(height) * ROWS // height
    columns = np.arange(width) * COLUMNS // width
    return np.repeat(small[rows][:, columns, None], 3, axis=2)


def number_of(frame: np.ndarray) -> int:
    """The number that a frame spells; −1 if a block is neither bright nor dark."""
    height, width = frame.shape[:2]
    number = 0
    for i in range(COLUMNS * ROWS):
        y, x = (i // COLUMNS + 0.5) / ROWS, (i % COLUMNS + 0.5) / COLUMNS
        value = int(frame[int(y * height), int(x * width)].mean())
        if 90 < value < 170:
            return -1
        number |= (value > 130) << i
    return number


@dataclass(frozen=True)
class Kind:
    """How a film is encoded. ``gaps`` are the ticks between frames, taken in turn."""

    file: str
    codec: str
    count: int = 60
    size: tuple[int, int] = (96, 72)
    pixels: str = "yuv420p"
    gop: int = 250
    options: tuple[tuple[str, str], ...] = ()
    gaps: tuple[int, ...] = (1,)
    tick: Fraction = Fraction(1, 25)


X264 = (("preset", "veryfast"), ("crf", "20"), ("bf", "3"), ("b-adapt", "0"))
VARIED = (40, 7, 93, 33, 33, 250)
KINDS = {
    "h264": Kind("h264.mp4", "libx264", 300, options=X264),
    "h264-open": Kind("open.mkv", "libx264", 120, gop=20, options=(*X264, ("x264-params", "open-gop=1:scenecut=0"))),
    "h264-varied": Kind("varied.mp4", "libx264", gop=25, options=X264, gaps=VARIED, tick=Fraction(1, 1000)),
    "h264-varied-mkv": Kind("v.mkv", "libx264", gop=25, options=X264, gaps=VARIED, tick=Fraction(1, 1000)),
    "h264-ntsc": Kind("ntsc.mov", "libx264", 90, gop=30, options=X264, tick=Fraction(1001, 30000)),
    "h264-transport": Kind("transport.ts", "libx264", 90, gop=30, options=X264),
    "h264-avi": Kind("h264.avi", "libx264", 60, gop=30, options=X264),
    "h264-flv": Kind("h264.flv", "libx264", 60, gop=30, options=X264),
    "h265": Kind("h265.mp4", "libx265", 60, gop=20, options=(("x265-params", "log-level=none"),)),
    "odd": Kind("odd.mp4", "libx264", 40, (97, 61), "yuv444p", options=X264),
    "mpeg4-avi": Kind("mpeg4.avi", "mpeg4", 80, gop=12, options=(("q", "2"),)),
    "mpeg4-b-avi": Kind("mpeg4b.avi", "mpeg4", 80, gop=12, options=(("bf", "2"),)),
    "mpeg4-b": Kind("mpeg4b.mp4", "mpeg4", 80, gop=12, options=(("bf", "2"),)),
    "mpeg2": Kind("mpeg2.mpg", "mpeg2video", 80, gop=12, options=(("bf", "2"),)),
    "vp9": Kind("vp9.webm", "libvpx-vp9", 60, (99, 71), options=(("deadline", "realtime"), ("cpu-used", "8"))),
    "vp8": Kind(
        "vp8.webm",
        "libvpx",
        60,
        options=(("auto-alt-ref", "1"), ("lag-in-frames", "16"), ("deadline", "good"), ("cpu-used", "4")),
    ),
    "av1": Kind("av1.mkv", "libsvtav1", 40, (128, 96), options=(("preset", "8"), ("crf", "10"))),
    "gif": Kind("moving.gif", "gif", 30, pixels="rgb8", gaps=(10, 3, 25), tick=Fraction(1, 100)),
    "mjpeg": Kind("motion.avi", "mjpeg", 30, pixels="yuvj420p", gop=1),
    "lossless": Kind("lossless.mkv", "ffv1", 30, gop=5),
}


@dataclass(frozen=True)
class Film:
    """A film on disk and when each of its frames begins, in seconds from the first."""

    path: Path
    kind: Kind
    starts_s: np.ndarray

    def number_at(self, time_s: float) -> int:
        """The frame shown at a time: the last that has begun."""
        return int(np.searchsorted(self.starts_s, time_s, side="right")) - 1


def make(folder: Path, name: str) -> Film:
    """Encode the film of that name. Raises ``ValueError`` where this PyAV lacks the encoder."""
    kind = KINDS[name]
    path = folder / kind.file
    ticks = [0]
    for i in range(kind.count - 1):
        ticks.append(ticks[-1] + kind.gaps[i % len(kind.gaps)])
    encode(path, kind, [coded(i, *kind.size) for i in range(kind.count)], ticks)
    return Film(path, kind, np.array(ticks) * float(kind.tick))


def has_encoder(codec: str) -> bool:
    """Whether this PyAV can write the codec."""
    try:
        av.Codec(codec, "w")
    except Exception:
        return False
    return True


def encode(path: Path, kind: Kind, frames: list[np.ndarray], ticks: list[int], sound_hz: int = 0) -> None:
    """Write frames at ticks; with a tone of that pitch if asked, at 44.1 kHz in stereo."""
    with av.open(str(path), "w") as container:
        rate = Fraction(1, 1) / kind.tick
        stream = container.add_stream(kind.codec, rate=rate if rate < 1000 else 25, options=dict(kind.options))
        stream.width, stream.height = kind.size
        stream.pix_fmt = kind.pixels
        stream.gop_size = kind.gop
        stream.codec_context.time_base = kind.tick
        sound = container.add_stream("aac", rate=44100) if sound_hz else None
        for picture, tick in zip(frames, ticks, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=kind.pixels)
            frame.pts, frame.time_base = tick, kind.tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
        if sound is not None:
            container.mux(_tone(sound, sound_hz, (ticks[-1] + 1) * float(kind.tick)))


def _tone(stream: av.AudioStream, pitch_hz: int, length_s: float) -> list[av.Packet]:
    packets = []
    for start in range(0, int(length_s * 44100), 1024):
        t = (start + np.arange(1024)) / 44100
        wave = np.tile((0.5 * np.sin(2 * np.pi * pitch_hz * t)).astype(np.float32), (2, 1))
        frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        packets += stream.encode(frame)
    return packets + stream.encode()


def turn(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Write a display matrix [[a, b], [c, d]] of −1, 0, 1 into the track header of an mp4 file."""
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 40
    a, b, c, d = (v << 16 for v in matrix)
    struct.pack_into(">9i", data, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def repeat(path: Path, out: Path, copies: int) -> None:
    """The film over and over without encoding again: a long file that costs nothing to make."""
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packets = [(bytes(p), p.pts, p.dts, p.is_keyframe) for p in source.demux(stream) if p.size]
        length = len(packets) * int(1 / (stream.average_rate * stream.time_base))
        with av.open(str(out), "w") as container:
            copy = container.add_stream_from_template(stream)
            for i in range(copies):
                for data, pts, dts, key in packets:
                    packet = av.Packet(data)
                    packet.stream, packet.time_base = copy, stream.time_base
                    packet.pts, packet.dts, packet.is_keyframe = pts + i * length, dts + i * length, key
                    container.mux(packet)
