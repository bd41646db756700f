"""The README's film of the explorer: driven in a real browser with a real model behind it, nothing staged.

    python benchmarks/explorer_film.py                 writes assets/explorer.gif in a minute; needs Chromium
    python benchmarks/explorer_film.py --stills DIR    its frames as pictures, too

The pointer and the line on top, which says what is being done, are drawn by this script; all else is the explorer.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

FILM = ROOT / "assets" / "explorer.gif"
WIDTH, HEIGHT, SHOWN = 1000, 880, 760  # px of the browser, and the film's width
STEP_MS, LOOK_MS, READ_MS = 60, 1100, 2400
COLOURS = 256  # of the film's palette

STAGE = """
const line = document.createElement("p");
line.id = "told";
line.style.cssText = "margin:0;padding:9px 14px;font:600 19px/26px system-ui,sans-serif;background:#1a1a1a;color:#fff";
document.body.style.margin = "0";
document.body.prepend(line);
const hand = document.createElementNS("http://www.w3.org/2000/svg", "svg");
hand.id = "hand";
hand.setAttribute("viewBox", "0 0 12 19");
hand.style.cssText = "position:fixed;width:20px;height:32px;pointer-events:none;z-index:9;left:0;top:0";
hand.innerHTML = '<path d="M1 1v14l3.4-3.2 2.4 5.6 2.2-1-2.4-5.4H11z" fill="#fff" stroke="#000" stroke-width="1.2"/>';
document.body.append(hand);
"""

POINT = "([x, y]) => (document.getElementById('hand').style.translate = `${x}px ${y}px`)"


@dataclass
class Stage:
    """A page, a pointer that moves over it, and the pictures taken so far, each with the time it is shown."""

    page: Any
    at: tuple[float, float] = (520.0, 330.0)
    taken: list[tuple[Image.Image, int]] = field(default_factory=list)

    def say(self, told: str) -> None:
        """The line on top."""
        self.page.evaluate("told => (document.getElementById('told').textContent = told)", told)

    def take(self, shown_ms: int) -> None:
        """A picture of the page as it is; what is the same as before is shown longer instead."""
        picture = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        picture = picture.resize((SHOWN, round(picture.height * SHOWN / picture.width)), Image.Resampling.LANCZOS)
        if self.taken and self.taken[-1][0].tobytes() == picture.tobytes():
            self.taken[-1] = (picture, self.taken[-1][1] + shown_ms)
        else:
            self.taken.append((picture, shown_ms))

    def go(self, to: Any, steps: int = 4) -> None:
        """Move the pointer to the middle of an element."""
        box = to.bounding_box()
        end = (box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.6)
        start = self.at
        for i in range(1, steps + 1):
            share = (i / steps) ** 0.6  # slower at the end, as hands are
            self.at = tuple(a + (b - a) * share for a, b in zip(start, end, strict=True))
            self.page.mouse.move(*self.at)
            self.page.evaluate(POINT, self.at)
            if i < steps:
                self.take(STEP_MS)


def play(stage: Stage) -> None:
    """What is done in the film."""
    page = stage.page
    words, status = page.locator(".vtx-word"), page.locator(".vtx-status")
    choice = page.get_by_label("layer or method").first

    def answered() -> None:
        page.wait_for_function("!document.querySelector('.vtx-status').textContent")
        assert not status.inner_text()
        page.wait_for_timeout(150)

    stage.say("What does each word look at?")
    stage.take(LOOK_MS)
    for word in ("circle", "left"):
        stage.go(words.filter(has_text=word))
        stage.take(LOOK_MS)
    stage.go(words.filter(has_text="red"))
    words.filter(has_text="red").click()
    stage.say("Every layer, every head: how much is on the thing?")
    stage.go(page.locator(".vtx-head").nth(9))
    page.mouse.click(*stage.at)
    stage.take(READ_MS)
    stage.say("Why does it say so? Gradients and other methods, when asked for")
    stage.go(choice)
    choice.select_option("method gradient × input")
    answered()
    stage.take(READ_MS)
    stage.say("Hide a word: what fits, with the film and without it?")
    choice.select_option("1")
    stage.go(words.filter(has_text="left"))
    page.mouse.dblclick(*stage.at)
    page.locator(".vtx-predictions table").wait_for()
    answered()
    stage.take(READ_MS)
    stage.say("The same frames backwards: 'left' becomes 'right'")
    stage.go(page.get_by_role("button", name="reverse"))
    page.mouse.click(*stage.at)
    page.wait_for_function("document.querySelector('.vtx-score').textContent.startsWith('backwards')")
    answered()
    stage.take(READ_MS + LOOK_MS)


def pictures() -> list[tuple[Image.Image, int]]:
    """The film's pictures and how long each is shown, in ms."""
    from live_page import FLAGS, HARNESS, Python
    from playwright.sync_api import sync_playwright

    from vtexplore.registry import load
    from vtexplore.widgets._joined import SCRIPT, STYLE
    from vtexplore.widgets.bench import Bench
    from vtexplore.world.video_file import example_scene, plain_caption

    scene = example_scene("red_circle_slides_left")
    bench = Bench(load("violet"), scene.clip(), plain_caption(scene))
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.expose_function("python", Python(bench))
        (Path(folder) / "live.html").write_text(HARNESS % (STYLE, SCRIPT), "utf-8")
        page.goto((Path(folder) / "live.html").as_uri())
        page.wait_for_function("window.ready")
        page.evaluate(STAGE)
        page.wait_for_timeout(500)
        stage = Stage(page)
        page.evaluate(POINT, stage.at)
        play(stage)
        browser.close()
    return stage.taken


def reduced(taken: list[tuple[Image.Image, int]]) -> Iterator[Image.Image]:
    """Each picture in one palette for all, without dithering, so that what stays the same costs nothing."""
    bins = np.concatenate([np.asarray(picture).reshape(-1, 3) // 4 for picture, _ in taken])
    found, counts = np.unique(bins, axis=0, return_counts=True)
    drawn = np.repeat(found * 4 + 2, np.ceil(counts**0.35).astype(int), axis=0)  # rare colours count, too
    palette = Image.fromarray(drawn[None].astype(np.uint8)).quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=1)
    for picture, _ in taken:
        yield picture.quantize(palette=palette, dither=Image.Dither.NONE)


def main() -> None:
    """Make the film."""
    from vtexplore.files import writing

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--stills", type=Path, help="a folder for its frames")
    given = parser.parse_args()
    taken = pictures()
    first, *rest = list(reduced(taken))
    if given.stills:
        given.stills.mkdir(parents=True, exist_ok=True)
        for i, picture in enumerate([first, *rest]):
            picture.save(given.stills / f"{i:02d}.png")
    shown_ms = [ms for _, ms in taken]
    with writing(FILM) as partial:
        first.save(partial, "GIF", save_all=True, append_images=rest, duration=shown_ms, loop=0, optimize=True)
    told = f"{len(taken)} pictures, {sum(shown_ms) / 1000:.1f} s, {FILM.stat().st_size / 1e6:.2f} MB"
    print(f"{FILM.relative_to(ROOT)}: {told}")


if __name__ == "__main__":
    main()
