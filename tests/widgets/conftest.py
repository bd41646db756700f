"""A real browser, where there is one; continuous integration insists on it."""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from live_page import FLAGS


def chromium() -> str:
    """Where Chromium is. Tests are skipped without it, or fail where VTEXPLORE_BROWSER says that it must be there."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if os.environ.get("VTEXPLORE_BROWSER") == "required":
        pytest.fail("Chromium is not installed, and VTEXPLORE_BROWSER says that it must be.")
    pytest.skip("Chromium is not installed: what one sees and touches is not tested.")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by Playwright."""
    where = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        running = play.chromium.launch(executable_path=where, args=list(FLAGS))
        yield running
        running.close()
