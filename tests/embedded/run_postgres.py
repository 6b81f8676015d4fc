"""A process that runs an embedded Postgres until it is told to stop: run_postgres ROOT"""

import json
import os
import signal
import sys
import threading
from pathlib import Path

from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.progress import Progress
from memos.kit.errors import StartupError

postgres = EmbeddedPostgres(Path(sys.argv[1]), Progress(lambda line: print(line, flush=True)))
try:
    postgres.start()
except StartupError as error:
    sys.exit(f"{error}\n{error.hint}")
facts = {
    "uid": os.getuid(),
    "url": postgres.admin_url,
    "socket_dir": str(postgres.socket_dir),
    "cluster": str(postgres.cluster),
    "postmaster": int((postgres.cluster / "postmaster.pid").read_text().split()[0]),
}
print(json.dumps(facts), flush=True)
told = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: told.set())
told.wait()
postgres.stop()
