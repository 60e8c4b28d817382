"""A small HTTP server on a free loopback port that records what it is asked and can be told to misbehave."""

from __future__ import annotations

import json
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

LINGER_ZERO = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    host: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    port: int


@dataclass(frozen=True, slots=True)
class Reply:
    """One whole answer."""

    status: int
    body: bytes
    kind: str = "application/json;charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


class Fault(Protocol):
    """One way to misbehave instead of answering `body`, the good answer."""

    def play(self, handler: Handler, body: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class Status:
    """Answers with a status, headers and a body of its own."""

    code: int
    body: str = '{"message": "no"}'
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def play(self, handler: Handler, body: bytes) -> None:
        handler.reply(Reply(self.code, self.body.encode(), self.kind, self.headers))


HTML = Status(200, "<html><body>We are sorry</body></html>", "text/html")


@dataclass(frozen=True, slots=True)
class Hang:
    """Sends nothing, or with `after` the first bytes of the good answer, and then keeps silent."""

    after: int | None = None

    def play(self, handler: Handler, body: bytes) -> None:
        if self.after is not None:
            handler.head(200, "application/json", len(body))
            handler.wfile.write(body[: self.after])
        handler.wire.ending.wait()
        handler.close_connection = True


@dataclass(frozen=True, slots=True)
class Drip:
    """Sends the good answer so slowly that it never ends, one byte at a time."""

    def play(self, handler: Handler, body: bytes) -> None:
        handler.head(200, "application/json", len(body))
        for byte in body:
            if handler.wire.ending.wait(0.05):
                break
            try:
                handler.wfile.write(bytes([byte]))
            except OSError:
                break
        handler.close_connection = True


@dataclass(frozen=True, slots=True)
class Reset:
    """Breaks the connection off without a word (TCP reset)."""

    def play(self, handler: Handler, body: bytes) -> None:
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        handler.connection.close()
        handler.close_connection = True


@dataclass(frozen=True, slots=True)
class Truncated:
    """Half of the good answer: with its true length announced, so that it is short, or as if that were all."""

    announced: bool

    def play(self, handler: Handler, body: bytes) -> None:
        half = body[: len(body) // 2]
        handler.head(200, "application/json", len(body) if self.announced else len(half))
        handler.wfile.write(half)
        handler.close_connection = handler.close_connection or self.announced


class Handler(BaseHTTPRequestHandler):
    """One connection; what it answers is decided by the wire."""

    protocol_version = "HTTP/1.1"
    server: Server

    @property
    def wire(self) -> Wire:
        """The wire this connection belongs to."""
        return self.server.wire

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        host = self.headers.get("Host", "")
        asked = Asked(
            self.command, host, parts.path, query, dict(self.headers.items()), self.client_address[1]
        )
        self.wire.asked.append(asked)
        good = self.wire.answer(asked)
        fault = self.wire.next_fault(asked)
        if fault is not None:
            fault.play(self, good.body)
        else:
            self.reply(good)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def reply(self, reply: Reply) -> None:
        """A whole answer."""
        self.head(reply.status, reply.kind, len(reply.body), reply.headers)
        self.wfile.write(reply.body)

    def head(self, code: int, kind: str, length: int, headers: Mapping[str, str] | None = None) -> None:
        """The status line and headers."""
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keeps quiet."""


class Server(ThreadingHTTPServer):
    """The listening socket; a client that goes away is no news."""

    daemon_threads = True
    block_on_close = False
    wire: Wire

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A broken connection is what these tests are about."""


class Wire(ABC):
    """A server with an end. `faults` are played one per faulty request; `always` to every further one."""

    handler: type[BaseHTTPRequestHandler] = Handler

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.faults: deque[Fault | None] = deque()
        self.always: Fault | None = None
        self.ending = threading.Event()
        self._server = Server(("127.0.0.1", 0), self.handler)
        self._server.wire = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The server's own address."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @abstractmethod
    def answer(self, asked: Asked) -> Reply:
        """The good answer."""

    def is_faulty(self, asked: Asked) -> bool:
        """Whether a fault may be played to this request."""
        return True

    def next_fault(self, asked: Asked) -> Fault | None:
        """The fault to play now; None to answer well."""
        if not self.is_faulty(asked):
            return None
        return self.faults.popleft() if self.faults else self.always

    def __enter__(self) -> Wire:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def as_json(value: Any, status: int = 200) -> Reply:
    """An answer of JSON."""
    return Reply(status, json.dumps(value).encode())
