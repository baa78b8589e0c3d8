"""Install darla in every way that users do, each in a fresh environment, and use it: `make test-installs`.

    .venv/bin/python tools/try_installs.py --list
    .venv/bin/python tools/try_installs.py --only oldest-3.11

Each install gets `darla doctor` and the tiny demo, in an empty folder; some the tests as well. What is finished is not
done again when the same command is given again, unless the source has changed; what failed is. The exit code is 1 if
anything that was tried failed. An interpreter that is not there, or a CPU build that cannot be had, is `not tried`.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from install_dependencies import CPU_INDEX, NO_CPU_BUILD
from installs import SHOWN, TRIED_EXTRAS, Install, Outcome, all_installs, key, table

ROOT = Path(__file__).resolve().parents[1]
RELEASE = "2.14.1"
"""PyTorch for the first install: a release of which PyPI's build has triton 3.8."""
LIMITS = {"install": 3600, "suite": 7200}
"""Seconds that a step may take; 1200 if it is not named."""
LEFT_OUT = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
"""Variables that would let one environment see another."""
DESCRIBE = f"""
import json, sys, torch
from importlib import metadata
there = {{each.metadata["Name"].lower().replace("_", "-"): each.version for each in metadata.distributions()}}
print(json.dumps({{"python": sys.version.split()[0], "torch": torch.__version__, "cuda": torch.version.cuda,
                  "versions": {{name: there[name] for name in {SHOWN!r} if name in there}}}}))
"""
"""What the environment is asked once everything is installed."""


class NotTriedError(Exception):
    """An install cannot be tried on this machine; the reason is the message."""


class StepError(Exception):
    """A command of a step ended with an exit code other than 0, or took too long."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the installs that are asked for, and print the table of all that were tried so far."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="names as --list prints them")
    parser.add_argument("--list", action="store_true", help="print the names and try nothing")
    parser.add_argument("--again", action="store_true", help="try what is finished again")
    parser.add_argument("--keep", action="store_true", help="leave the environments, several gigabytes each")
    parser.add_argument("--no-suite", action="store_true", help="leave the tests out")
    parser.add_argument("--torch", default=RELEASE, help="release of PyTorch for the first install")
    parser.add_argument("--cpu-index", default=CPU_INDEX, help="package index that has PyTorch's CPU builds")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "darla-installs")
    options = parser.parse_args(arguments)
    installs = {key(install): install for install in all_installs(user_extras(), options.torch)}
    if options.list:
        print("\n".join(installs))
        return 0
    for name in options.only:
        if name not in installs:
            parser.error(f"no install {name!r}; there are {', '.join(installs)}")
    trial = Trial(options.folder, options.cpu_index, suite=not options.no_suite)
    for name in options.only or installs:
        if options.again or not trial.finished(installs[name]):
            trial.run(installs[name], keep=options.keep)
    outcomes = [outcome for name in installs if (outcome := trial.read(name))]
    print(table(outcomes))
    asked = [outcome for name in options.only or installs if (outcome := trial.read(name))]
    return 1 if any(outcome.failed for outcome in asked) else 0


def user_extras() -> list[str]:
    """Return the extras of the project that are there for its users."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [name for name in project["optional-dependencies"] if name not in ("dev", "docs")]


