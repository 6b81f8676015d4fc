"""Every page, looked at: in a wide and in a narrow window, light and dark. No page says anything on the console, is
refused anything by its own policy, reaches another host or runs what a user wrote; axe finds nothing serious."""

from pathlib import Path

import pytest

from tests.browser.looking import Watch
from tests.browser.scene import Scene
from tests.support.console import routes

# Every route that shows a page: where to look, with the scene's ids. A page may be looked at in several ways.
PAGES: dict[str, tuple[str, str]] = {
    "overview": ("/console", "/console"),
    "users": ("/console/users", "/console/users"),
    "conversations": ("/console/conversations", "/console/conversations"),
    "conversation": ("/console/conversations/{conversation_id}", "/console/conversations/{conversation}"),
    "rolled back": ("/console/conversations/{conversation_id}", "/console/conversations/{rolled}"),
    "turn": ("/console/turns/{turn_id}", "/console/turns/{turn}"),
    "why": ("/console/turns/{turn_id}/why", "/console/turns/{turn}/why"),
    "cubes": ("/console/cubes", "/console/cubes"),
    "no cubes": ("/console/cubes", "/console/cubes?user_id=nobody"),
    "cube": ("/console/cubes/{cube_id}", "/console/cubes/{cube}"),
    "frozen": ("/console/cubes/{cube_id}", "/console/cubes/{frozen}"),
    "state": ("/console/cubes/{cube_id}", "/console/cubes/{state}"),
    "versions": ("/console/cubes/{cube_id}/versions", "/console/cubes/{state}/versions"),
    "version": ("/console/cubes/{cube_id}/versions/{number}", "/console/cubes/{cube}/versions/0"),
    "text diff": ("/console/cubes/{cube_id}/diff", "/console/cubes/{cube}/diff?from=0&to=2"),
    "state diff": ("/console/cubes/{cube_id}/diff", "/console/cubes/{state}/diff"),
    "heat": ("/console/cubes/{cube_id}/heat", "/console/cubes/{state}/heat"),
    "drift": ("/console/cubes/{cube_id}/heat", "/console/cubes/{state}/heat?measure=drift"),
    "lineage": ("/console/cubes/{cube_id}/lineage", "/console/cubes/{state}/lineage"),
    "events": ("/console/cubes/{cube_id}/events", "/console/cubes/{archived}/events"),
    "search": ("/console/search", "/console/search"),
    "chats": ("/console/chat", "/console/chat"),
    "chat": ("/console/chat/{conversation_id}", "/console/chat/{conversation}"),
    "erasures": ("/console/erasures", "/console/erasures"),
    "new erasure": ("/console/erasures/new", "/console/erasures/new?conversation_id={conversation}"),
    "erasure": ("/console/erasures/{erasure_id}", "/console/erasures/{erasure}"),
    "dry run": ("/console/erasures/{erasure_id}", "/console/erasures/{dry}"),
    "items": ("/console/erasures/{erasure_id}/items", "/console/erasures/{dry}/items"),
    "policies": ("/console/policies", "/console/policies"),
    "policy": ("/console/policies/{policy_id}", "/console/policies/{policy}"),
    "consolidations": ("/console/consolidations", "/console/consolidations"),
    "consolidation": ("/console/consolidations/{run_id}", "/console/consolidations/{run}"),
    "deltas": ("/console/deltas", "/console/deltas"),
    "delta": ("/console/deltas/{run_id}", "/console/deltas/{delta}"),
    "jobs": ("/console/jobs", "/console/jobs"),
    "job": ("/console/jobs/{job_id}", "/console/jobs/{job}"),
    "audit": ("/console/audit", "/console/audit"),
    "verified": ("/console/audit/verify", "/console/audit/verify"),
    "help": ("/console/help", "/console/help"),
    "entrance": ("/console/login", "/console/login"),
}
LATER = {"turn": ".explanation", "lineage": "#graph[data-ready]"}  # what comes after the page itself
# What is no page of its own, and which test looks at it.
PARTS = {
    "/console/now": "test_actions",
    "/console/cubes/{cube_id}/lineage.json": "test_graph",
    "/console/erasures/{erasure_id}/receipt.json": "test_actions",
}


def test_every_page_is_looked_at(scene: Scene) -> None:
    shown = {path for method, path in routes(scene.live) if method == "GET"}
    assert shown == {route for route, _ in PAGES.values()} | PARTS.keys()


@pytest.mark.parametrize("name", PAGES)
def test_page(watch: Watch, scene: Scene, shots: Path, name: str) -> None:
    page = watch.page
    page.set_viewport_size({"width": 1280, "height": 900})
    watch.go(PAGES[name][1].format(**scene.ids))
    if name in LATER:
        page.wait_for_selector(LATER[name])
    assert page.title().endswith(" · memos")
    watch.accessible()
    place = name.replace(" ", "-")
    for width, theme in ((1280, "light"), (1280, "dark"), (380, "dark"), (380, "light")):
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
        if (width, theme) == (1280, "dark"):
            watch.accessible(["color-contrast"])  # the only rule that a theme has a part in
        if width == 380:
            watch.fits()
        page.screenshot(path=shots / f"{place}-{width}-{theme}.jpg", type="jpeg", quality=70, full_page=True)


def test_a_page_that_is_not_there(watch: Watch, shots: Path) -> None:
    watch.expected.append("404")
    watch.go("/console/nothing-of-the-kind", status=404)
    assert "there is nothing at this address" in watch.said()
    watch.accessible()
    watch.page.screenshot(path=shots / "not-found-1280-light.jpg", type="jpeg")


def test_what_users_wrote_is_shown_as_text(watch: Watch, scene: Scene) -> None:
    """The probes are on the pages, letter for letter; that none of them ran is looked at on every page."""
    for name, probe in (("conversation", "turn"), ("conversation", "title"), ("cube", "type"), ("events", "reason"),
                        ("version", "metadata"), ("policies", "policy"), ("users", "user")):  # fmt: skip
        watch.go(PAGES[name][1].format(**scene.ids))
        if name == "version":
            watch.page.goto(f"/console/cubes/{scene.ids['cube']}/versions/1")
            watch.page.click("summary")
        shown = watch.page.inner_text("body")
        assert f"onerror=\"window.hurt='{probe}'\"" in shown.replace("\\", ""), (name, probe)
        assert watch.page.evaluate("document.querySelectorAll('img, main script').length") == 0


def test_the_watch_sees_what_it_is_there_for(watch: Watch, scene: Scene) -> None:
    """Planted: a text that runs, a style that the policy refuses, a picture without words."""
    watch.go("/console/help")
    watch.page.evaluate("""document.querySelector('main').innerHTML +=
        '<img src="/console/static/icon.svg" onload="window.hurt=1"><p style="color: #aaa">pale</p>'""")
    watch.page.wait_for_timeout(300)
    refused = watch.page.evaluate("window.refusals")
    assert {one.split(" ")[0] for one in refused} == {"script-src-attr", "style-src-attr"}
    try:
        watch.accessible(["image-alt"])
        found = False
    except AssertionError:
        found = True
    assert found
    assert watch.wrong != []
    watch.wrong.clear()
    watch.page.evaluate("window.refusals = []")
