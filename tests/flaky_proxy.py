"""A TCP proxy in front of an HTTP server that does to each request what the test asks: pass, drop, cut, stall, lie."""

from __future__ import annotations

import re
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fakes import WAIT_S

Fault = Literal[
    "drop",
    "reset",
    "half",
    "cut",
    "stall",
    "error",
    "busy",
    "conflict",
    "precondition",
    "skew",
    "archived",
    "glacier",
    "spoil",
    "spoil_upload",
    "bare",
]
"""drop: the connection closes before anything is forwarded. reset: the server does it, but the answer is a TCP reset.
half: the server gets half of the body, then silence. cut: half of the answer. stall: no answer until the proxy closes.
error, busy, conflict, precondition: 500, 503, 409, 412 without asking the server. skew: S3's answer to a wrong clock.
archived, glacier: what Azure and S3 answer to whoever reads from the archive. spoil: a byte of the answer's body is
another one. spoil_upload: a byte of the request's body is another one. bare: ETags in the answer's body
have no quotes, as in Azure's listings."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the proxy was asked to forward."""

    number: int
    method: str
    path: str


_SKEW = (
    b"<Error><Code>RequestTimeTooSkewed</Code>"
    b"<Message>The difference between the request time and the current time is too large.</Message></Error>"
)
_ARCHIVED = (
    b"<Error><Code>BlobArchived</Code><Message>This operation is not permitted on an archived blob.</Message></Error>"
)
_GLACIER = b"<Error><Code>InvalidObjectState</Code><Message>The storage class does not allow it</Message></Error>"
_ANSWERS = {
    "error": (500, b""),
    "busy": (503, b"<Error><Code>SlowDown</Code></Error>"),
    "conflict": (409, b""),
    "precondition": (412, b""),
    "skew": (403, _SKEW),
    "archived": (409, _ARCHIVED),
    "glacier": (403, _GLACIER),
}


_QUOTED = re.compile(rb'<ETag>(?:"|&quot;)(.*?)(?:"|&quot;)</ETag>')
_LENGTH = re.compile(rb"(?mi)^content-length:.*\r\n")


class FlakyProxy:
    """Listens on a free port of this machine; a context manager. `fault` may be set at any time."""

    def __init__(self, *, upstream_port: int, translate: Callable[[bytes], bytes] = lambda head: head) -> None:
        """`translate` is applied to the head of each request, `Connection` left out, on its way to the server."""
        self._translate = translate
        self.fault: Callable[[Request], Fault | None] = lambda request: None
        self.requests: list[Request] = []
        self.answered = 0
        """Bytes of the server's answers, heads included."""
        self.stalled = threading.Event()
        """Set as soon as a request has been stalled."""
        self._closing = threading.Event()
        proxy, upstream = self, upstream_port

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                try:
                    proxy._serve(self.request, upstream)
                except OSError:
                    return  # the client hung up

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = False
            allow_reuse_address = True

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="proxy")

    @property
    def url(self) -> str:
        """Where the proxy listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FlakyProxy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _serve(self, client: socket.socket, upstream: int) -> None:
        """One request, one connection."""
        client.settimeout(WAIT_S)
        head, body = _read_message(client)
        if not head:
            return
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        request = Request(len(self.requests), method, path)
        self.requests.append(request)
        fault = self.fault(request)
        if fault in _ANSWERS:
            status, text = _ANSWERS[fault]
            opening = b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            client.sendall(opening % (status, len(text)) + text)
        elif fault == "stall":
            self.stalled.set()
            self._closing.wait()
        elif fault == "half":
            _ask(upstream, self._translate(head), body[: len(body) // 2], whole=False)
        elif fault != "drop":
            body = _spoilt(body) if fault == "spoil_upload" else body
            self._answer(client, _ask(upstream, self._translate(head), body), fault)

    def _answer(self, client: socket.socket, answer: bytes, fault: Fault | None) -> None:
        self.answered += len(answer)
        if fault == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        elif fault == "cut":
            client.sendall(answer[: len(answer) // 2])
        elif fault == "bare":
            bare, changed = _QUOTED.subn(rb"<ETag>\1</ETag>", answer)
            assert changed or b"<ETag>" not in answer, "the server quotes its marks in another way"
            client.sendall(_LENGTH.sub(b"", bare))
        else:
            client.sendall(_spoilt(answer) if fault == "spoil" and not answer.endswith(b"\r\n\r\n") else answer)


def _spoilt(data: bytes) -> bytes:
    """With the last byte changed."""
    return data[:-1] + bytes([data[-1] ^ 1]) if data else data


def _read_message(client: socket.socket) -> tuple[bytes, bytes]:
    """Head (without `Connection`) and body of one HTTP message."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            return b"", b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    sizes = [int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")]
    while len(body) < sum(sizes):
        body += client.recv(65536)
    return b"\r\n".join(lines), body


def _ask(port: int, head: bytes, body: bytes, *, whole: bool = True) -> bytes:
    """The server's answer; b"" if the request was cut short."""
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT_S) as server:
        server.sendall(head + b"\r\nConnection: close\r\n\r\n" + body)
        server.shutdown(socket.SHUT_WR)
        answer = b""
        while more := server.recv(65536):
            answer += more
    return answer if whole else b""