def interpreter(version: str) -> str | None:
    """Return the Python of a version such as 3.11, from PATH or from pyenv; None if there is none that runs."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    folders = sorted(pyenv.glob(f"{version}.*"), key=lambda path: [int(x) for x in path.name.split(".") if x.isdigit()])
    for candidate in (f"python{version}", *(str(folder / "bin" / "python") for folder in reversed(folders))):
        code = f"import sys, venv, ensurepip; sys.exit(sys.version_info[:2] != ({version.replace('.', ', ')}))"
        path = shutil.which(candidate)
        if path and subprocess.run([path, "-c", code], capture_output=True).returncode == 0:
            return path
    return None


class Trial:
    """Where the installs are tried: a folder with the source, the wheel, logs and results.

    Args:
        folder: made if it is not there.
        cpu_index: package index with PyTorch's CPU builds.
        suite: whether the tests are run where an install says so.
    """

    def __init__(self, folder: Path, cpu_index: str, suite: bool) -> None:
        self.folder = folder
        self.cpu_index = cpu_index
        self.suite = suite
        for name in ("logs", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.source = source_hash(installed_files())
        self.checkout = folder / f"source-{source_hash(source_files())}"
        if not self.checkout.exists():
            unpack(source_archive(), self.checkout)

    def read(self, name: str) -> Outcome | None:
        """Return what came of an install, None if it has not been tried."""
        path = self.folder / "results" / f"{name}.json"
        return Outcome(**json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None

    def finished(self, install: Install) -> bool:
        """Say whether every step of an install has been done with this source, and none failed."""
        done = self.read(key(install))
        wanted = {"install", "doctor", "demo", *(["suite"] if install.suite and self.suite else [])}
        return done is not None and done.source == self.source and not done.failed and wanted <= set(done.steps)

    def write(self, name: str, outcome: Outcome) -> None:
        """Keep what has come of an install so far."""
        outcome.date = datetime.now(UTC).date().isoformat()
        path = self.folder / "results" / f"{name}.json"
        path.write_text(json.dumps(outcome.to_json(), indent=1), encoding="utf-8")

    def run(self, install: Install, keep: bool) -> None:
        """Try one install, from a new environment to the last step."""
        name = key(install)
        outcome = Outcome(install.name, install.python, source=self.source)
        python = interpreter(install.python)
        if python is None:
            outcome.skipped = "no such interpreter here"
            self.write(name, outcome)
            print(f"{name}: {outcome.skipped}", flush=True)
            return
        environment = self.folder / "environments" / name
        empty = self.folder / "work" / name
        for old in (environment, empty, *(self.folder / "logs").glob(f"{name}-*.log")):
            shutil.rmtree(old) if old.is_dir() else old.unlink(missing_ok=True)
        empty.mkdir(parents=True)
        started = time.perf_counter()
        try:
            self.install(install, python, environment, outcome)
            self.use(install, str(environment / "bin" / "python"), empty, outcome)
        except NotTriedError as reason:
            outcome.skipped = str(reason)
        outcome.seconds = time.perf_counter() - started
        self.write(name, outcome)
        print(f"{name}: {outcome.skipped or outcome.steps}", flush=True)
        if not keep:
            shutil.rmtree(environment, ignore_errors=True)
            shutil.rmtree(empty, ignore_errors=True)

    def install(self, install: Install, python: str, environment: Path, outcome: Outcome) -> None:
        """Make the environment and describe it in the outcome.

        Raises:
            NotTriedError: PyTorch's CPU build cannot be had.
        """
        inside = str(environment / "bin" / "python")
        pip = (inside, "-m", "pip")

        def run(*command: str) -> str:
            return self.run_command(install, "install", command, self.folder)

        try:
            run(python, "-m", "venv", str(environment))
            run(*pip, "install", "--upgrade", "pip")
            wheel = self.wheel(run, pip)
            if install.versions == "newest":
                run(*pip, "install", f"{wheel}[{','.join(install.extras)}]" if install.extras else wheel)
            elif install.versions == "oldest":
                run(*pip, "install", "--only-binary", ":all:", "--requirement", self.oldest(run, install, inside))
            else:
                if install.torch:
                    run(*pip, "install", f"torch=={install.torch}")
                script = str(self.checkout / "tools" / "install_dependencies.py")
                chosen = ("--torch", install.build, "--cpu-index", self.cpu_index)
                run(inside, script, *chosen, "--extras", ",".join(install.extras))
            if install.suite:
                run(*pip, "install", "--no-deps", "--config-settings", "editable_mode=strict", "-e", str(self.checkout))
            elif install.versions != "newest":
                run(*pip, "install", "--no-deps", wheel)
            if install.packages:
                run(*pip, "install", *install.packages)
            run(*pip, "check")
            there = json.loads(run(inside, "-c", DESCRIBE).splitlines()[-1])
            outcome.python, outcome.versions = there["python"], there["versions"]
            outcome.torch = f"{there['torch']}, {'CUDA ' + there['cuda'] if there['cuda'] else 'CPU'}"
            # Packages of others may bring another build of PyTorch along.
            if not install.packages and (install.build == "default") != ("triton" in there["versions"]):
                raise StepError(1, f"the {install.build} build of PyTorch was asked for; there is {outcome.torch}")
            outcome.steps["install"] = "ok"
        except StepError as error:
            if error.code == NO_CPU_BUILD:
                raise NotTriedError("PyTorch's CPU build cannot be had here") from None
            self.fail(install, "install", error, outcome)

    def use(self, install: Install, inside: str, empty: Path, outcome: Outcome) -> None:
        """Run doctor, the tiny demo, the extras and the tests, each whether or not the one before it passed."""
        if outcome.steps.get("install") != "ok":
            return
        darla = (inside, "-m", "darla")
        steps: dict[str, tuple[tuple[str, ...], Path]] = {
            "doctor": ((*darla, "doctor"), empty),
            "demo": ((*darla, "demo", "--preset", "tiny", "--out", "demo"), empty),
        }
        for extra in install.extras:
            if extra in TRIED_EXTRAS:
                steps[f"use of {extra}"] = ((inside, *TRIED_EXTRAS[extra]), empty)
        if install.suite and self.suite:
            pytest = (inside, "-m", "pytest", "-n", "2", "--dist", "loadfile", "-q", *install.tests)
            steps["suite"] = (pytest, self.checkout)
        for step, (command, folder) in steps.items():
            print(f"{key(install)}: {step}", flush=True)
            try:
                output = self.run_command(install, step, command, folder)
                outcome.steps[step] = suite_result(install, output) if step == "suite" else "ok"
            except StepError as error:
                self.fail(install, step, error, outcome)
            self.write(key(install), outcome)

    def fail(self, install: Install, step: str, error: StepError, outcome: Outcome) -> None:
        """Write down that a step failed, with what the tests counted if it was theirs."""
        counted = tests_counted(str(error)) if step == "suite" else f"code {error.code}"
        outcome.steps[step] = f"failed: {counted}"
        print(f"{key(install)}: {step} failed, see {self.log(install, step)}\n{error}", flush=True)

    def wheel(self, run: "Run", pip: tuple[str, ...]) -> str:
        """Return the path of darla's wheel, built with the first environment that needs it."""
        folder = self.folder / f"wheel-{self.source}"
        if not list(folder.glob("*.whl")):
            run(*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(self.checkout))
        return str(next(folder.glob("*.whl")))

    def oldest(self, run: "Run", install: Install, inside: str) -> str:
        """Return the path of a requirements file with the oldest releases that `pyproject.toml` allows.

        pip cannot resolve to the oldest; uv can. What darla does not name itself is as new as that allows.
        """
        tools = self.folder / "environments" / "uv"
        if not (tools / "bin" / "uv").exists():
            run(inside, "-m", "venv", str(tools))
            run(str(tools / "bin" / "python"), "-m", "pip", "install", "uv")
        path = self.folder / f"{key(install)}.txt"
        extras = [word for extra in install.extras for word in ("--extra", extra)]
        compile_command = (str(tools / "bin" / "uv"), "pip", "compile", "--resolution", "lowest-direct", *extras)
        run(*compile_command, "--python", inside, "--output-file", str(path), str(self.checkout / "pyproject.toml"))
        return str(path)

    def log(self, install: Install, step: str) -> Path:
        """Return where the output of a step is kept."""
        return self.folder / "logs" / f"{key(install)}-{step.replace(' ', '-')}.log"

    def run_command(self, install: Install, step: str, command: Sequence[str], folder: Path) -> str:
        """Run a command, its output appended to the step's log.

        Returns:
            What it printed.

        Raises:
            StepError: it failed, with the last lines that it printed.
        """
        variables = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
        with self.log(install, step).open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            begin = log.tell()
            try:
                code = subprocess.run(
                    command,
                    cwd=folder,
                    env={**variables, "OMP_NUM_THREADS": "1"},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=LIMITS.get(step, 1200),
                ).returncode
            except subprocess.TimeoutExpired:
                code = 124
        with self.log(install, step).open(encoding="utf-8", errors="replace") as log:
            log.seek(begin)
            output = log.read()
        if code != 0:
            raise StepError(code, "\n".join(output.splitlines()[-15:]))
        return output


