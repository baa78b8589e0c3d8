"""What the Makefile installs: which PyTorch, from where, and what it says where something is missing."""

import os
import subprocess
import sys
from pathlib import Path

import install_dependencies as installing
import pytest

ROOT = Path(__file__).resolve().parents[2]


def make(*words: str, folder: Path = ROOT, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "TORCH", "VENV"))}
    return subprocess.run(
        ["make", "-C", str(folder), *words], capture_output=True, text=True, env={**environment, **variables}
    )


def planned(*words: str, **variables: str) -> str:
    done = make("-n", "install", f"VENV={'/nowhere/at/all'}", *words, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_build_and_the_index_of_pytorch_are_variables_of_make() -> None:
    assert "--torch auto --cpu-index https://download.pytorch.org/whl/cpu --extras dev," in planned()
    assert "--torch default --cpu-index http://127.0.0.1:9/ " in planned(
        "TORCH=default", "TORCH_CPU_INDEX=http://127.0.0.1:9/"
    )
    assert "--torch cpu " in planned(TORCH="cpu")


def test_the_python_is_a_variable_of_make() -> None:
    assert "tools/make_venv.sh /nowhere/at/all /opt/python3.12\n" in planned("PYTHON=/opt/python3.12")
    assert "tools/make_venv.sh /nowhere/at/all /opt/python3.12\n" in planned(PYTHON="/opt/python3.12")


@pytest.mark.parametrize("target", ["demo", "test", "bench"])
def test_graphics_libraries_are_asked_for_before_the_download(target: str) -> None:
    plan = make("-n", target, "VENV=/nowhere/at/all").stdout
    assert plan.index("graphics.py") < plan.index("install_dependencies.py")


def test_an_index_that_refuses_connections_is_left_within_seconds(tmp_path: Path) -> None:
    # pip's own settings, of whoever runs this, might know another place for PyTorch.
    quiet = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "0"}
    code = "import install_dependencies as i, sys; print(i.index_has('2.13.0', sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "http://127.0.0.1:9/whl/cpu"],
        capture_output=True,
        text=True,
        timeout=60,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("PIP_")}, **quiet},
        cwd=ROOT / "tools",
    )
    assert done.stdout.strip() == "False", done.stderr


def test_the_build_goes_by_the_gpu_unless_it_is_named() -> None:
    assert installing.choose_build("auto", gpu=False) == "cpu"
    assert installing.choose_build("auto", gpu=True) == "default"
    assert installing.choose_build("cpu", gpu=True) == "cpu"
    assert installing.choose_build("default", gpu=False) == "default"


@pytest.mark.parametrize("path", ["dev/nvidia0", "proc/driver/nvidia/gpus/0000:01:00.0"])
def test_a_gpu_is_seen_by_the_files_of_its_driver(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # no nvidia-smi
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()  # the driver without a GPU
    assert not installing.has_nvidia_gpu(tmp_path)
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).touch()
    assert installing.has_nvidia_gpu(tmp_path)


@pytest.mark.parametrize(("prints", "code", "seen"), [("GPU 0: NVIDIA H100", 0, True), ("No devices", 6, False)])
def test_a_gpu_is_seen_by_nvidia_smi(
    prints: str, code: int, seen: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\necho '{prints}'\nexit {code}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert installing.has_nvidia_gpu(tmp_path) is seen


@pytest.mark.parametrize(
    ("there", "ours", "kept"),
    [
        (None, None, None),
        ("2.13.0+cpu", None, None),  # the release that is wanted, whoever put it there
        ("2.14.1", None, "2.14.1"),
        ("2.14.1+rocm7.0", "2.13.0+cpu", "2.14.1+rocm7.0"),  # put there since
        ("2.12.0+cpu", "2.12.0+cpu", None),  # make's own, older than the constraints now
    ],
)
def test_a_pytorch_of_ones_own_is_kept(there: str | None, ours: str | None, kept: str | None) -> None:
    assert installing.other_torch(there, ours, "2.13.0") == kept


def test_the_plan_says_what_is_downloaded() -> None:
    cpu = installing.plan(None, False, "cpu", "2.13.0")
    assert "PyTorch 2.13.0, the build for CPUs: about 0.2 GB" in cpu
    default = installing.plan(None, False, "default", "2.13.0")
    assert "with CUDA: about 2.7 GB" in default
    assert "2.14.1, which is there already, is kept" in installing.plan("2.14.1", True, "cpu", "2.13.0")
    assert "PyTorch 2.13.0+cpu is there already" in installing.plan("2.13.0+cpu", False, "cpu", "2.13.0")


def test_constraints_are_read_and_can_leave_pytorch_open() -> None:
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    version = installing.pinned(text, "torch")
    left = installing.without(text, "torch")
    assert f"\ntorch=={version}\n" in text
    assert set(text.splitlines()) - set(left.splitlines()) == {f"torch=={version}"}
    with pytest.raises(ValueError, match="no line torch==VERSION"):
        installing.pinned(left, "torch")


def test_an_unknown_extra_is_refused_with_those_there_are() -> None:
    assert "h5py" in " ".join(installing.requirements(["data"]))
    with pytest.raises(ValueError, match=r"no extra 'date'; there are .*data"):
        installing.requirements(["date"])


def shell_python(folder: Path, name: str, version: str) -> None:
    """Put a program into a folder that answers as a Python of some version does, without its venv module."""
    minor = version.split(".")[1]
    program = folder / name
    program.write_text(
        "#!/bin/sh\n"
        f'case "$*" in *version_info*3,\\ 11*) [ {minor} -ge 11 ];; *--version*) echo "Python {version}";;'
        f" *ensurepip*) false;; *print*) echo python3.{minor}-venv;; esac\n"
    )
    program.chmod(0o755)


def make_venv(folder: Path, *words: str) -> str:
    """Run tools/make_venv.sh where PATH is one folder; it must fail. Returns its last line."""
    for name in ("id", "apt-get"):  # an ordinary user on Debian
        (folder / name).write_text("#!/bin/sh\necho 1000\n")
        (folder / name).chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", str(ROOT / "tools" / "make_venv.sh"), str(folder / "venv"), *words],
        capture_output=True,
        text=True,
        env={"PATH": str(folder)},
    )
    assert done.returncode == 2, done.stdout + done.stderr
    return done.stderr.splitlines()[-1]


def test_a_debian_without_venv_is_told_the_package(tmp_path: Path) -> None:
    shell_python(tmp_path, "python3", "3.13.5")
    assert make_venv(tmp_path).endswith(
        "python3 lacks its venv module; on Debian or Ubuntu: sudo apt-get install python3.13-venv"
    )


def test_a_python_that_is_too_old_is_named(tmp_path: Path) -> None:
    shell_python(tmp_path, "python3", "3.10.12")
    assert "needs Python 3.11 or newer; here is Python 3.10.12." in make_venv(tmp_path)
    assert "PYTHON=python3 is Python 3.10.12" in make_venv(tmp_path, "python3")


def test_no_python_at_all_is_said(tmp_path: Path) -> None:
    assert "needs Python 3.11 or newer; here is no python3" in make_venv(tmp_path)


def test_an_environment_of_ones_own_is_used_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    shell_python(folder, "python", "3.10.12")
    assert make_venv(tmp_path).endswith(f"needs Python 3.11 or newer; {tmp_path}/venv has Python 3.10.12")
