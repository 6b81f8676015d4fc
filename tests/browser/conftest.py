"""A service with something of everything, and the system's Chromium to look at it. Nothing is downloaded: without a
Chromium these tests fail and say what to install."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.looking import Watch
from tests.browser.scene import Scene, set_up
from tests.support.postgres import Cluster

ARTIFACTS = Path(__file__).parents[2] / "artifacts" / "console"
NAMES = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="session")
def scene(postgres_cluster: Cluster) -> Iterator[Scene]:
    with set_up(postgres_cluster) as made:
        yield made


@pytest.fixture(scope="session")
def shots() -> Path:
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    return ARTIFACTS


@pytest.fixture(scope="session")
def chromium() -> str:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.fail("the browser tests need a Chromium on PATH: run `apt-get install chromium`")
    return found


# While playwright is open its loop runs in this thread, and no other test could run one: it is closed with the module.
@pytest.fixture(scope="module")
def browser(scene: Scene, chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture(scope="module")
def context(scene: Scene, browser: Browser) -> Iterator[BrowserContext]:
    """A browser whose owner has entered, by the form."""
    made = browser.new_context(viewport={"width": 1280, "height": 900}, base_url=scene.live.url, color_scheme="light")
    made.set_default_timeout(20_000)
    page = made.new_page()
    page.goto("/console")
    assert page.url.endswith("/console/login")
    page.fill("[name=api_key]", scene.live.key)
    page.click("main button")
    page.wait_for_url("**/console")
    page.close()
    yield made
    made.close()


@pytest.fixture
def watch(context: BrowserContext) -> Iterator[Watch]:
    """A page of that browser; at the end, nothing went wrong in it."""
    page: Page = context.new_page()
    made = Watch(page)
    yield made
    made.nothing_wrong()
    page.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if ARTIFACTS.is_dir() and "xdist" not in sys.modules:
        terminalreporter.write_line(f"screenshots of the console: {ARTIFACTS}")
