"""The distributed placement with everything real: two APIs, two consumers (Celery), two relays, Postgres, Redis. Not
Celery's eager mode: every job crosses Redis to another process.

All tests share one placement and leave it healthy, in any order. A proxy stands before Redis, for resets and silence.
"""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from celery import Celery

from memos.cubes.versions import blob_key
from tests.support.evidence import connect
from tests.support.postgres import Cluster
from tests.support.redis import Proxy, RedisServer, wait_for
from tests.workers.stack import LEASE_S, Process, Stack, conversation, stack, turn
from tests.workers.writers import Load
from workers.app import QUEUE

MAX_ATTEMPTS = 3
DRAIN_TIMEOUT_S = 40.0
FULL_LOAD_S = 180.0


@dataclass
class Placement:
    stack: Stack
    redis: RedisServer
    proxy: Proxy

    def named(self, prefix: str) -> list[Process]:
        return [process for process in self.stack.processes if process.name.startswith(prefix)]

    @contextmanager
    def stopped(self, prefix: str) -> Iterator[None]:
        """These processes do not move, as on a machine that is out of memory."""
        for process in self.named(prefix):
            process.popen.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in self.named(prefix):
                process.popen.send_signal(signal.SIGCONT)

    def celery_pids(self) -> list[int]:
        return [pid for process in self.named("consumer") for pid in process.descendants()]


@pytest.fixture(scope="module")
def placement(
    postgres_cluster: Cluster, redis_running: RedisServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Placement]:
    folder = tmp_path_factory.mktemp("placement")
    with Proxy(redis_running.port) as proxy:
        attempts = {"MEMOS_JOB_MAX_ATTEMPTS": str(MAX_ATTEMPTS)}
        with stack(postgres_cluster.database(), proxy.url, folder, **attempts) as running:
            for number in range(2):
                running.api()
                running.relay(f"relay-{number}")
                running.consumer(f"consumer-{number}")
            running.await_apis()
            running.await_consumers(2)
            yield Placement(running, redis_running, proxy)
            assert [process.terminate() for process in (*placement_relays(running), running.processes[2])] == [0, 0, 0]


def placement_relays(running: Stack) -> list[Process]:
    return [process for process in running.processes if process.name.startswith("relay")]


def test_a_conversation_goes_on_across_both_apis(placement: Placement) -> None:
    with placement.stack.client(0) as one, placement.stack.client(1) as two:
        conversation_id = conversation(one)
        for number in range(6):
            answer = turn((one, two)[number % 2], conversation_id, f"fact {number}")
            assert answer["memory"]["state_version"] == number
            assert answer["output"].startswith(f"echo {number} [")
        jobs = wait_for_jobs(two, conversation_id)
    assert {job["status"] for job in jobs} == {"done"}
    assert len(jobs) == 6
    assert sum(job["dispatches"] for job in jobs) >= 6, "they went through the queue"


