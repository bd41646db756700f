"""How quick is the explorer? From a real browser's own trace: start of the event's handler to the end of the paint.

    python benchmarks/explorer.py                     a table; a minute or two; needs Chromium and Playwright
    python benchmarks/explorer.py --json > out.json   the same as one JSON document
    python benchmarks/explorer.py --smoke             a few events, in seconds: does it run at all?

Three things are timed on a page of 12 layers of 12 heads, 40 words and 256 patches (random numbers): hovering over a
word (its heat is painted on all frames, the clip and the word), choosing another layer and head (the same, and all 144
small pictures), and dragging a frame until the new score is painted (with a miniature, on one thread of the CPU).
The page's size is that of ``save_html`` for the same record; its frames are those of a clip of the world.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

LAYERS, HEADS, WORDS, FRAMES, SIDE = 12, 12, 40, 4, 8
LIMITS = {"hover": 16, "layer and head": 30, "drag to score": 150}  # ms
PAGE_MB = 4


def synthetic() -> Any:
    """A bench of the size of a published model's record, without the model."""
    from vtexplore.probes.attend import AttendResult, Look
    from vtexplore.types import Output, Tokens
    from vtexplore.widgets._asked import Maps
    from vtexplore.widgets.bench import Bench
    from vtexplore.world import sample_scene

    rng = np.random.default_rng(0)
    clip = sample_scene(0).clip()
    times = clip.interior_times(FRAMES)
    edge = np.arange(SIDE) / SIDE
    box = np.array([[x, y, x + 1 / SIDE, y + 1 / SIDE] for _ in range(FRAMES) for y in edge for x in edge])
    span = np.repeat([[t, t] for t in times], SIDE * SIDE, axis=0)
    tokens = Tokens.make(["patch"] * len(box), [{"video"}] * len(box), box, span)
    shape = (HEADS, WORDS, len(box))
    looks = [Look(f"layers.{i}", (rng.random(shape) ** 4 / len(box)).astype(np.float32), tokens) for i in range(LAYERS)]
    frames = clip.sample(times, 160)
    film_times = (np.arange(16) + 0.5) * clip.duration_s / 16
    bench = Bench.__new__(Bench)
    bench.model, bench.clip, bench.show, bench.looks = None, clip, ("heads", "player"), looks
    bench.result = AttendResult(
        text=" ".join(["word"] * WORDS), words=tuple(f"word{i}" for i in range(WORDS)), looks=tuple(looks),
        site="layers.5", head=0, method="raw", why="", clip=clip.name, times_s=np.array(times), frames=frames,
        film=clip.sample(film_times.tolist(), 160), film_times_s=film_times, objects=(), named=((),) * WORDS,
        happens_s=np.full((WORDS, 2), np.nan), masks=None, about={"model": "random numbers"}, notes=(),
    )  # fmt: skip
    bench.output = Output()
    bench.maps = Maps(None, clip, bench.result.text, (FRAMES, SIDE, SIDE), bench.output, ())
    return bench


def handled(trace: bytes, kinds: set[str]) -> list[float]:
    """From the start of each handler of such events to the end of the next paint on its thread, in ms."""
    events = sorted((e for e in json.loads(trace)["traceEvents"] if "ts" in e), key=lambda e: e["ts"])
    starts = [e for e in events if e["name"] == "EventDispatch" and e["args"].get("data", {}).get("type") in kinds]
    ends = [e for e in events if e["name"] == "Commit" and "dur" in e]  # the main thread hands the picture on
    out = []
    for start in starts:
        mine = (e["ts"] + e["dur"] for e in ends if e["ts"] >= start["ts"] and e["tid"] == start["tid"])
        if (end := next(mine, None)) is not None:
            out.append((end - start["ts"]) / 1000)
    return out


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON document")
    parser.add_argument("--smoke", action="store_true", help="a few events")
    given = parser.parse_args()
    found = measure(6 if given.smoke else 60)
    if given.json:
        print(json.dumps(found, indent=1))
        return
    for name, row in found["ms"].items():
        print(f"{name:16} median {row['median']:6.1f} ms, 90 % below {row['p90']:6.1f} ms (limit {LIMITS[name]} ms)")
    print(f"{'page':16} {found['page_MB']:.2f} MB (limit {PAGE_MB} MB)")


def measure(count: int) -> dict[str, Any]:
    """``count`` events of each kind; times in ms."""
    import torch
    from live_page import FLAGS, HARNESS, Python
    from playwright.sync_api import sync_playwright

    from vtexplore.registry import load
    from vtexplore.widgets._joined import SCRIPT, STYLE
    from vtexplore.widgets.bench import Bench
    from vtexplore.widgets.page import page as write
    from vtexplore.world.video_file import example_scene, plain_caption

    torch.set_num_threads(1)  # of two, one waits for the other whenever the machine is busy
    ms: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        where = write([synthetic()], Path(folder) / "page.html")
        page.goto(where.as_uri())
        page.locator(".vtx-bench").wait_for()
        page.wait_for_timeout(1000)

        def traced(act: Any, kinds: set[str]) -> list[float]:
            browser.start_tracing(page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline"])
            for i in range(count):
                act(i)
                page.wait_for_timeout(60)
            return handled(browser.stop_tracing(), kinds)

        words, heads = page.locator(".vtx-word"), page.locator(".vtx-head")
        ms["hover"] = traced(lambda i: words.nth(i % WORDS).hover(), {"pointerenter", "pointerover"})
        ms["layer and head"] = traced(lambda i: heads.nth(7 * i % 144).click(), {"click"})

        scene = example_scene("red_circle_slides_left")
        bench = Bench(load("violet"), scene.clip(), plain_caption(scene))
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.expose_function("python", Python(bench))
        (Path(folder) / "live.html").write_text(HARNESS % (STYLE, SCRIPT), "utf-8")
        page.goto((Path(folder) / "live.html").as_uri())
        page.wait_for_function("window.ready")
        ms["drag to score"] = [dropped(page) for _ in range(max(5, count // 3))]
        size = where.stat().st_size / 1e6
        browser.close()
    return {
        "machine": platform.processor() or platform.machine(),
        "ms": {
            name: {"median": round(statistics.median(t), 2), "p90": round(float(np.quantile(t, 0.9)), 2), "n": len(t)}
            for name, t in ms.items()
        },
        "page_MB": round(size, 3),
    }


def dropped(page: Any) -> float:
    """From the drop of a frame to the frame after its new score was written, in ms, by the page's own clock."""
    boxes = [page.locator(".vtx-frame").nth(i).bounding_box() for i in (0, 2)]
    page.evaluate("""() => {
      window.took = null;
      addEventListener("pointerup", () => (window.began = performance.now()), { once: true, capture: true });
      const painted = () => {
        const after = new MessageChannel();
        after.port1.onmessage = () => (window.took = performance.now() - window.began);
        after.port2.postMessage(0);
        seen.disconnect();
      };
      const seen = new MutationObserver(() => requestAnimationFrame(painted));
      seen.observe(document.querySelector(".vtx-score"), { childList: true, characterData: true, subtree: true });
    }""")
    page.mouse.move(boxes[0]["x"] + 20, boxes[0]["y"] + 20)
    page.mouse.down()
    page.mouse.move(boxes[1]["x"] + boxes[1]["width"] / 2, boxes[1]["y"] + 20, steps=3)
    page.mouse.up()
    page.wait_for_function("window.took !== null")
    took: float = page.evaluate("window.took")
    return took


if __name__ == "__main__":
    main()
