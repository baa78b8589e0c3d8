"""A server of the Hugging Face hub for tests: repositories in memory, and as much of its interface as is used."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

Repositories = dict[str, list[dict[str, bytes]]]
"""By name the commits, oldest first, each with all its files."""


def _commit_id(number: int) -> str:
    return hashlib.sha1(str(number).encode()).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    repositories: Repositories
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Print nothing."""

    def _answer(self, value: Any = None, status: int = 200, *, content: bytes = b"", **headers: str) -> None:
        data = json.dumps(value).encode() if value is not None else content
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(data)))
        if value is not None:
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _missing(self, code: str) -> None:
        self._answer({"error": code}, 404, X_Error_Code=code)

    def _files(self, repo: str, revision: str) -> tuple[dict[str, bytes], str] | None:
        """Return the files of a commit and its id; answers where there is none."""
        if repo not in self.repositories:
            self._missing("RepoNotFound")
            return None
        commits = self.repositories[repo]
        for number, files in enumerate(commits):
            if revision == _commit_id(number):
                return files, revision
        if revision != "main":
            self._missing("RevisionNotFound")
            return None
        return commits[-1], _commit_id(len(commits) - 1)

    def do_POST(self) -> None:
        path = unquote(urlsplit(self.path).path)
        body = (
            self.rfile.read(int(self.headers["Content-Length"])) if self.headers["Content-Length"] else self._chunks()
        )
        if self.headers.get("Authorization") != "Bearer token of the tests":
            self._answer({"error": "Unauthorized"}, 401)
        elif path == "/api/repos/create":
            asked = json.loads(body)
            repo = "/".join(filter(None, (asked.get("organization"), asked["name"])))
            if repo in self.repositories:
                self._answer({"error": "exists", "url": f"{self._host}/{repo}"}, 409)
            else:
                self.repositories[repo] = [{}]
                self._answer({"url": f"{self._host}/{repo}"})
        elif path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        elif "/preupload/" in path:
            asked = json.loads(body)["files"]
            modes = [{"path": each["path"], "uploadMode": "regular", "shouldIgnore": False} for each in asked]
            self._answer({"files": modes})
        elif "/commit/" in path:
            self._commit(path.removeprefix("/api/models/").partition("/commit/")[0], body)
        else:
            self._missing("Unknown")

    def _commit(self, repo: str, body: bytes) -> None:
        files = dict(self.repositories[repo][-1])
        for line in body.decode().splitlines():
            operation = json.loads(line)
            value = operation["value"]
            if operation["key"] == "deletedFile":
                del files[value["path"]]
            elif operation["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
        self.repositories[repo].append(files)
        made = _commit_id(len(self.repositories[repo]) - 1)
        self._answer({"success": True, "commitOid": made, "commitUrl": f"{self._host}/{repo}/commit/{made}"})

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.rfile.readline().strip(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if path.startswith("/api/models/"):
            repo, _, rest = path.removeprefix("/api/models/").partition("/revision/")
            if not rest:
                repo, _, rest = repo.partition("/tree/")
            listing = "/tree/" in path
            found = self._files(repo, (rest or "main").split("/")[0])
            if found is not None:
                files, commit = found
                tree = [
                    {"type": "file", "path": name, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                    for name, data in files.items()
                ]
                siblings = [{"rfilename": name} for name in files]
                self._answer(tree if listing else {"id": repo, "sha": commit, "siblings": siblings, "private": False,
                                                   "tags": [], "downloads": 0, "likes": 0})  # fmt: skip
            return
        repo, _, rest = path.strip("/").partition("/resolve/")
        revision, _, name = rest.partition("/")
        found = self._files(repo, revision)
        if found is None:
            return
        files, commit = found
        if name not in files:
            self._missing("EntryNotFound")
            return
        data = files[name]
        self._answer(content=data, X_Repo_Commit=commit, ETag=f'"{hashlib.sha1(data).hexdigest()}"',
                     Content_Length=str(len(data)))  # fmt: skip

    do_HEAD = do_GET

    @property
    def _host(self) -> str:
        host, port = self.server.server_address[:2]
        return f"http://{host!s}:{port}"


class _Server(ThreadingHTTPServer):
    request_queue_size = 64  # the client opens several connections at once


@contextmanager
def stub_hub() -> Iterator[tuple[str, Repositories]]:
    """Serve a hub; yields its address and its repositories."""
    handler = type("Handler", (_Handler,), {"repositories": {}})
    server = _Server(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", handler.repositories
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
