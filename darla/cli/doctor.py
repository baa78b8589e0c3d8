"""`darla doctor`: can this machine run darla, and how fast?

Checks are independent, so that one missing library does not hide the next problem. Rendering and training are tried
together in a separate process, as a stage does both: native libraries that crash, alone or because they clash, end only
that process.
"""

import importlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from darla.cli.expected_time import measured_speeds
from darla.common.graphics import missing_packages
from darla.common.jobs.worker_errors import DOCTOR, cause_of_death, report_faults
from darla.common.speeds.records import VARIABLE, speeds_file
from darla.common.threads import available_cores, default_threads

Status = Literal["ok", "note", "fail"]

_PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "gymnasium": "gymnasium",
    "pyglet": "pyglet",
    "stable-baselines3": "stable_baselines3",
    "tensorboard": "tensorboard",
    "scipy": "scipy",
    "scikit-learn": "sklearn",
    "safetensors": "safetensors",
    "tyro": "tyro",
    "tqdm": "tqdm",
    "pillow": "PIL",
    "matplotlib": "matplotlib",
}
_PYTHON = (3, 11)
_DISK_GB = 3.0  # frames, encoders and agents of the `quick` preset, with some to spare
_RENDER_STEPS = 400
_SLOW_FRAMES = 150.0  # frames per second below which `darla demo` misses its twenty minutes


@dataclass(frozen=True)
class Check:
    """The result of one check."""

    name: str
    verdict: Status
    """`fail`: darla will not work; `note`: it works, and this is worth knowing; `ok`."""
    message: str


@dataclass(frozen=True)
class DoctorReport:
    """The results of all checks."""

    checks: tuple[Check, ...]

    @property
    def healthy(self) -> bool:
        """Whether no check failed."""
        return all(check.verdict != "fail" for check in self.checks)

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.checks)
        lines = [f"{check.verdict:>4}  {check.name:<{width}}  {check.message}" for check in self.checks]
        failed = sum(check.verdict == "fail" for check in self.checks)
        lines.append("this machine can run darla" if not failed else f"{failed} of {len(self.checks)} checks failed")
        return "\n".join(lines)


def doctor(folder: Path | str = ".") -> DoctorReport:
    """Check this machine: Python, packages, cores, number formats, GPU, rendering, disk.

    Args:
        folder: where runs will be written; its disk is checked.
    """
    return DoctorReport(tuple(_checks(Path(folder))))


def _checks(folder: Path) -> Iterator[Check]:
    checks: tuple[Callable[[], Check], ...] = (
        _python,
        _packages,
        _pytorch,
        _cores,
        _number_formats,
        _gpu,
        _graphics_libraries,
        _rendering,
        lambda: _disk(folder),
        _tensorboard,
        _speeds,
    )
    for check in checks:
        yield check()


def _python() -> Check:
    verdict: Status = "ok" if sys.version_info >= _PYTHON else "fail"
    needed = "" if verdict == "ok" else f"; {'.'.join(map(str, _PYTHON))} or newer is needed"
    return Check("python", verdict, f"{platform.python_version()} on {platform.system()} {platform.machine()}{needed}")


def _packages() -> Check:
    versions, broken = [], []
    for package, module in _PACKAGES.items():
        try:
            importlib.import_module(module)
            versions.append(f"{package} {metadata.version(package)}")
        except Exception as error:  # a broken package may raise anything
            broken.append(f"{package} ({type(error).__name__}: {error})")
    try:
        # Only its version: importing it fails where there is no display, unless pyglet is told so before.
        versions.append(f"miniworld {metadata.version('miniworld')}")
    except metadata.PackageNotFoundError:
        broken.append("miniworld (not installed)")
    if broken:
        return Check("packages", "fail", "cannot be imported: " + "; ".join(broken))
    return Check("packages", "ok", ", ".join(versions))


def _pytorch() -> Check:
    """Return the build of PyTorch: PyPI's for Linux has CUDA and triton, which contains an LLVM."""
    try:
        import torch
    except Exception as error:
        return Check("pytorch", "fail", f"cannot be imported ({type(error).__name__}: {error})")
    build = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "for the CPU"
    if getattr(torch.version, "hip", None):
        build = f"for ROCm {torch.version.hip}"
    try:
        triton = f"triton {metadata.version('triton')}, which is loaded before a renderer is opened"
    except metadata.PackageNotFoundError:
        triton = "triton is not installed"
    return Check("pytorch", "ok", f"{torch.__version__}, built {build}; {triton}")


def _cores() -> Check:
    cores = available_cores()
    threads = default_threads(cores)
    plan = f"a study runs {cores} jobs at a time with {threads} thread each, a single stage uses {cores} threads"
    return Check("cores", "ok", f"{cores}; {plan}")


