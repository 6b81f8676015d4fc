"""Memories that recall would miss, planted past every trigger, are named."""

import httpx2

from tests.api.talk import look, post
from tests.invariants.planting import found, mended, planted
from tests.support.live import Live

MEMORIES = {
    "scope": ("scope_id = NULL", "it is in no scope"),
    "other": (
        "scope_id = (SELECT id FROM recall_scopes WHERE user_id = 'eve' AND tenant_id = memcubes.tenant_id)",
        "is not its owner's",
    ),
    "stamp": ("recall_revision = recall_revision + 1000", "and its scope has revision"),
    "no stamp": ("recall_revision = NULL", "its stamp is None"),
}


def test_a_memory_that_recall_would_miss_is_named(service: Live, client: httpx2.Client) -> None:
    post(client, "/v1/cubes", {"text": "Eve has a cat.", "user_id": "eve"})
    mended(client, "recall_is_whole")
    said, restored = {}, {}
    for name, (wrong, told) in MEMORIES.items():
        memory = post(client, "/v1/cubes", {"text": f"A memory of case {name}.", "user_id": "ada"}).json()["id"]
        (restored[memory],) = look(service, "SELECT scope_id, recall_revision FROM memcubes WHERE id = %s", memory)
        said[memory] = told
        planted(service, f"UPDATE memcubes SET {wrong} WHERE id = %s", memory)
    for memory, told in said.items():
        assert told in found(client, "recall_is_whole", memory)
        scope, revision = restored[memory]["scope_id"], restored[memory]["recall_revision"]
        planted(
            service, "UPDATE memcubes SET scope_id = %s, recall_revision = %s WHERE id = %s", scope, revision, memory
        )
    mended(client, "recall_is_whole")


def test_a_vector_that_is_missing_or_should_be_is_named(service: Live, client: httpx2.Client) -> None:
    memory = post(client, "/v1/cubes", {"text": "A memory that waits for its vector.", "user_id": "bob"}).json()["id"]
    mended(client, "recall_is_whole")
    (was,) = look(service, "SELECT scope_id, head_version_id FROM memcubes WHERE id = %s", memory)
    planted(service, "UPDATE recall_scopes SET embedder = 'of-a-test' WHERE id = %s", was["scope_id"])
    older = "UPDATE memcube_versions SET created_at = created_at - %s * interval '1 hour' WHERE id = %s"
    planted(service, older, 1, was["head_version_id"])
    assert "without a vector" in found(client, "recall_is_whole", memory)
    vector = (
        "INSERT INTO embeddings (tenant_id, version_id, model, dimensions, vector, scope_id, revision) "
        "SELECT tenant_id, head_version_id, 'of-a-test', 1, '\\x0000803f', scope_id, recall_revision FROM memcubes "
        "WHERE id = %s"
    )
    planted(service, vector, memory)
    mended(client, "recall_is_whole")
    planted(service, "UPDATE embeddings SET revision = revision + 1000 WHERE version_id = %s", was["head_version_id"])
    assert "its scope has revision" in found(client, "recall_is_whole", memory)
    planted(service, "DELETE FROM embeddings WHERE version_id = %s", was["head_version_id"])
    planted(service, older, -1, was["head_version_id"])
    mended(client, "recall_is_whole")
