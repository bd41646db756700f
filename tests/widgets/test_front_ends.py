"""The explorer in JupyterLab, Notebook 7 and marimo: alive it hides its picture and answers; asleep the picture stays.

Front ends that are not installed are skipped. marimo (130 MB) is no part of the `dev` extra: pip install marimo.
"""

import importlib.util
import json
import os
import secrets
import socket
import subprocess
import sys
import textwrap
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

PATIENCE_S = 300  # of a busy machine; a quiet one needs seconds

CODE = """
import vtexplore
from vtexplore.world.video_file import example_scene, plain_caption
scene = example_scene("red_circle_slides_left")
bench = vtexplore.explore(vtexplore.load("violet"), scene.clip(), plain_caption(scene))
bench
"""


CELL = """import marimo

app = marimo.App()


@app.cell
def _():
{code}
    return
"""

PAGES = {"jupyterlab": "lab/tree/{}?token={}&reset", "notebook": "notebooks/{}?token={}"}
"""Front ends by their module, and where they open a file."""


def installed(name: str) -> None:
    """Skip a front end that is not there."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: the explorer is not tried in it.")


@pytest.fixture(scope="module", params=PAGES)
def front_end(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server in a folder with one notebook: where its pages are, and the folder."""
    name: str = request.param
    installed(name)
    folder = tmp_path_factory.mktemp(name)
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CODE.strip())],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(book, folder / "explorer.ipynb")
    token, port_file = secrets.token_hex(16), folder / "runtime"
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(port_file), "OMP_NUM_THREADS": "1"}
    flags = ["--no-browser", "--allow-root", f"--IdentityProvider.token={token}", "--ServerApp.port_retries=50"]
    server = subprocess.Popen(
        [sys.executable, "-m", name, *flags, f"--ServerApp.root_dir={folder}"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline, address = time.monotonic() + PATIENCE_S, ""
        while not address:
            assert server.poll() is None and time.monotonic() < deadline, f"{name} did not start"
            time.sleep(0.5)
            for told in port_file.glob("jpserver-*.json"):
                url = json.loads(told.read_text())["url"]
                with suppress(URLError):  # the file is there before anybody listens
                    urlopen(f"{url}api/status?token={token}", timeout=60).read()
                    address = url
        yield address + PAGES[name].format("{}", token), folder
    finally:
        server.terminate()
        server.wait(30)


def opened(browser: Any, address: str) -> Any:
    page = browser.new_page(viewport={"width": 1280, "height": 1000})
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(address)
    page.locator(".jp-Notebook").wait_for()
    page.wait_for_timeout(1500)
    if page.locator(".jp-Dialog").count():  # which kernel?
        page.keyboard.press("Enter")
    return page


def run(page: Any) -> None:
    """Run the first cell, again if it is not heard for long: keys pressed before the kernel is there may be lost."""
    prompt, pressed, deadline = page.locator(".jp-InputArea-prompt").first, float("-inf"), time.monotonic() + PATIENCE_S
    while not set(prompt.inner_text()) & set("*1"):
        assert time.monotonic() < deadline, "the cell was never run"
        if page.locator(".jp-Dialog").count():  # which kernel? asked late
            page.keyboard.press("Enter")
        elif time.monotonic() - pressed > 20:  # a kernel that is starting may hear late
            page.locator(".jp-Cell .cm-content").first.click()
            page.keyboard.press("Shift+Enter")
            pressed = time.monotonic()
        page.wait_for_timeout(500)


def asked(page: Any, folder: Path) -> None:
    """Wait until the explorer is alive; hide a word, reverse the film, and see the answers."""
    page.locator(".vtx-bench").wait_for()
    assert page.locator("[class^=vtx-still]").count() == 1
    assert not page.locator("[class^=vtx-still]").is_visible(), "the picture stands beside the live explorer"
    page.locator(".vtx-word", has_text="red").dblclick()
    page.locator(".vtx-predictions table").wait_for()
    page.get_by_role("button", name="reverse").click()
    page.locator(".vtx-score", has_text="backwards").wait_for()
    page.screenshot(path=folder / "alive.png")


def test_alive_it_answers_and_asleep_its_picture_stays(browser: Any, front_end: tuple[str, Path]) -> None:
    pages, folder = front_end
    page = opened(browser, pages.format("explorer.ipynb"))
    run(page)
    asked(page, folder)
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
    page = opened(browser, pages.format("asleep.ipynb"))
    page.locator("[class^=vtx-still] img").wait_for()
    page.screenshot(path=folder / "asleep.png")
    assert page.locator("[class^=vtx-still]").is_visible()
    page.close()


@pytest.fixture(scope="module")
def marimo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A marimo app of one cell: its address, and the folder."""
    installed("marimo")
    folder = tmp_path_factory.mktemp("marimo")
    (folder / "explorer.py").write_text(CELL.format(code=textwrap.indent(CODE.strip(), "    ")), "utf-8")
    (folder / "pyproject.toml").write_text('[tool.marimo.display]\ntheme = "system"\n', "utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ["--headless", "--no-token", "--host=127.0.0.1", f"--port={port}"]
    server = subprocess.Popen(
        [sys.executable, "-m", "marimo", "--quiet", "run", "explorer.py", *flags],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address, there = f"http://127.0.0.1:{port}", False
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not there:
            assert server.poll() is None and time.monotonic() < deadline, "marimo did not start"
            time.sleep(0.5)
            with suppress(URLError):
                there = urlopen(f"{address}/health", timeout=60).status == 200
        yield address, folder
    finally:
        server.terminate()
        server.wait(30)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_marimo_it_is_alive_and_takes_on_its_looks(browser: Any, marimo: tuple[str, Path], scheme: str) -> None:
    """marimo keeps widgets in a shadow root, and states its colours in notations of its own."""
    address, folder = marimo
    page = browser.new_page(viewport={"width": 1280, "height": 1000}, color_scheme=scheme)
    page.set_default_timeout(PATIENCE_S * 1000)
    page.goto(address)
    asked(page, folder)
    assert page.locator(".vtx").get_attribute("data-theme") == scheme
    page.close()
