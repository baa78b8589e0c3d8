"""Install what darla needs into the environment whose Python runs this, PyTorch first: what `make install` calls.

    .venv/bin/python tools/install_dependencies.py --extras dev,car-racing

PyPI's PyTorch for Linux brings CUDA along. Where no NVIDIA GPU is seen, the CPU build comes from PyTorch's own index,
as https://pytorch.org/get-started/locally/ says, and PyPI's where that index cannot be reached or has no such build.
A PyTorch that is in the environment already, and that this script did not put there, is kept whatever its version.

Needs nothing but Python's standard library and pip, since nothing else is there yet.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
BUILDS = ("auto", "cpu", "default")
SIZES = {"cpu": "about 0.2 GB", "default": "about 2.7 GB"}
"""What pip downloads for PyTorch 2.13 on x86-64 with Python 3.11, the libraries it depends on included."""
NO_CPU_BUILD = 3
"""Exit code where the CPU build was asked for by name and cannot be had."""
REST_SIZE = "about 0.2 GB"
MARKER = "darla-installed-torch"
"""File in the environment that holds the version of the PyTorch that this script installed."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Install PyTorch, then the other requirements of `pyproject.toml` in the versions of `constraints.txt`."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--extras", default="", help="extras of pyproject.toml, separated by commas")
    parser.add_argument("--torch", choices=BUILDS, default="auto", help="build of PyTorch; auto: by the GPU")
    parser.add_argument("--cpu-index", default=CPU_INDEX, help="package index that has PyTorch's CPU builds")
    parser.add_argument("--plan", action="store_true", help="say what would be installed, and install nothing")
    options = parser.parse_args(arguments)
    extras = [name for name in options.extras.split(",") if name]
    tested = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    wanted = pinned(tested, "torch")
    marker = Path(sys.prefix) / MARKER
    own = other_torch(installed("torch"), marker.read_text() if marker.exists() else None, wanted)
    build = choose_build(options.torch, has_nvidia_gpu())
    print(plan(installed("torch"), own is not None, build, wanted), flush=True)
    if options.plan:
        return 0
    if own is None:
        before = installed("torch")
        code = install_torch(wanted, build, options.cpu_index, may_fall_back=options.torch == "auto")
        if code != 0:
            return code
        marker.write_text(installed("torch") or "")
        if installed("torch") != before:
            print(f"PyTorch {installed('torch')} is installed", flush=True)
    constraints = Path(sys.prefix) / "darla-constraints.txt"
    constraints.write_text(tested if own is None else without(tested, "torch"), encoding="utf-8")
    return pip("install", "--quiet", "--constraint", str(constraints), *requirements(extras))


def pinned(constraints: str, name: str) -> str:
    """Return the version that `name` has in the text of a constraints file.

    Raises:
        ValueError: there is no line `name==VERSION`.
    """
    line = re.search(rf"^{re.escape(name)}==(\S+)$", constraints, re.MULTILINE)
    if line is None:
        raise ValueError(f"constraints.txt has no line {name}==VERSION")
    return line[1]


def without(constraints: str, name: str) -> str:
    """Return the text of a constraints file without the line for `name`."""
    return re.sub(rf"^{re.escape(name)}==.*\n", "", constraints, flags=re.MULTILINE)


def installed(name: str) -> str | None:
    """Return the version of a package in this environment, None if it is not there."""
    # Asked in a process of its own: this one has listed the environment before anything was installed.
    code = f"from importlib import metadata; print(metadata.version({name!r}))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else None


def other_torch(there: str | None, ours: str | None, wanted: str) -> str | None:
    """Return the version of a PyTorch that somebody else installed and that is to be kept, else None.

    Args:
        there: the version that is in the environment, None if there is none.
        ours: the version that this script last installed there.
        wanted: the version that the constraints ask for.
    """
    if there is None or there == ours or public(there) == wanted:
        return None
    return there


def public(version: str) -> str:
    """Return a version without its local part: 2.13.0 of 2.13.0+cpu."""
    return version.partition("+")[0]


def has_nvidia_gpu(root: Path = Path("/")) -> bool:
    """Say whether an NVIDIA GPU is visible here: by its driver's files, or by nvidia-smi.

    Args:
        root: the root of the file system to look at.
    """
    driver = root / "proc" / "driver" / "nvidia" / "gpus"
    if any(driver.glob("*")) or any((root / "dev").glob("nvidia[0-9]*")):
        return True
    try:
        listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return listed.returncode == 0 and "GPU" in listed.stdout


