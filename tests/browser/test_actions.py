"""Every action of the console, through the browser: what a person does, and what the API says of it afterwards."""

import json
import re
from typing import Any

from playwright.sync_api import expect

from tests.api.talk import eventually, look, post, say, settled
from tests.browser.looking import Watch
from tests.browser.scene import USER, Scene, failed_job


def _conversation(scene: Scene, user: str, *lines: str) -> str:
    made = str(post(scene.client, "/v1/conversations", {"user_id": user}).json()["id"])
    for line in lines:
        say(scene.client, made, line)
    settled(scene.client, made)
    return made


def _get(scene: Scene, path: str) -> Any:
    return scene.client.get(path).json()


def test_a_conversation_is_rolled_back_forked_and_merged(watch: Watch, scene: Scene) -> None:
    page, made = watch.page, _conversation(scene, "dora", "one", "two", "three")
    watch.go(f"/console/conversations/{made}")
    page.click("summary:has-text('Roll back, fork')")
    page.fill("form[action$='/fork'] [name=at_turn]", "2")
    page.fill("[name=title]", "From the second on")
    page.click("form[action$='/fork'] button")
    page.wait_for_url(re.compile(r"done=forked"))
    fork = page.url.split("/")[-1].split("?")[0]
    assert _get(scene, f"/v1/conversations/{fork}")["forked_from"] == {"conversation_id": made, "at_turn": 2}
    expect(page.locator("h1")).to_have_text("From the second on")
    say(scene.client, fork, "said in the fork")
    settled(scene.client, fork)
    watch.go(f"/console/conversations/{made}")
    page.click("summary:has-text('Roll back, fork')")
    page.fill("[name=from_conversation_id]", fork)
    page.click("form[action$='/merge'] button")
    page.wait_for_url(re.compile(r"done=merging"))
    assert settled(scene.client, made)["turn_count"] == 4
    page.click("summary:has-text('Roll back, fork')")
    page.fill("[name=to_turn]", "1")
    page.click("form[action$='/rollback'] button")
    page.wait_for_url(re.compile(r"done=rolled-back"))
    assert page.locator(".turn.past").count() == 3
    assert _get(scene, f"/v1/conversations/{made}")["epoch"] == 1


def test_a_turn_says_why(watch: Watch, scene: Scene) -> None:
    watch.go(f"/console/conversations/{scene.ids['conversation']}")
    turn = watch.page.locator(f"#{scene.ids['turn']}")
    turn.locator(".why").click()
    told = turn.locator(".explanation")
    expect(told).to_contain_text("What the answer read")
    expect(told).to_contain_text("layer 0, slot")


def test_a_cube_is_frozen_archived_rolled_back_and_forked(watch: Watch, scene: Scene) -> None:
    page = watch.page
    cube = post(scene.client, "/v1/cubes", {"text": "Dora lives in Oslo.", "user_id": "dora"}).json()["id"]
    moved, known = {"text": "Dora lives in Bergen."}, {"If-Match": "0"}
    assert scene.client.post(f"/v1/cubes/{cube}/versions", json=moved, headers=known).status_code == 201
    home = f"/console/cubes/{cube}"

    def do(action: str, done: str, **fields: str) -> Any:
        watch.go(home)
        form = page.locator(f"form[action$='/{action}']")
        for name, value in fields.items():
            form.locator(f"[name={name}]").fill(value)
        form.locator("button").click()
        page.wait_for_url(re.compile(f"done={done}"))
        return _get(scene, f"/v1/cubes/{cube}")

    assert do("freeze", "frozen", reason="evidence")["frozen"] is True
    assert do("freeze", "unfrozen", reason="no more")["frozen"] is False
    assert do("rollback", "rolled-back", to_version="0")["head_version"] == 2
    do("fork", "forked", at_version="1", user_id="emil")
    assert "Dora lives in Bergen." in watch.said()
    watch.go(home)
    page.select_option("[name=to]", "archived")
    page.fill("form[action$='/transition'] [name=reason]", "moved away")
    page.click("form[action$='/transition'] button")
    page.wait_for_url(re.compile("done=archived"))
    assert _get(scene, f"/v1/cubes/{cube}")["lifecycle"] == "archived"
    watch.go(home)
    with page.expect_download() as download:
        page.click("form[action='/console/export'] button")
    assert download.value.suggested_filename.endswith(".memos.zip")


def test_an_erasure_is_rehearsed_confirmed_and_verified(watch: Watch, scene: Scene) -> None:
    page = watch.page
    watch.expected.append("422")
    gone = _conversation(scene, "frieda", "I am Frieda.")
    watch.go(f"/console/erasures/new?conversation_id={gone}")
    page.click("main button.primary")
    page.wait_for_selector(".danger-zone")
    assert "What would go" in watch.said()
    page.click("text=Show each, with why")
    expect(page.locator(".items table")).to_contain_text("erase")
    page.fill("[name=typed]", "something else")
    page.click("button.danger")
    assert "What was typed is not what is to be erased" in watch.said()
    assert _get(scene, f"/v1/conversations/{gone}")["id"] == gone
    page.fill("[name=typed]", gone)
    page.click("button.danger")
    page.wait_for_url(re.compile("done=erasing"))
    erasure = page.url.split("/")[-1].split("?")[0]
    eventually(lambda: _get(scene, f"/v1/erasures/{erasure}")["logical_at"], 60)
    assert scene.client.get(f"/v1/conversations/{gone}").status_code == 404
    eventually(lambda: _get(scene, f"/v1/erasures/{erasure}")["receipt"], 60)
    watch.go(f"/console/erasures/{erasure}")
    page.click("button:has-text('Verify')")
    expect(page.locator(".verified")).to_contain_text("The receipt holds")
    with page.expect_download() as download:
        page.click("text=Download")
    assert json.loads(download.value.path().read_text()) == _get(scene, f"/v1/erasures/{erasure}")["receipt"]


