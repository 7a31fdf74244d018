"""``python -m sandbox``: start, say where on one line, serve until told to end."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import sqlite3
import ssl
import sys
import tempfile
import threading
from pathlib import Path

from sandbox.server import SandboxServer
from sandbox.till.api import Till
from sandbox.world import World
from sandbox.yotpo.store import NotOurs, Store

RATES = {"10": 10, "5": 5, "off": None}


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(argv)
    tls = _tls(parser, options)
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder:
        path = options.db or str(Path(folder, "sandbox.sqlite3"))
        try:
            store = Store(path)
        except (NotOurs, sqlite3.Error) as error:
            parser.error(f"--db: {error}")
        world = World(
            store,
            guid=options.guid,
            api_key=options.api_key,
            rate=RATES[options.rate],
            seeded=options.seed,
        )
        till = Till(world, options.till, f"{path}-till")
        till.start()
        _serve(SandboxServer((options.host, options.port), world, tls, till), options.until_eof)
        till.stop()
        store.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("sandbox", description="A stand-in of the loyalty engine.")
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="loopback only")
    parser.add_argument("--port", type=int, default=8701, help="0 takes a free one")
    parser.add_argument("--db", help="SQLite file; an existing one is continued")
    parser.add_argument("--guid", default="sandbox-guid")
    parser.add_argument("--api-key", default="sandbox-key")
    parser.add_argument("--rate", choices=RATES, default="10", help="calls a second")
    parser.add_argument("--no-seed", dest="seed", action="store_false", help="start empty")
    parser.add_argument("--tls-cert", metavar="FILE", help="serve https: the certificate as PEM")
    parser.add_argument("--tls-key", metavar="FILE", help="and its key")
    parser.add_argument(
        "--till", type=Path, metavar="FILE", help="keys of the till page, of mode 0600"
    )
    parser.add_argument("--until-eof", action="store_true", help="end when stdin is closed")
    return parser


def _loopback(host: str) -> str:
    """The control API has no key, so the sandbox never listens to other machines."""
    address = "127.0.0.1" if host == "localhost" else host
    try:
        parsed = ipaddress.IPv4Address(address)
    except ValueError:
        raise argparse.ArgumentTypeError("must be an IPv4 loopback address") from None
    if not parsed.is_loopback:
        raise argparse.ArgumentTypeError("must be a loopback address")
    return address


def _tls(parser: argparse.ArgumentParser, options: argparse.Namespace) -> ssl.SSLContext | None:
    if not options.tls_cert and not options.tls_key:
        return None
    if not options.tls_cert or not options.tls_key:
        parser.error("--tls-cert and --tls-key go together")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(options.tls_cert, options.tls_key)
    except OSError as error:
        parser.error(f"--tls-cert, --tls-key: {error}")
    return context


def _serve(server: SandboxServer, until_eof: bool) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stopping.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    if until_eof:
        threading.Thread(target=_stop_at_eof, args=(server,), daemon=True).start()
    host, port = server.server_address[:2]
    print(f"sandbox ready on {server.scheme}://{host!s}:{port}", flush=True)
    server.stopping.wait()
    server.shutdown()
    server.server_close()


def _stop_at_eof(server: SandboxServer) -> None:
    """The one who started us is gone, however it ended."""
    # Not sys.stdin: its lock would be held here when the interpreter ends.
    while os.read(0, 1024):
        pass
    server.stopping.set()


if __name__ == "__main__":
    sys.exit(main())
