"""The explorer in JupyterLab: alive it hides its picture and answers; without a kernel the picture stays."""

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import nbformat
import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CODE = """
import vtexplore
from vtexplore.world.video_file import example_scene, plain_caption
scene = example_scene("red_circle_slides_left")
bench = vtexplore.explore(vtexplore.load("violet"), scene.clip(), plain_caption(scene))
bench
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A JupyterLab in a folder with one notebook: its address and the folder."""
    folder = tmp_path_factory.mktemp("lab")
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CODE.strip())],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(book, folder / "explorer.ipynb")
    token, port_file = secrets.token_hex(16), folder / "runtime"
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(port_file), "OMP_NUM_THREADS": "1"}
    flags = ["--no-browser", "--allow-root", f"--IdentityProvider.token={token}", "--ServerApp.port_retries=50"]
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyter", "lab", *flags, f"--ServerApp.root_dir={folder}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline, address = time.monotonic() + 120, ""
        while not address:
            assert server.poll() is None and time.monotonic() < deadline, "JupyterLab did not start"
            time.sleep(0.5)
            for told in port_file.glob("jpserver-*.json"):
                url = json.loads(told.read_text())["url"]
                with suppress(URLError):  # the file is there before anybody listens
                    urlopen(f"{url}api/status?token={token}", timeout=60).read()
                    address = url
        yield f"{address}lab/tree/explorer.ipynb?token={token}&reset", folder
    finally:
        server.terminate()
        server.wait(30)


def opened(browser: Any, address: str) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(120_000)
    page.goto(address)
    page.locator(".jp-Notebook").wait_for()
    page.wait_for_timeout(1500)
    if page.locator(".jp-Dialog").count():  # which kernel?
        page.keyboard.press("Enter")
    return page


def test_alive_it_answers_and_asleep_its_picture_stays(browser: Any, lab: tuple[str, Path]) -> None:
    address, folder = lab
    page = opened(browser, address)
    page.locator(".jp-Cell .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.locator(".vtx-bench").wait_for()
    assert page.locator("[class^=vtx-still]").count() == 1
    assert not page.locator("[class^=vtx-still]").is_visible(), "the picture stands beside the live explorer"
    page.locator(".vtx-word", has_text="red").dblclick()
    page.locator(".vtx-predictions table").wait_for()
    page.get_by_role("button", name="reverse").click()
    page.wait_for_function("document.querySelector('.vtx-score').textContent.startsWith('backwards')")
    page.screenshot(path=folder / "alive.png")
    page.keyboard.press("Control+s")
    page.wait_for_timeout(3000)
    page.close()

    stored = nbformat.read(folder / "explorer.ipynb", 4)
    outputs = stored.cells[0].outputs
    assert {"image/png", "text/html"} <= set(outputs[0].data) and "<script" not in outputs[0].data["text/html"]
    assert "alt=" in outputs[0].data["text/html"]
    assert len(json.dumps(stored.metadata)) < 3000, "the widget's state was saved in the notebook"

    # Without what the kernel knew: a fresh server's page shows the picture, and no failure beside it.
    stored.metadata.pop("widgets", None)
    nbformat.write(stored, folder / "asleep.ipynb")
    page = opened(browser, address.replace("explorer.ipynb", "asleep.ipynb"))
    page.locator("[class^=vtx-still] img").wait_for()
    page.screenshot(path=folder / "asleep.png")
    assert page.locator("[class^=vtx-still]").is_visible()
    page.close()
