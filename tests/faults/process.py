"""Runs a real program with crash points in it: python -m tests.faults.process PROCESS,... MODULE ARGUMENT...

Everything after MODULE is that program's own. Without MEMOS_TEST_CRASH in the environment there are no points.
"""

import os
import runpy
import sys
from typing import Any

from tests.faults.points import VARIABLE, install

if __name__ == "__main__":
    processes: list[Any] = [name for name in sys.argv[1].split(",") if name]
    module = sys.argv[2]
    if VARIABLE in os.environ:
        install(*processes)
    sys.argv = [module, *sys.argv[3:]]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
