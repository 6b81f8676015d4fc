"""Looks at a page as a person and as a browser do: what it says on its console, what its policy refused, where it
reached, whether any text of a user ran, and what axe finds."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Page, Request

AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text()
SERIOUS = ("serious", "critical")
# Told by the browser before anything of the page can run.
LISTEN = """
    window.refusals = [];
    addEventListener('securitypolicyviolation', (e) => refusals.push(`${e.violatedDirective} ${e.blockedURI}`));
"""
RUN_AXE = """(rules) => axe.run(document, {resultTypes: ['violations'], ...(rules ? {runOnly: rules} : {})}).then((r) =>
    r.violations.map((v) => [v.impact, v.id, v.nodes.slice(0, 5).map((n) => n.html.slice(0, 200))]))"""
WIDER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


class Watch:
    """A page and what went wrong in it so far. `expected` are parts of console messages that a test means to cause."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.wrong: list[str] = []
        self.expected: list[str] = []
        page.add_init_script(LISTEN)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not any(part in message.text for part in self.expected):
            self.wrong.append(f"{message.type} at {self.page.url}: {message.text}")

    def _asked(self, request: Request) -> None:
        host = urlsplit(request.url).hostname
        if host not in (None, "127.0.0.1"):
            self.wrong.append(f"asked {request.url}")

    def go(self, address: str, status: int = 200) -> None:
        answer = self.page.goto(address)
        assert answer is not None
        assert answer.status == status, (address, answer.status, self.page.inner_text("main")[:500])

    def said(self) -> str:
        return self.page.inner_text("main")

    def nothing_wrong(self) -> None:
        refused: Any = self.page.evaluate("window.refusals ?? []")
        assert refused == [], (self.page.url, refused)
        assert self.page.evaluate("window.hurt ?? null") is None, f"a text of a user ran at {self.page.url}"
        assert self.wrong == []

    def accessible(self, rules: list[str] | None = None) -> None:
        """No serious and no critical finding of axe, by all rules or by these."""
        self.page.evaluate(AXE)
        found = [one for one in self.page.evaluate(RUN_AXE, rules) if one[0] in SERIOUS]
        assert found == [], f"{self.page.url}: {json.dumps(found, indent=1)}"

    def fits(self) -> None:
        """Nothing is wider than the window."""
        assert self.page.evaluate(WIDER) <= 0, f"{self.page.url} is too wide"
