"""PyTorch from an index of CPU builds, through pip, against an index on this machine with packages made here.

The real ones, PyTorch's and PyPI's, are what `make test-installs` takes.
"""

import base64
import hashlib
import os
import shutil
import subprocess
import threading
import venv
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import install_dependencies as installing
import pip
import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
VERSION = installing.pinned((TOOLS.parent / "constraints.txt").read_text(encoding="utf-8"), "torch")
NOBODY = "http://127.0.0.1:9/whl/cpu"
"""An address at which nothing listens."""


def wheel(name: str, version: str, needs: tuple[str, ...] = (), size: int = 1000) -> tuple[str, bytes]:
    """Make a package with nothing but its name and as many bytes as one likes; returns the file's name and content."""
    folder = f"{name}-{version}.dist-info"
    parts = {
        f"{name}.bin": os.urandom(size),
        f"{folder}/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {n}" for n in needs)]
        ).encode(),
        f"{folder}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, content in parts.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
    parts[f"{folder}/RECORD"] = "\n".join([*rows, f"{folder}/RECORD,,\n"]).encode()
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path, content in parts.items():
            archive.writestr(path, content)
    return f"{name}-{version}-py3-none-any.whl", stream.getvalue()


class Index(ThreadingHTTPServer):
    """A package index on this machine that notes what it is asked for, and can break off a download."""

    def __init__(self, *wheels: tuple[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.wheels = dict(wheels)
        self.breaks = 0
        """How many more downloads end halfway."""
        self.downloads: list[tuple[str, str]] = []
        """Name of each file that was asked for, and the range of bytes that was wanted of it."""

    @property
    def url(self) -> str:
        """The index's address, for pip."""
        return f"http://127.0.0.1:{self.server_port}/simple"


Start = Callable[..., Index]
"""What the fixture `serve` gives: wheels to an index with them."""


class Answer(BaseHTTPRequestHandler):
    """Answers one request: the page of a package, or a file."""

    server: Index

    def do_GET(self) -> None:
        name = self.path.strip("/").rpartition("/")[2].replace("%2B", "+")
        if name in self.server.wheels:
            self.file(name, self.server.wheels[name])
            return
        files = [file for file in self.server.wheels if file.split("-")[0] == name]
        page = "".join(f'<a href="/files/{file.replace("+", "%2B")}">{file}</a>' for file in files).encode()
        self.send_response(200 if files else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def file(self, name: str, content: bytes) -> None:
        wanted = self.headers.get("Range", "")
        self.server.downloads.append((name, wanted))
        begin = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - begin))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Cache-Control", "max-age=3600")
        if wanted:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.server.breaks > 0:
            self.server.breaks -= 1
            self.wfile.write(content[begin : begin + (len(content) - begin) // 2])
            self.close_connection = True
            return
        self.wfile.write(content[begin:])

    def log_message(self, *words: object) -> None:
        """Print nothing."""


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with nothing in it but this one's pip."""
    folder = tmp_path / "venv"
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    ours = Path(pip.__file__).parent
    shutil.copytree(ours, packages / "pip", ignore=shutil.ignore_patterns("__pycache__"))
    (about,) = ours.parent.glob("pip-*.dist-info")
    shutil.copytree(about, packages / about.name)
    return folder


@pytest.fixture
def serve() -> Iterator[Start]:
    """Start an index; stopped at the end."""
    started: list[Index] = []

    def start(*wheels: tuple[str, bytes]) -> Index:
        index = Index(*wheels)
        threading.Thread(target=index.serve_forever, daemon=True).start()
        started.append(index)
        return index

    yield start
    for index in started:
        index.shutdown()
        index.server_close()


def install(environment: Path, build: str, cpu_index: str, pypi: str = NOBODY) -> subprocess.CompletedProcess[str]:
    """Install PyTorch as the Makefile does; `build` is that of `make TORCH=...`."""
    may_fall_back = build == "auto"
    call = (
        "import sys, install_dependencies as installing; sys.exit(installing.install_torch("
        f"{VERSION!r}, {'cpu' if build == 'auto' else build!r}, {cpu_index!r}, {may_fall_back}))"
    )
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    variables |= {"PIP_CONFIG_FILE": os.devnull, "PIP_CACHE_DIR": str(environment / "cache"), "PIP_INDEX_URL": pypi}
    variables["PIP_TRUSTED_HOST"] = "127.0.0.1"  # pip caches what comes by HTTPS or from a host that it trusts
    return subprocess.run(
        [environment / "bin" / "python", "-c", call],
        cwd=TOOLS,
        env={**variables, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def torch_in(environment: Path) -> str:
    folders = [path.name for path in environment.glob("lib/python*/site-packages/torch-*.dist-info")]
    return ", ".join(folders)


def test_the_cpu_build_comes_from_its_index(environment: Path, serve: Start) -> None:
    cpu = serve(wheel("torch", f"{VERSION}+cpu", needs=("sympy",)))
    pypi = serve(wheel("torch", VERSION))
    done = install(environment, "auto", cpu.url, pypi.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert torch_in(environment) == f"torch-{VERSION}+cpu.dist-info"
    assert pypi.downloads == []


def test_a_download_that_breaks_off_goes_on_where_it_was(environment: Path, serve: Start) -> None:
    if tuple(map(int, pip.__version__.split(".")[:2])) < (25, 1):
        pytest.skip("pip cannot go on inside a file before 25.1")
    cpu = serve(wheel("torch", f"{VERSION}+cpu", size=4_000_000))
    cpu.breaks = 1
    done = install(environment, "cpu", cpu.url)
    assert done.returncode == 0, done.stdout + done.stderr
    (first, second) = [wanted for _, wanted in cpu.downloads]
    assert first == ""
    assert int(second.removeprefix("bytes=").split("-")[0]) > 1_000_000
    assert torch_in(environment) == f"torch-{VERSION}+cpu.dist-info"


@pytest.mark.parametrize("reached", [False, True], ids=["refused", "without this release"])
def test_without_a_cpu_build_pypi_has_one(reached: bool, environment: Path, serve: Start) -> None:
    pypi = serve(wheel("torch", VERSION))
    index = serve(wheel("torch", "1.0+cpu")).url if reached else NOBODY
    done = install(environment, "auto", index, pypi.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{index} cannot be reached, or has no PyTorch {VERSION} for Python" in done.stdout
    assert torch_in(environment) == f"torch-{VERSION}.dist-info"


def test_a_cpu_build_that_was_asked_for_by_name_is_not_replaced_by_another(environment: Path, serve: Start) -> None:
    pypi = serve(wheel("torch", VERSION))
    done = install(environment, "cpu", NOBODY, pypi.url)
    assert done.returncode == installing.NO_CPU_BUILD
    assert "make TORCH=default takes PyPI's build" in done.stderr
    assert pypi.downloads == []


def test_the_same_command_again_downloads_only_what_is_missing(environment: Path, serve: Start) -> None:
    large, small = wheel("torch", VERSION, needs=("sympy==1.14.0",), size=2_000_000), wheel("sympy", "1.14.0")
    pypi = serve(large)  # the network goes down before the second file
    failed = install(environment, "default", NOBODY, pypi.url)
    assert failed.returncode != 0
    assert "give the same command again" in failed.stderr
    assert torch_in(environment) == ""
    pypi.wheels = dict([large, small])
    done = install(environment, "default", NOBODY, pypi.url)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [name for name, _ in pypi.downloads] == [large[0], small[0]]
    assert torch_in(environment) == f"torch-{VERSION}.dist-info"
