"""Memories in archives: what they say, who said it, where and when goes along, and is found where it is taken in."""

import httpx2

from tests.api.talk import eventually, look, post, turns
from tests.archives.conftest import exported, taken_in
from tests.archives.test_round_trip import renamed, spoken
from tests.support.live import Live

FACT = "My parrot is called Pepperoni."


def search(client: httpx2.Client, query: str, user: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = post(
        client, "/v1/memories/search", {"query": query, "user_id": user, "top_k": 3}
    ).json()["results"]
    return found


def test_episodes_and_facts_are_found_where_they_are_taken_in(
    live: Live, here: httpx2.Client, elsewhere: Live, there: httpx2.Client
) -> None:
    user = "pam of the archives"
    began = spoken(live, here, FACT, user=user)
    since = "2026-01-31T12:00:00Z"
    fact = {
        "text": "Pam plays the tuba.", "user_id": user, "speaker": "Eve", "thread": "letters", "valid_from": since,
        "metadata": {"page": 3},
    }  # fmt: skip
    post(here, "/v1/memories", fact)
    names = renamed(taken_in(there, exported(here, user_id=user)))
    (episode, *_) = search(there, FACT, user)
    assert episode["text"] == FACT
    assert episode["source"] == {
        "speaker": "user", "role": "user", "thread": names[began], "conversation_id": names[began],
    }  # fmt: skip
    (copy, *_) = search(there, "Who plays the tuba?", user)
    assert (copy["text"], copy["metadata"], copy["valid_from"]) == (fact["text"], {"page": 3}, since)
    assert copy["source"] == {"speaker": "Eve", "role": None, "thread": "letters", "conversation_id": None}
    lacking = (
        "SELECT FROM memcubes m WHERE m.user_id = %s AND m.kind = 'plaintext' AND NOT EXISTS "
        "(SELECT FROM embeddings e WHERE e.version_id = m.head_version_id)"
    )
    eventually(lambda: not look(elsewhere, lacking, user), 30)
    # They are the copies' turns' now: with them they are erased.
    (turn,) = turns(there, names[began])
    erasure = there.post("/v1/erasures", json={"turn_id": turn["id"]}).json()["id"]
    eventually(lambda: there.get(f"/v1/erasures/{erasure}").json()["status"] == "done", 60)
    assert FACT not in {found["text"] for found in search(there, FACT, user)}


def test_a_conversation_takes_its_episodes_along(live: Live, here: httpx2.Client, there: httpx2.Client) -> None:
    user = "quentin of the archives"
    began = spoken(live, here, FACT, user=user)
    post(here, "/v1/memories", {"text": "Quentin has no parrot.", "user_id": user})
    taken_in(there, exported(here, conversation_id=began))
    assert {found["text"] for found in search(there, "parrot", user)} == {FACT, turns(here, began)[0]["output"]}
