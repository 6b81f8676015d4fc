"""A process that supervises two children until it is told to stop: run_children DATA_DIR

`fork` is started from a thread that ends at once, `web` by the supervisor.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from memos.embedded.logfile import ChildLog
from memos.embedded.progress import Progress
from memos.embedded.spawn import spawn
from memos.embedded.supervisor import Child, Supervisor

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def sleeper() -> "subprocess.Popen[bytes]":
    with tempfile.TemporaryFile() as output:
        return spawn(SLEEP, env=os.environ, output=output)


async def main() -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    supervisor = Supervisor(Path(sys.argv[1]), Progress(lambda line: None))
    supervisor.start(Child("web", sleeper, lambda: True, ChildLog(Path(sys.argv[1]) / "web.log")))
    await supervisor.up("web")
    forked: list[subprocess.Popen[bytes]] = []

    def start_and_end() -> None:
        # Ends only once the child is itself: the kernel forgets a thread that ended before the child asked to be told.
        process = sleeper()
        while b"launch.py" in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        forked.append(process)

    thread = threading.Thread(target=start_and_end)
    thread.start()
    thread.join()
    print(json.dumps({"web": supervisor.status()["web"]["pid"], "fork": forked[0].pid}), flush=True)
    await told.wait()
    await supervisor.stop()


asyncio.run(main())
