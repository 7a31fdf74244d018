"""A server that speaks bytes, so that it can break any promise of HTTP.

What it does with each request is a story: a function of the conversation. The stories given to
`tells` are told one for each request; the last is told again and again.
"""

import contextlib
import gzip
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping

HOST = "127.0.0.1"


class Conversation:
    """One connection, seen from the server, with a request waiting in it."""

    def __init__(self, server: "RawServer", sock: socket.socket, first: bytes) -> None:
        self.server = server
        self.sock = sock
        self.data = first

    def read(self) -> None:
        """Take the request in, and note it."""
        while b"\r\n\r\n" not in self.data:
            self._read_more()
        head, _, _body = self.data.partition(b"\r\n\r\n")
        while len(self.data) < len(head) + 4 + length_of(head):
            self._read_more()
        self.server.requests.append(self.data.decode("latin-1"))

    def _read_more(self) -> None:
        more = self.sock.recv(65536)
        if not more:
            raise ConnectionError("the client has gone")
        self.data += more

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def trickle(self, data: bytes) -> None:
        """Byte by byte for as long as the client listens, then silence."""
        for index in range(len(data)):
            self.send(data[index : index + 1])
            if self.server.stopped.wait(0.01):
                return
        self.hang()

    def hang(self) -> None:
        """Silence until the client has gone."""
        while self.sock.recv(65536):
            pass

    def reset(self) -> None:
        """Drop the connection as a crash does: no farewell."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.sock.close()
        self.server.closed.set()


Story = Callable[[Conversation], None]


class RawServer:
    """Use as a context manager. `requests` are those read, as text; `connections` those taken.

    `closed` is set once a story has closed its connection.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.stories: list[Story] = [answers({})]
        self.requests: list[str] = []
        self.connections = 0
        self.closed = threading.Event()
        self.stopped = threading.Event()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((HOST, 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}/api/v2"

    def tells(self, *stories: Story) -> None:
        self.stories = list(stories)

    def __enter__(self) -> "RawServer":
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        self.stopped.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.drop_all()
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def drop_all(self) -> None:
        """Close every connection, as a server does that has waited long enough."""
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self.stopped.is_set():
                sock, _address = self._listener.accept()
                self.connections += 1
                self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        with contextlib.suppress(OSError), self._ready(sock) as ready:
            self._sockets.append(ready)
            while ready.fileno() >= 0 and (first := ready.recv(65536)):
                self._next_story()(Conversation(self, ready, first))

    def _ready(self, sock: socket.socket) -> socket.socket:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.tls is None:
            return sock
        with sock:
            return self.tls.wrap_socket(sock, server_side=True)

    def _next_story(self) -> Story:
        with self._lock:
            return self.stories.pop(0) if len(self.stories) > 1 else self.stories[0]


def length_of(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def answer(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    """The bytes of a whole answer. The reason phrase is ours, for nothing may depend on it."""
    lines = {"Content-Length": str(len(body))} | dict(headers or {})
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} As Told\r\n{head}\r\n".encode() + body


def sends(data: bytes) -> Story:
    """Read, and send just these bytes."""

    def story(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(data)

    return story


def answers(
    data: object, status: int = 200, content_type: str = "application/json", **headers: str
) -> Story:
    """A proper answer. Bytes go as they are, all else as JSON; `retry_after` is Retry-After."""
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return sends(answer(status, body, {"Content-Type": content_type} | named))


def says_html(status: int = 200) -> Story:
    return answers(b"\n<!DOCTYPE html><html><body>Bad gateway</body></html>", status, "text/html")


def cuts(data: bytes) -> Story:
    """Promise more than is sent, and close."""

    def story(conversation: Conversation) -> None:
        conversation.read()
        conversation.send(data)
        conversation.close()

    return story


def cuts_body(conversation: Conversation) -> None:
    cuts(answer(200, b'{"id": 1', {"Content-Length": "500"}))(conversation)


def cuts_chunks(conversation: Conversation) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    cuts(head + b'5\r\n{"id"\r\nff\r\n: 1')(conversation)


def cuts_headers(conversation: Conversation) -> None:
    cuts(b"HTTP/1.1 200 OK\r\nContent-Le")(conversation)


def cuts_gzip(conversation: Conversation) -> None:
    body = gzip.compress(b'{"id": 1, "reward_text": "CODE-1"}')[:-12]
    sends(answer(200, body, {"Content-Encoding": "gzip"}))(conversation)


def lies_about_gzip(conversation: Conversation) -> None:
    sends(answer(200, b'{"id": 1}', {"Content-Encoding": "gzip"}))(conversation)


def never_ends(conversation: Conversation) -> None:
    """A body longer than any true answer."""
    conversation.read()
    conversation.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        conversation.send(b"10000\r\n" + b" " * 0x10000 + b"\r\n")


def drops_unread(conversation: Conversation) -> None:
    conversation.close()


def drops_when_read(conversation: Conversation) -> None:
    conversation.read()
    conversation.close()


def resets_unread(conversation: Conversation) -> None:
    conversation.reset()


def resets_when_read(conversation: Conversation) -> None:
    conversation.read()
    conversation.reset()


def hangs(conversation: Conversation) -> None:
    conversation.read()
    conversation.hang()


def hangs_unread(conversation: Conversation) -> None:
    conversation.hang()


def trickles_headers(conversation: Conversation) -> None:
    conversation.read()
    conversation.trickle(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 1000)


def trickles_body(conversation: Conversation) -> None:
    conversation.read()
    conversation.trickle(answer(200, b" " * 10_000))


def speaks_nonsense(conversation: Conversation) -> None:
    sends(b"SSH-2.0-OpenSSH_9.2\r\n")(conversation)


def speaks_nonsense_unread(conversation: Conversation) -> None:
    conversation.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    conversation.close()


def never_reads(conversation: Conversation) -> None:
    conversation.server.stopped.wait(60)


def answers_and_closes(conversation: Conversation) -> None:
    """Without saying so in a header."""
    answers({})(conversation)
    conversation.close()