def choose_build(asked: str, gpu: bool) -> str:
    """Return `cpu` or `default` for one of `BUILDS`: `auto` goes by whether there is an NVIDIA GPU."""
    if asked != "auto":
        return asked
    return "default" if gpu else "cpu"


def plan(there: str | None, keep: bool, build: str, wanted: str) -> str:
    """Return the lines that say what will be downloaded.

    Args:
        there: the version of PyTorch in the environment, None if there is none.
        keep: whether that one is kept although it is not the one that is wanted.
        build: `cpu` or `default`.
        wanted: the version that the constraints ask for.
    """
    if there is not None and keep:
        torch = f"PyTorch {there}, which is there already, is kept (darla is tested with {wanted})"
    elif there is not None and public(there) == wanted:
        torch = f"PyTorch {there} is there already"
    elif build == "cpu":
        torch = f"PyTorch {wanted}, the build for CPUs: {SIZES['cpu']} to download; with CUDA: make TORCH=default"
    else:
        torch = f"PyTorch {wanted}, PyPI's build with CUDA: {SIZES['default']} to download; without: make TORCH=cpu"
    return f"installing into {sys.prefix}\n- {torch}\n- the other libraries: {REST_SIZE} at most"


def install_torch(version: str, build: str, cpu_index: str, may_fall_back: bool) -> int:
    """Install one version of PyTorch into this environment.

    Args:
        version: as in the constraints, without a local part.
        build: `cpu` or `default`.
        cpu_index: where CPU builds are.
        may_fall_back: whether PyPI's build will do where the index of CPU builds is of no help.

    Returns:
        0 if it is installed, else the exit code; what to do has been printed.
    """
    if there := installed("torch"):
        if public(there) == version:
            return 0
        print(f"- PyTorch {there}, which make installed before, is replaced", flush=True)
    if build == "cpu":
        if index_has(version, cpu_index):
            # Its dependencies come with the rest, from PyPI, in the versions that are tested.
            # Few retries: ten take four minutes where pip's settings name a local folder and the index is out of reach.
            return pip("install", f"torch=={version}", "--no-deps", "--index-url", cpu_index, retries=4)
        reason = f"{cpu_index} cannot be reached, or has no PyTorch {version} for Python {sys.version.split()[0]}"
        if not may_fall_back:
            print(f"error: {reason}; make TORCH=default takes PyPI's build", file=sys.stderr)
            return NO_CPU_BUILD
        print(f"- {reason}: PyPI's build with CUDA instead, {SIZES['default']}; it works without a GPU", flush=True)
    return pip("install", f"torch=={version}", "--constraint", str(ROOT / "constraints.txt"))


def index_has(version: str, index: str) -> bool:
    """Say whether a package index answers within seconds and has that version of PyTorch for this Python."""
    command = [sys.executable, "-m", "pip", "index", "versions", "torch", "--index-url", index]
    answer = subprocess.run([*command, "--retries", "0", "--timeout", "10"], capture_output=True, text=True)
    listed = re.search(r"^Available versions: (.*)$", answer.stdout, re.MULTILINE)
    return listed is not None and version in {public(each.strip()) for each in listed[1].split(",")}


def requirements(extras: Sequence[str]) -> list[str]:
    """Return the requirements of the project and of some of its extras.

    Raises:
        ValueError: there is no such extra.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional: dict[str, list[str]] = project["optional-dependencies"]
    for name in extras:
        if name not in optional:
            raise ValueError(f"no extra {name!r}; there are {', '.join(sorted(optional))}")
    return [*project["dependencies"], *(each for name in extras for each in optional[name])]


def pip(*words: str, retries: int = 10) -> int:
    """Run pip with patience for a bad connection and return its exit code; say what to do if it fails."""
    patience = ["--retries", str(retries), "--timeout", "60"]
    if tuple(map(int, metadata.version("pip").split(".")[:2])) >= (25, 1):
        patience += ["--resume-retries", "20"]  # goes on inside a file that broke off
    code = subprocess.run([sys.executable, "-m", "pip", *words, *patience]).returncode
    if code != 0:
        print("error: pip failed; if the connection broke, give the same command again: it goes on", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
