"""A picture: a matplotlib figure that can be read aloud, shows itself in a notebook, and saves itself.

pyplot is never used: no global state, no window, any thread. Sizes suit a lecture slide: a figure is 12.8
inches wide, so that at 16:9 its smallest letters (11 pt) can be read from the last row.
"""

from __future__ import annotations

import base64
import html
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from vtexplore.errors import ConfigError
from vtexplore.files import writing

WIDTH_IN = 12.8
SMALL, BODY, LARGE = 11, 13, 16  # points
INK, FAINT = "#1a1a1a", "#5c5c5c"
CLIP_COLOUR, NULL_COLOURS = "#0072b2", ("#b8b8b8", "#e0b04c", "#8f8f8f")  # Okabe & Ito; told apart in grey too
OUTLINE, MARK = "#ffffff", "#e69f00"
ENDINGS = (".png", ".svg", ".gif", ".mp4")

Movie = Callable[[], Iterator[tuple[Figure, float]]]
"""Figures, each with the seconds for which it is shown."""

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": BODY,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "vtexplore",
}


class Picture(Figure):
    """A figure with ``alt``, which states what it shows, and if it can move, ``movie``."""

    def __init__(self, width_in: float = WIDTH_IN, height_in: float = 4.0, **other: Any) -> None:
        super().__init__(figsize=(width_in, height_in), facecolor="white", **other)
        FigureCanvasAgg(self)
        self.alt = ""
        self.movie: Movie | None = None

    def save(self, path: str | os.PathLike[str], dpi: int = 150) -> Path:
        """Write .png, .svg, .gif or .mp4, whole or not at all; returns the path.

        A picture that cannot move becomes a film of one frame. Raises ``ConfigError`` for other endings.
        """
        target = Path(path)
        ending = target.suffix.lower()
        if ending not in ENDINGS:
            raise ConfigError(f"A picture is saved as {', '.join(ENDINGS)}, not as {target.name!r}.")
        with writing(target) as partial, matplotlib.rc_context(STYLE):
            if ending in (".gif", ".mp4"):
                _save_film(self, partial, ending, dpi)
            else:
                about = {"Description": self.alt, "Date": None} if ending == ".svg" else {"Description": self.alt}
                self.savefig(partial, dpi=dpi, format=ending[1:], metadata=about)
        return target

    def png(self, dpi: int = 100) -> bytes:
        """The picture as the bytes of a PNG file."""
        out = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            self.savefig(out, format="png", dpi=dpi, metadata={"Description": self.alt})
        return out.getvalue()

    def pixels(self, dpi: int = 100) -> np.ndarray:
        """uint8 [height, width, rgb]."""
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(self.png(dpi))).convert("RGB"))

    def small_png(self, dpi: int = 80, colours: int = 255) -> bytes:
        """The picture as a PNG of few colours, a third of the size: what a notebook stores."""
        from PIL import Image

        # Maximum coverage keeps colours that few pixels have: the ends of a scale, a thin outline.
        how = Image.Quantize.MAXCOVERAGE
        few = Image.fromarray(self.pixels(dpi)).quantize(colours, method=how, kmeans=3, dither=Image.Dither.NONE)
        out = io.BytesIO()
        few.save(out, format="PNG", optimize=True)
        return out.getvalue()

    def html(self) -> str:
        """An ``img`` element that holds the picture and its text."""
        data = base64.b64encode(self.small_png()).decode()
        alt = html.escape(self.alt, quote=True)
        return f'<img style="max-width:100%" alt="{alt}" src="data:image/png;base64,{data}">'

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """What a notebook shows: the picture once, and its text for those who cannot see it."""
        data = base64.b64encode(self.small_png()).decode()
        return {"image/png": data, "text/plain": self.alt}, {"image/png": {"alt": self.alt}}


def styled(draw: Callable[..., Picture]) -> Callable[..., Picture]:
    """Draw with the house's fonts and colours, and leave matplotlib's settings as they were."""
    from functools import wraps

    @wraps(draw)
    def inner(*args: Any, **options: Any) -> Picture:
        with matplotlib.rc_context(STYLE):
            return draw(*args, **options)

    return inner


def bare(axes: Any) -> Any:
    """Axes without ticks and frame."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def source_line(figure: Picture, text: str) -> None:
    """The line at the foot that says where a picture comes from."""
    figure.text(0.5, 0.012, text, ha="center", va="bottom", fontsize=SMALL, color=FAINT)


def origin(about: dict[str, Any], *parts: str) -> str:
    """ "toy (mini, weights 1a2b3c4d) · …": model, size and hash, then what else must be said.

    A clip from another world than the model's is told first.
    """
    inner = [str(about["size"])] if about.get("size") else []
    inner += [f"weights {about['weights'][:8]}"] if about.get("weights") else []
    model = str(about["model"]) + (f" ({', '.join(inner)})" if inner else "")
    elsewhere = ["this clip is NOT from the model's world"] if about.get("foreign") else []
    return " · ".join([*elsewhere, model, *(part for part in parts if part)])


def _save_film(picture: Picture, path: Path, ending: str, dpi: int) -> None:
    stills = picture.movie() if picture.movie is not None else iter([(picture, 2.0)])
    shown = [(_render(figure, dpi), seconds) for figure, seconds in stills]
    if ending == ".gif":
        _gif(path, shown, picture.alt)
    else:
        _mp4(path, shown)


def _render(figure: Figure, dpi: int) -> np.ndarray:
    """uint8 [height, width, rgb] with even sides, as video wants them."""
    figure.set_dpi(dpi)
    canvas = figure.canvas if isinstance(figure.canvas, FigureCanvasAgg) else FigureCanvasAgg(figure)
    canvas.draw()
    rgb = np.asarray(canvas.buffer_rgba())[..., :3]
    return np.ascontiguousarray(rgb[: rgb.shape[0] // 2 * 2, : rgb.shape[1] // 2 * 2])


def _gif(path: Path, shown: list[tuple[np.ndarray, float]], alt: str) -> None:
    from PIL import Image

    images = [Image.fromarray(pixels) for pixels, _ in shown]
    palette = Image.fromarray(np.concatenate([pixels for pixels, _ in shown[:: max(1, len(shown) // 4)]]))
    palette = palette.quantize(255)  # one palette for all, so that colours do not flicker
    still = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    times_ms = [round(1000 * seconds) for _, seconds in shown]
    still[0].save(
        path,
        format="GIF",
        save_all=True,
        append_images=still[1:],
        duration=times_ms,
        loop=0,
        comment=alt.encode()[:255],
    )


def _mp4(path: Path, shown: list[tuple[np.ndarray, float]], fps: int = 24) -> None:
    """H.264 that every browser plays."""
    import av

    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "18", "preset": "medium"})
        stream.height, stream.width = shown[0][0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for pixels, seconds in shown:
            for _ in range(max(1, round(seconds * fps))):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
