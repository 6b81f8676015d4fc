"""An erasure where every part is a process of its own: API, relay, consumer and model worker confirm, Redis and every
log hold no word, and the receipt says what it could not reach.
"""

from pathlib import Path

import httpx2
import pytest

from tests.api.talk import eventually, post, say, settled
from tests.erasure.hunt import GONE, Found, in_files, in_redis, in_sql
from tests.erasure.scene import Scene
from tests.support.redis import redis_server
from tests.support.topology import split


@pytest.mark.full
@pytest.mark.timeout(300)
def test_every_process_confirms_and_no_queue_or_log_holds_a_word() -> None:
    with redis_server() as redis, split({"lease_s": "3"}, redis_url=redis.url) as running:
        headers = {"Authorization": f"Bearer {running.api_key}"}
        with httpx2.Client(base_url=running.urls[0], headers=headers, timeout=60) as client, redis.client() as broker:
            scene = Scene(client, 5, facts=3)
            told = scene.converse()
            broker.set("planted", f"{GONE}planted")
            assert in_redis(Found(), broker, GONE).total == 1  # the hunt sees what is there
            broker.delete("planted")
            (done, *_) = [scene.ended(erasure, 120) for erasure in scene.erase(told)]
            settled(client, told.id)
            logical = done["receipt"]["logical"]
            # The API, the relay, and each process of the consumer that runs jobs.
            assert len(logical["confirmed_by"]) >= 3
            assert [one["what"] for one in logical["not_reached"]] == ["caches of model workers that were not told"]
            assert done["receipt"]["physical"] is None  # no process of these has the owner's address
            eventually(lambda: in_sql(Found(), running.admin_url, GONE).total == 0, 30)
            assert in_redis(Found(), broker, GONE).total == 0
            logs = in_files(Found(), [Path(running.blobs).parent], GONE)
            assert {place for place in logs.places if place.endswith(".log")} == set()
            assert [place for place in logs.places if "/blobs/" in place] == []
            assert post(client, "/v1/erasures/verify", {"receipt": done["receipt"]}).json()["ok"]
            assert say(client, told.id, scene.fact(goes=False))["status"] == "answered"