def wait_for_jobs(client: httpx2.Client, conversation_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def done() -> bool:
        listed = client.get("/v1/jobs", params={"limit": 200}).json()["items"]
        found[:] = [job for job in listed if job["subject"] == conversation_id]
        return all(job["status"] == "done" for job in found)

    wait_for(done, 20, "the jobs to be done")
    return found


def _shuffled(placement: Placement, messages: list[Any]) -> None:
    random.shuffle(messages)
    with Celery(broker=placement.redis.url) as sender:
        for message in messages:
            sender.send_task("memos.run_job", args=list(message), queue=QUEUE, ignore_result=True)


def test_double_late_and_shuffled_messages_take_effect_once(placement: Placement) -> None:
    running = placement.stack
    load = Load(running, conversations=3)
    with running.client() as client, placement.stopped("relay"):
        for conversation_id in list(load.conversations) * 4:
            load.say(client, conversation_id)
        claim = "SELECT job_id, tenant_id, task, subject FROM memos_door_claim('relay-test', 32, 30)"
        claimed = running.rows(claim)
        every = running.rows(
            "SELECT id, tenant_id, task, subject FROM outbox WHERE subject = ANY(%s)", load.conversations
        )
        unapplied = "SELECT 1 FROM turns WHERE conversation_id = ANY(%s) AND status IN ('accepted', 'answered')"
        _shuffled(placement, [*claimed, *every] * 3)
        # One claim of each conversation takes in all of its turns, with no relay to help.
        wait_for(lambda: not running.rows(unapplied, load.conversations), DRAIN_TIMEOUT_S, "every turn to be taken in")
        for _ in range(20):  # what is to be embedded after a claim is in the next
            if not running.rows("SELECT 1 FROM outbox WHERE status IN ('queued', 'running')"):
                break
            _shuffled(placement, running.rows(claim) * 3)
            time.sleep(2)
        running.drain(DRAIN_TIMEOUT_S)
    assert len([row for row in claimed if row[2] == "advance"]) == 3
    assert load.verify() == 12


FAULTS: dict[str, Callable[[Placement], None]] = {}


def fault(call: Callable[[Placement], None]) -> Callable[[Placement], None]:
    FAULTS[call.__name__] = call
    return call


@fault
def stopped(placement: Placement) -> None:
    placement.redis.stop()
    time.sleep(1.5)
    placement.redis.start()


@fault
def killed(placement: Placement) -> None:
    placement.redis.kill()
    placement.redis.start()


@fault
def flushed(placement: Placement) -> None:
    placement.redis.flush()


@fault
def reset(placement: Placement) -> None:
    assert placement.proxy.reset() + placement.redis.kill_clients() > 0


@fault
def silent(placement: Placement) -> None:
    assert placement.proxy.hang() > 0


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_redis_fails_in_mid_load_and_nothing_is_lost(placement: Placement, name: str) -> None:
    with Load(placement.stack) as load:
        time.sleep(0.7)
        FAULTS[name](placement)
        time.sleep(0.7)
    drain_s = placement.stack.drain(DRAIN_TIMEOUT_S)
    print(f"Redis {name}: {load.verify()} turns, drained {drain_s:.1f} s after the load ended")


@pytest.mark.full
@pytest.mark.timeout(600)
def test_anything_fails_at_random_for_minutes_and_nothing_is_lost(placement: Placement) -> None:
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    print(f"seed {seed}")
    done: Counter[str] = Counter()
    with Load(placement.stack, conversations=12, writers=4, pause_s=0.1, give_up_s=150) as load:
        ends = time.monotonic() + FULL_LOAD_S
        while time.monotonic() < ends:
            time.sleep(chance.uniform(1, 8))
            name = chance.choice([*FAULTS, "worker killed", "relay stopped"])
            done[name] += 1
            if name in FAULTS:
                FAULTS[name](placement)
            elif name == "worker killed":
                for pid in placement.celery_pids():
                    os.kill(pid, signal.SIGKILL)
            else:
                with placement.stopped("relay-0"):
                    time.sleep(chance.uniform(0, LEASE_S))
    drain_s = placement.stack.drain(3 * DRAIN_TIMEOUT_S)
    print(f"{dict(done)}: {load.verify()} turns, drained {drain_s:.1f} s after the load ended")


def test_a_worker_killed_in_the_middle_of_a_job(placement: Placement) -> None:
    running = placement.stack
    load = Load(running, conversations=1)
    [conversation_id] = load.conversations
    held = "SELECT FROM outbox WHERE subject = %s AND status = 'running' AND lease_owner LIKE 'worker-%%'"
    with connect(running.database.admin) as lock, running.client() as client:
        with placement.stopped("relay"):
            load.say(client, conversation_id)
            # Whoever advances this conversation now stands before its last transaction.
            lock.execute("BEGIN")
            lock.execute("SELECT FROM conversations WHERE id = %s FOR UPDATE", (conversation_id,))
        wait_for(lambda: running.rows(held, conversation_id), 20, "a worker to hold the job")
        for pid in placement.celery_pids():
            os.kill(pid, signal.SIGKILL)
        began = time.monotonic()
        lock.execute("ROLLBACK")
        running.drain(DRAIN_TIMEOUT_S)
        spent_s = time.monotonic() - began
    print(f"every worker killed in mid-job: applied {spent_s:.1f} s later (lease {LEASE_S:g} s)")
    assert spent_s < LEASE_S + 10
    assert load.verify() == 1


def test_a_poison_job_fails_visibly_and_runs_once_mended(placement: Placement) -> None:
    running = placement.stack
    load = Load(running, conversations=2)
    sick, well = load.conversations
    with running.client() as client:
        load.say(client, sick)
        running.drain(DRAIN_TIMEOUT_S)
        with placement.stopped("relay"):
            load.say(client, sick)
            load.say(client, well)
            newest = "SELECT blob_id FROM memcube_versions WHERE conversation_id = %s ORDER BY number DESC LIMIT 1"
            blob: Path = running.blobs / blob_key(running.rows(newest, sick)[0][0])
            payload = blob.read_bytes()
            blob.write_bytes(payload[:-1])
            for pid in pool_processes(placement):  # they remember the state; their successors do not
                os.kill(pid, signal.SIGKILL)

        def failed() -> list[dict[str, Any]]:
            return list(client.get("/v1/jobs", params={"status": "failed"}).json()["items"])

        spent_s = wait_for(failed, 30, "the job to fail")
        [job] = failed()
        assert job["subject"] == sick
        assert job["failures"] == MAX_ATTEMPTS
        assert job["error"]["code"] == "state_unreadable"
        wait_for(lambda: client.get(f"/v1/conversations/{well}").json()["pending_turns"] == 0, 20, "the other's turn")
        assert client.get("/v1/stats").json()["jobs"]["failed"] == 1
        blob.write_bytes(payload)
        retried = client.post(f"/v1/jobs/{job['id']}/retry")
        assert retried.status_code == 200, retried.text
    running.drain(DRAIN_TIMEOUT_S)
    assert load.verify() == 3
    print(f"poison: failed after {spent_s:.1f} s and {MAX_ATTEMPTS} tries")


def pool_processes(placement: Placement) -> list[int]:
    """The leaves: what Celery's main processes forked."""
    found = []
    for pid in placement.celery_pids():
        children = [Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        if not children[0]:
            found.append(pid)
    return found


def test_stopped_workers_are_started_again(placement: Placement) -> None:
    """SIGSTOP, for good: nothing in the worker can notice that."""
    load = Load(placement.stack)
    for pid in placement.celery_pids():
        os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    with placement.stack.client() as client:
        for conversation_id in load.conversations:
            load.say(client, conversation_id)
    placement.stack.drain(DRAIN_TIMEOUT_S)
    print(f"every worker stopped: drained after {time.monotonic() - began:.1f} s")
    load.verify()
    assert any("consumer.worker_silent" in consumer.log for consumer in placement.named("consumer"))


def test_workers_that_live_and_take_nothing_are_started_again(placement: Placement) -> None:
    """The worker turns and answers, and does not consume: only the aging outbox tells."""
    load = Load(placement.stack)
    workers = len(placement.named("consumer"))
    with Celery(broker=placement.redis.url) as remote:

        def told() -> bool:  # one that another test had started again may not listen yet
            replies = remote.control.cancel_consumer(QUEUE, reply=True, limit=workers, timeout=2)
            return len(replies) == workers

        wait_for(told, 40, "every worker to stop consuming")
    began = time.monotonic()
    with placement.stack.client() as client:
        for conversation_id in load.conversations:
            load.say(client, conversation_id)
    placement.stack.drain(DRAIN_TIMEOUT_S)
    print(f"no worker consuming: drained after {time.monotonic() - began:.1f} s")
    load.verify()
    assert any("watchdog.consumer_idle" in consumer.log for consumer in placement.named("consumer"))


def test_a_killed_consumer_leaves_no_worker_behind(placement: Placement) -> None:
    extra = placement.stack.consumer("extra-consumer")
    wait_for(lambda: " ready." in extra.log, 40, "the consumer")
    children = extra.descendants()
    assert len(children) >= 2
    extra.popen.kill()
    extra.popen.wait()
    wait_for(lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children), 15, "its worker to end")
    placement.stack.processes.remove(extra)
