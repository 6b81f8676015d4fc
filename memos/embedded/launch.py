"""Becomes a child of memos: a new session, another user if asked, death with the parent, then the real program.

Run as a script by `spawn.py`, before anything of memos can be imported, so it uses the standard library only.
It exists because the three steps must happen in the child, in this order, and a Python function between fork and exec
of a process with threads may deadlock. Refuses to run the program when the parent has already gone.

    launch.py PARENT_PID DEATH_SIGNAL UID:GID|- PROGRAM ARGUMENT...
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, account: str, argv: list[str]) -> None:
    # A session of its own: Ctrl-C in the terminal is for memos, which lets turns finish before it stops Postgres.
    os.setsid()
    os.umask(0o077)
    # A parent started with nohup or by a shell in the background ignores signals, and that would be inherited.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    libc = ctypes.CDLL(None, use_errno=True)
    if account != "-":
        uid, gid = (int(part) for part in account.split(":"))
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    # After the change of user, because that clears the setting; the check after it closes the race with a parent
    # that died before the setting took effect.
    if libc.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")
    os.execve(argv[0], argv, os.environ)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