def _number_formats() -> Check:
    """Check for the CPU instructions that make training fast."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return Check("bfloat16", "note", "unknown on this system")
    instructions = {"avx512_bf16": "AVX512-BF16", "amx_bf16": "AMX"}
    available = [name for flag, name in instructions.items() if flag in flags]
    if available:
        return Check("bfloat16", "ok", f"{' and '.join(available)}: encoders train in bfloat16, about twice as fast")
    return Check("bfloat16", "note", "not on this CPU: encoders train in float32, at about half the speed")


def _gpu() -> Check:
    try:
        import torch

        names = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    except Exception as error:
        return Check("gpu", "note", f"cannot be queried ({type(error).__name__}: {error})")
    return Check("gpu", "ok", ", ".join(names) if names else "none; none is needed")


def _graphics_libraries() -> Check:
    if missing := missing_packages():
        return Check("graphics libraries", "fail", f"missing; on Debian or Ubuntu: apt-get install {' '.join(missing)}")
    return Check("graphics libraries", "ok", "EGL, GL, GLU and FreeType are installed")


def _rendering() -> Check:
    try:
        process = subprocess.run(
            [sys.executable, "-c", f"from {__name__} import _render_and_train as work; work()"],
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
    except subprocess.TimeoutExpired:
        return Check("rendering", "fail", "no image and no optimizer step within two minutes")
    if process.returncode < 0:
        return Check("rendering", "fail", _crash(process))
    if process.returncode != 0:
        reason = (process.stderr.strip() or f"the process ended with code {process.returncode}").splitlines()[-1]
        return Check("rendering", "fail", reason)
    frames, renderer = process.stdout.strip().splitlines()[-1].split(" ", 1)
    speed = f"{float(frames):.0f} frames per second at 64x64 in one process, {renderer}; training works beside it"
    return Check("rendering", "ok" if float(frames) > _SLOW_FRAMES else "note", speed)


def _crash(process: subprocess.CompletedProcess[str]) -> str:
    """Describe a process that a signal ended: what it had done, and the line of Python that it was in."""
    drawn = process.stdout.strip()
    done = f"after rendering with {drawn.splitlines()[-1].split(' ', 1)[1]}, in training" if drawn else "in rendering"
    # faulthandler's report: the innermost call comes first; calls of the import system are of no use.
    calls = [line.strip() for line in process.stderr.splitlines() if line.strip().startswith("File ")]
    where = next((call for call in calls if "<frozen" not in call), "")
    cause = cause_of_death(process.returncode).removesuffix(f"; {DOCTOR}")
    return f"the process {cause} ({done}" + (f"; in {where})" if where else ")")


def _render_and_train() -> None:
    """Render SeekAvoid, take an optimizer step, and render again; runs in a separate process.

    Prints the frames per second and the renderer. The order is the one that used to crash: PyTorch loads triton with
    the first optimizer, after the renderer has been opened.
    """
    report_faults()
    from darla.envs import make, tasks
    from darla.envs.seek_avoid.opengl import gl

    env = make(tasks.get("conjunction").source)
    env.action_space.seed(0)
    image, _ = env.reset(seed=0)
    if image.min() == image.max():
        raise SystemExit("the image has only one color: the driver renders nothing")
    started = time.perf_counter()
    for _ in range(_RENDER_STEPS):
        _, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            env.reset()
    rate = _RENDER_STEPS / (time.perf_counter() - started)
    print(f"{rate:.1f} {gl.gl_info.get_renderer()}", flush=True)

    import torch

    network = torch.nn.Conv2d(3, 4, 3)
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.from_numpy(image).permute(2, 0, 1).float()).square().mean().backward()
    optimizer.step()
    again, _ = env.reset(seed=0)
    if (again != image).any():
        raise SystemExit("the same state renders differently after an optimizer step")
    env.close()


def _disk(folder: Path) -> Check:
    existing = folder.resolve()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / 1e9
    if not os.access(existing, os.W_OK):
        return Check("disk", "fail", f"{existing} cannot be written to")
    enough = free >= _DISK_GB
    return Check(
        "disk",
        "ok" if enough else "fail",
        f"{free:.1f} GB free at {existing}" + ("" if enough else f"; {_DISK_GB:.0f} GB are needed"),
    )


def _tensorboard() -> Check:
    try:
        from torch.utils.tensorboard import SummaryWriter  # noqa: F401
    except Exception as error:
        return Check("tensorboard", "fail", f"cannot be used ({type(error).__name__}: {error})")
    return Check("tensorboard", "ok", "tensorboard --logdir runs shows the training curves")


def _speeds() -> Check:
    """Return what stages have measured, from which expected times follow."""
    if (path := speeds_file()) is None:
        return Check("speeds", "ok", f"switched off ({VARIABLE})")
    speeds = ", ".join(measured_speeds())
    return Check("speeds", "ok", f"{speeds}; in {path}" if speeds else "no stage was measured on this machine yet")
