"""A TCP proxy that breaks connections: it passes so many bytes of each answer on and then resets both sides."""

import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Address = tuple[str, int]


@dataclass
class Breaking:
    """`cuts`: how many bytes of the answer each connection lets through, in order; those after it are whole."""

    url: str = ""
    cuts: list[int] = field(default_factory=list)
    broken: int = 0


@contextmanager
def breaking(url: str) -> Iterator[Breaking]:
    split = urlsplit(url)
    target = (str(split.hostname), int(split.port or 80))
    proxy = Breaking()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.1)
        proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        over = threading.Event()
        threads: list[threading.Thread] = []

        def accept() -> None:
            while not over.is_set():
                try:
                    client, _ = listener.accept()
                except TimeoutError:
                    continue
                cut = proxy.cuts.pop(0) if proxy.cuts else None
                thread = threading.Thread(target=_pass_on, args=(proxy, client, target, cut, over), daemon=True)
                thread.start()
                threads.append(thread)

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield proxy
        finally:
            over.set()
            accepting.join(5)
            for thread in threads:
                thread.join(5)


def _pass_on(proxy: Breaking, client: socket.socket, target: Address, cut: int | None, over: threading.Event) -> None:
    left = cut
    with client, socket.create_connection(target) as server:
        while not over.is_set():
            readable, _, _ = select.select([client, server], [], [], 0.05)
            for source in readable:
                sink = server if source is client else client
                data = source.recv(65536)
                if source is server and left is not None:
                    data, left = data[:left], left - len(data)
                if data:
                    sink.sendall(data)
                if left is not None and left < 0:
                    proxy.broken += 1
                    for one in (client, server):  # closed with a reset, and not in order
                        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                if not data:
                    return
