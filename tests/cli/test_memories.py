"""`memos remember` and `memos recall`."""

from uuid import uuid4

from tests.cli.conftest import Run


def test_what_is_remembered_is_recalled(run: Run) -> None:
    user = f"u{uuid4().hex[:8]}"
    made = run("remember", "Ada's dog is called Biscuit.", "--user", user, "--tag", "pets", "--json").json
    (one,) = made["memories"]
    assert "remembered before, and counted" in run("remember", "Ada's dog is called Biscuit.", "--user", user).out
    found = run("recall", "biscuit", "--user", user, "--json").json
    assert [hit["id"] for hit in found["results"]] == [one["id"]]
    shown = run("recall", "biscuit", "--user", user, "--explain").out
    assert one["id"] in shown
    assert "Biscuit" in shown


def test_what_is_replaced_is_history(run: Run) -> None:
    user = f"u{uuid4().hex[:8]}"
    old = run("remember", "Ada lives in Paris.", "--user", user, "--since", "2020-01-31", "--json").json
    run("remember", "Ada lives in Rome.", "--user", user, "--replaces", old["memories"][0]["id"])
    assert "Paris" not in run("recall", "where does Ada live", "--user", user).out
    shown = run("recall", "where does Ada live", "--user", user, "--history").out
    assert "superseded" in shown
    assert "Paris" in shown
