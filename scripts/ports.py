"""Free ports on loopback."""

import socket
from collections.abc import Collection

LOOPBACK = "127.0.0.1"


def next_free(first: int, but_not: Collection[int] = ()) -> int:
    """The first free port from `first` upwards."""
    for port in range(first, 65536):
        if port not in but_not and is_free(port):
            return port
    raise OSError(f"no free port from {first} upwards")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the servers do: a port is not busy for connections that linger in TIME_WAIT.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def any_free() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port
