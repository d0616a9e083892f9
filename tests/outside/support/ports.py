"""Free ports that stay free until a server listens on them."""

import random
import socket

# Linux gives outgoing connections, and servers without a port of their own, ports from 32,768 on.
FIRST, LAST = 15_000, 32_000


def free_port():
    while True:
        port = random.randint(FIRST, LAST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
