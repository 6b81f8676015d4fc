"""Memories over REST: written durably, found at once, never stored twice."""

import httpx2

from tests.memories.say import found, owner, remember


def test_what_was_said_is_found_at_once(client: httpx2.Client) -> None:
    ada = owner()
    made = remember(client, ada, "Ada's dog is called Biscuit.")
    remember(client, ada, "The train to Oslo leaves at nine.")
    assert [one["id"] for one in found(client, ada, "biscuit")][0] == made["memories"][0]["id"]
    assert made["embedded"] and made["revision"] >= 1
