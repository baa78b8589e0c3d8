"""The explorer's page from a local server: it decodes codes and encodes images while the page is used.

It answers on 127.0.0.1 alone, and only requests that name that host (a page elsewhere could otherwise reach it under a
name of its own). It reads no files by request.
"""

import base64
import json
import threading
from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from darla.common import InputError
from darla.reports.explorer.encoder_view import from_rgba, rgba
from darla.reports.explorer.page import live_page
from darla.reports.explorer.page_data import Explored, page_data

Array = np.ndarray[Any, Any]
HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; connect-src 'self'"
)
_MOST_BYTES = 16 << 20


class ExplorerServer(ThreadingHTTPServer):
    """Serves one page about one or two encoders.

    Args:
        columns: the encoders.
        images: images to choose from, uint8 (n, H, W, C).
        port: of 127.0.0.1; 0 for any that is free.

    Raises:
        InputError: the port is in use.
    """

    daemon_threads = True

    def __init__(self, columns: Sequence[Explored], images: Array, port: int = 0) -> None:
        self.columns = tuple(columns)
        self._images = images
        self._one_at_a_time = threading.Lock()
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise InputError(f"port {port} of {HOST} cannot be used: {error.strerror}; choose another one") from error

    @property
    def url(self) -> str:
        """Address of the page."""
        return f"http://{HOST}:{self.server_port}/"

    @cached_property
    def page(self) -> bytes:
        """The page with its data."""
        return live_page(page_data(self.columns, self._images)).encode()

    def decode(self, request: Any) -> dict[str, Any]:
        """Return the image of a code, and what the agent makes of the code.

        Args:
            request: `encoder`, the number of the column, and `code`, D numbers.

        Raises:
            InputError: anything else.
        """
        number = request.get("encoder") if isinstance(request, dict) else None
        if not isinstance(number, int) or not 0 <= number < len(self.columns):
            raise InputError(f"encoder must be a number from 0 to {len(self.columns) - 1}, not {number!r}")
        column = self.columns[number]
        code, size = request.get("code"), column.view.model.latent_dim
        if not isinstance(code, list) or len(code) != size or not all(isinstance(each, int | float) for each in code):
            raise InputError(f"code must be a list of {size} numbers")
        values = np.array(code, np.float32)
        if not np.isfinite(values).all():
            raise InputError("code must be finite")
        with self._one_at_a_time:
            image = rgba(column.view.decode(values[None]))[0]
            choice = None if column.policy is None else asdict(column.policy.choose(values))
        return {"image": base64.b64encode(image.tobytes()).decode(), "policy": choice}

    def encode(self, body: bytes) -> dict[str, Any]:
        """Return the codes of an image, one for each encoder.

        Args:
            body: uint8 (H, W, 4), as a canvas has it.

        Raises:
            InputError: another number of bytes.
        """
        height, width, _ = self.columns[0].view.model.image_shape
        if len(body) != height * width * 4:
            raise InputError(f"an image must have {height} x {width} x 4 bytes, not {len(body)}")
        image = np.frombuffer(body, np.uint8).reshape(1, height, width, 4)
        views = [column.view for column in self.columns]
        with self._one_at_a_time:
            codes = [view.encode(from_rgba(image, view.model.image_shape))[0].tolist() for view in views]
        return {"codes": codes}


class _Handler(BaseHTTPRequestHandler):
    server: ExplorerServer
    protocol_version = "HTTP/1.1"
    # Otherwise an answer waits 40 ms for the acknowledgment of its head.
    disable_nagle_algorithm = True
    timeout = 600

    def do_GET(self) -> None:
        if not self._is_from_here():
            return
        if self.path == "/":
            self._answer(200, "text/html; charset=utf-8", self.server.page)
        elif self.path == "/favicon.ico":
            self._answer(204, "image/x-icon", b"")
        else:
            self._answer(404, "text/plain; charset=utf-8", b"there is no such page")

    def do_POST(self) -> None:
        body = self._body()
        if body is None or not self._is_from_here():
            return
        try:
            if self.path == "/decode":
                answer = self.server.decode(json.loads(body))
            elif self.path == "/encode":
                answer = self.server.encode(body)
            else:
                self._answer(404, "text/plain; charset=utf-8", b"there is no such request")
                return
        except (InputError, ValueError, RecursionError) as error:
            self._answer(400, "text/plain; charset=utf-8", str(error).encode())
            return
        self._answer(200, "application/json", json.dumps(answer).encode())

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            self.close_connection = True
            self._answer(413, "text/plain; charset=utf-8", b"the request is too large")
            return None
        return self.rfile.read(int(length))

    def _is_from_here(self) -> bool:
        """Refuse requests for another host, and those that a page of another host makes."""
        hosts = {f"{name}:{self.server.server_port}" for name in _NAMES}
        origin = self.headers.get("Origin")
        if self.headers.get("Host") in hosts and (origin is None or origin.removeprefix("http://") in hosts):
            return True
        self.close_connection = True
        self._answer(403, "text/plain; charset=utf-8", b"only pages of this server may ask")
        return False

    def _answer(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", _POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Print nothing: a line for every movement of a slider would be noise."""
