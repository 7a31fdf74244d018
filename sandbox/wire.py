"""How an answer goes out on the socket: whole, cut short, byte by byte, or not at all.

Each sender returns whether the connection may be kept for the next call.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

Pause = Callable[[float], None]
NO_LINGER = struct.pack("ii", 1, 0)  # close() then sends RST instead of FIN


@dataclass(frozen=True)
class Outgoing:
    """An answer in bytes; `seconds` between bytes for the senders that trickle."""

    head: bytes
    body: bytes
    seconds: float
    pause: Pause


def head_bytes(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_phrase(status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


@lru_cache
def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


@lru_cache(maxsize=2)
def http_date(second: int) -> str:
    return formatdate(second, usegmt=True)


def whole(connection: socket.socket, out: Outgoing) -> bool:
    connection.sendall(out.head + out.body)
    return True


def cut(connection: socket.socket, out: Outgoing) -> bool:
    """Fewer bytes than Content-Length promised."""
    connection.sendall(out.head + out.body[: len(out.body) // 2])
    return False


def trickle(connection: socket.socket, out: Outgoing) -> bool:
    connection.sendall(out.head)
    _byte_by_byte(connection, out.body, out)
    return True


def trickle_headers(connection: socket.socket, out: Outgoing) -> bool:
    _byte_by_byte(connection, out.head, out)
    connection.sendall(out.body)
    return True


def drop(connection: socket.socket, out: Outgoing) -> bool:
    return False


def _byte_by_byte(connection: socket.socket, data: bytes, out: Outgoing) -> None:
    for place in range(len(data)):
        connection.sendall(data[place : place + 1])
        out.pause(out.seconds)


def reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)


SENDERS: Mapping[str, Callable[[socket.socket, Outgoing], bool]] = {
    "whole": whole,
    "cut": cut,
    "trickle": trickle,
    "trickle_headers": trickle_headers,
    "drop": drop,
}