Run = Callable[..., str]


def tests_counted(output: str) -> str:
    """Return pytest's closing line without its frame: `1402 passed, 3 skipped in 700.12s`."""
    lines = output.strip().splitlines()
    return lines[-1].strip("= ") if lines else "no output"


def suite_result(install: Install, output: str) -> str:
    """Return what the tests of an install counted.

    Raises:
        StepError: it has tests of its own, and one of them was skipped.
    """
    counted = tests_counted(output)
    if install.tests and "skipped" in counted:
        raise StepError(1, output)
    return counted


def source_archive() -> bytes:
    """Return the files of the working tree that git does not ignore, as a tar archive."""
    stream = BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name in source_files():
            archive.add(ROOT / name, name)
    return stream.getvalue()


def source_files() -> list[str]:
    """Return the files of the working tree that git does not ignore, relative to its root, in order."""
    listed = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(listed, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in sorted(set(names)) if (ROOT / name).is_file()]


def source_hash(names: Sequence[str]) -> str:
    """Return a hash of some files of the working tree and their names."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0".encode() + hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()[:12]


def installed_files() -> list[str]:
    """Return the files on which an installed darla depends: a change of the others calls for no new trial."""
    others = ("tests/", "benchmarks/", "docs/", "tools/")
    chosen = ("pyproject.toml", "constraints.txt", "tools/install_dependencies.py")
    return [name for name in source_files() if name in chosen or (name.endswith(".py") and not name.startswith(others))]


def unpack(archive: bytes, folder: Path) -> None:
    """Unpack a source archive and make it a repository of one commit: some tests ask git for the files."""
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(fileobj=BytesIO(archive)) as stream:
        # Debian 12 has Python 3.11.2; `extractall` takes a filter from 3.11.4 on.
        stream.extraction_filter = getattr(tarfile, "data_filter", None)
        stream.extractall(partial)
    git = ("git", "-C", str(partial), "-c", "user.name=darla", "-c", "user.email=darla@localhost")
    for words in (("init", "--quiet"), ("add", "--all"), ("commit", "--quiet", "-m", "source")):
        subprocess.run([*git, *words], check=True, capture_output=True)
    partial.rename(folder)


if __name__ == "__main__":
    sys.exit(main())
