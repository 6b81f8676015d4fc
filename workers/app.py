"""The Celery application: what carries job ids from the relay to the workers.

Notable choices, all of which follow from one: Redis is a queue and never the truth. The outbox row is the job, and its
lease is the only retry there is (P8).

* Messages are JSON and hold ids. Nothing here can unpickle.
* A message is acknowledged after its run, and a run is at most one per message: Celery never retries a task, and a
  message that Redis gives out a second time finds the lease taken. So `visibility_timeout` only cleans up.
* A worker reserves one message per process and no more, so a worker that dies takes little along.
* Every wait for Redis is bounded. A worker that cannot reach it for about 10 s ends, and is started again by
  `workers.consumer`, or by whatever supervises it: a fresh process has no half-dead connection.

Refuses to be configured at import: settings are read when the first connection or worker needs them.
"""

from typing import Any

from celery import Celery
from celery.signals import heartbeat_sent

from memos.kit.config import Settings
from memos.kit.errors import StartupError
from workers.beacon import Beacon

QUEUE = "memos.jobs"
# Bounds one run, not one job: a run cut off here goes on from the last committed step under its next lease.
RUN_TIME_LIMIT_S = 1800
SOCKET_TIMEOUT_S = 2.0
# A silent broker connection is dropped after about 1 s (one blocking pop) plus this.
HEALTH_CHECK_S = 3
# Celery waits 2, 4, 6 s between tries.
CONNECTION_TRIES = 3


def configuration(settings: Settings) -> dict[str, Any]:
    if settings.redis_url is None:
        raise StartupError(
            "MEMOS_REDIS_URL is not set, and Celery needs a Redis",
            hint="Set it to redis://host:6379/0; without Redis, jobs run inside `memos serve` and need no worker.",
        )
    return {
        "broker_url": settings.redis_url,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": CONNECTION_TRIES,
        "broker_transport_options": {
            "visibility_timeout": max(10, round(2 * settings.lease_s)),
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "socket_keepalive": True,
            "health_check_interval": HEALTH_CHECK_S,
            "client_name": "memos",
        },
        "accept_content": ["json"],
        "task_serializer": "json",
        "task_default_queue": QUEUE,
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": RUN_TIME_LIMIT_S,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0.0, "interval_max": 0.2},
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


app = Celery("memos", include=["workers.tasks.run_job"])
app.add_defaults(lambda: configuration(Settings()))


@heartbeat_sent.connect(dispatch_uid="memos-beacon")  # type: ignore[untyped-decorator]
def _alive(**_: Any) -> None:
    """On a timer of the main process's event loop, every two seconds: it turns, so the process is not stuck."""
    Beacon.from_environment().alive()