def test_work_is_retried_and_the_log_verified(watch: Watch, scene: Scene) -> None:
    page, job = watch.page, failed_job(scene, _conversation(scene, "hedda", "hello"))
    watch.go(f"/console/jobs/{job}")
    assert "no answer" in watch.said()
    page.click("text=Retry")
    page.wait_for_url(re.compile("done=retried"))
    eventually(lambda: _get(scene, f"/v1/jobs/{job}")["status"] == "done")
    watch.go("/console/audit")
    page.click("text=Verify the chain")
    expect(page.locator("#chain")).to_contain_text("The chain is whole")
    watch.go(f"/console/audit?subject={job}")
    assert "jobs.retry" in watch.said()


def test_policies_and_proposals_are_decided(watch: Watch, scene: Scene) -> None:
    page = watch.page
    watch.go(f"/console/policies/{scene.ids['policy']}")
    page.click("text=Dry run >> nth=0")
    page.wait_for_url(re.compile("done=dry-run"))
    watch.go("/console/consolidations")
    page.click("text=Dismiss")
    page.wait_for_url(re.compile("proposal-dismissed"))
    assert _get(scene, "/v1/proposals")["items"][0]["status"] == "dismissed"
    look(scene.live, "UPDATE consolidation_proposals SET status = 'open', decided_at = NULL, decided_by = NULL")


def test_a_search_shows_the_parts_of_each_score(watch: Watch, scene: Scene) -> None:
    page = watch.page
    watch.expected.append("422")
    watch.go("/console/search")
    page.fill("[name=query]", "Where does the dog Biscuit sleep?")
    page.fill("[name=user_id]", USER)
    page.click("main button.primary")
    hit = page.locator(".hit", has_text="Ada's dog Biscuit sleeps in the hall.").first
    expect(hit).to_be_visible()
    parts = [float(part) for part in hit.locator(".signals li span:last-child").all_inner_texts()]
    assert abs(sum(parts) - float(hit.locator(".hit-score").inner_text())) < 0.02
    watch.accessible()
    page.click("summary")
    page.fill("[name=filters]", "{")
    page.click("main button.primary")
    expect(page.locator("#hits")).to_contain_text("the filters are not JSON")


def test_a_chat_streams_and_says_what_was_read(watch: Watch, scene: Scene) -> None:
    page = watch.page
    watch.go("/console/chat")
    page.fill("[name=user_id]", "greta")
    page.click("main button.primary")
    page.wait_for_url(re.compile("/console/chat/conv_"))
    chat = page.url.split("/")[-1]
    probe = "I am <b>Greta</b> <img src=x onerror=window.hurt=1>"
    for number, line in enumerate((probe, "Who am I?"), 1):
        page.fill("textarea", line)
        page.keyboard.press("Enter")
        done = page.locator(".turn").nth(number - 1)
        expect(done.locator("footer")).to_contain_text("read state v")
        expect(done.locator(".text").first).to_have_text(line)
    settled(scene.client, chat)
    assert [turn["input"] for turn in _get(scene, f"/v1/conversations/{chat}/turns")["items"]] == [probe, "Who am I?"]
    watch.accessible()


def test_it_can_be_used_with_the_keyboard_alone(watch: Watch, scene: Scene) -> None:
    page = watch.page
    watch.go("/console")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.wait_for_url("**/console/cubes")
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.evaluate("document.activeElement.closest('[data-row]').rowIndex") == 2
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.keyboard.press("l")
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.keyboard.press("l")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.keyboard.press("l")
    page.focus("tbody tr a.id")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/console/cubes/cube_"))


def test_an_id_is_copied(watch: Watch, scene: Scene) -> None:
    watch.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    watch.go(f"/console/cubes/{scene.ids['cube']}")
    watch.page.click(".head .copy")
    expect(watch.page.locator("#said")).to_have_text(f"Copied {scene.ids['cube']}")
    assert watch.page.evaluate("navigator.clipboard.readText()") == scene.ids["cube"]


def test_the_overview_renews_itself(watch: Watch, scene: Scene) -> None:
    watch.go("/console")
    with watch.page.expect_response("**/console/now") as answer:
        watch.page.evaluate("htmx.trigger('#now', 'load'); htmx.ajax('GET', '/console/now', '#now')")
    assert answer.value.status == 200
    expect(watch.page.locator("#now")).to_contain_text("Ready")
