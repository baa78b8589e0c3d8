"""The ways to install darla that `make test-installs` tries, as data, and the table of what came of them."""

from dataclasses import asdict, dataclass, field
from typing import Literal

TRIED_EXTRAS: dict[str, tuple[str, ...]] = {
    "ray": ("-m", "darla", "demo", "--preset", "tiny", "--ray", "local", "--out", "ray"),
    "data": ("-c", "import h5py; import darla.envs.image_data"),
    "wandb": ("-c", "import darla.common.tracking.wandb_run"),
    "mlflow": ("-c", "import darla.common.tracking.mlflow_run"),
    "hub": ("-c", "import huggingface_hub; import darla.reports.push_run"),
    "car-racing": ("-m", "darla", "collect", "car-racing", "--frames", "200", "--out", "car-racing"),
    "control": ("-m", "darla", "collect", "control/walker-walk/all", "--frames", "200", "--out", "control"),
}
"""What Python is given to use an extra; one that is not named here is installed, and doctor and demo are run."""
SHOWN = ("numpy", "gymnasium", "miniworld", "stable-baselines3", "triton", "minigrid", "highway-env", "crafter", "timm",
         "sb3-contrib", "stable-worldmodel")  # fmt: skip
"""Packages whose versions stand in the table."""


@dataclass(frozen=True)
class Install:
    """One way to install darla."""

    name: str
    python: str
    """Version of the interpreter, such as 3.11; the install is skipped where there is none."""
    build: Literal["default", "cpu"] = "default"
    """PyTorch's build: PyPI's, with CUDA and triton, or the one for CPUs."""
    torch: str = ""
    """Release of PyTorch; empty: the one that goes with `versions`."""
    versions: Literal["tested", "newest", "oldest"] = "tested"
    """Of everything else: those of `constraints.txt`, the newest, or the oldest that `pyproject.toml` allows."""
    extras: tuple[str, ...] = ()
    suite: bool = False
    """Whether to run the default tests as well; they take a checkout, everything else has the built wheel alone."""
    packages: tuple[str, ...] = ()
    """Packages of others that are installed beside darla."""
    tests: tuple[str, ...] = ()
    """What pytest is given in place of the default tests. None of these may be skipped."""


@dataclass
class Outcome:
    """What came of one install."""

    name: str
    python: str = ""
    """Full version of the interpreter."""
    torch: str = ""
    """Version and build of PyTorch."""
    versions: dict[str, str] = field(default_factory=dict)
    """Version of each of `SHOWN` that is installed."""
    steps: dict[str, str] = field(default_factory=dict)
    """Step to `ok`, `failed` or what the tests counted, in the order in which they were run."""
    skipped: str = ""
    """Why it was not tried, empty if it was."""
    seconds: float = 0.0
    date: str = ""
    """Day of the last step, ISO 8601."""
    source: str = ""
    """Hash of what was installed."""

    @property
    def failed(self) -> bool:
        """Whether a step failed."""
        return any(result.startswith("failed") for result in self.steps.values())

    def to_json(self) -> dict[str, object]:
        """Return the fields, for `json.dumps`."""
        return asdict(self)


STRANGERS = (
    Install(
        "strangers",
        "3.11",
        # timm needs torchvision, and PyPI's goes with PyPI's PyTorch alone: a release of which there is no other build.
        "default",
        torch="2.14.1",
        extras=("dev", "contrib", "data", "onnx", "timm"),
        suite=True,
        packages=("minigrid", "highway-env", "crafter", "vizdoom", "pandas"),
        tests=(
            "tests/agents/test_exchange.py",
            "tests/agents/test_memory.py",
            "tests/agents/test_more_algorithms.py",
            "tests/envs/test_hdf5_rows.py",
            "tests/envs/test_own_images.py",
            "tests/envs/test_stored_images.py",
            "tests/envs/test_strangers.py",
            "tests/reports/test_random_play.py",
            "tests/stages/test_own_images.py",
            "tests/vision/test_frozen_network.py",
            *("-m", "not gpu", "-k", "not stable_worldmodel and not what_is_missing and not another_build"),
        ),
    ),
    Install(
        "stable-worldmodel",
        "3.11",
        "cpu",
        extras=("dev",),
        suite=True,
        # Its environments import these, which only its extra `env` names, beside JAX and many others.
        packages=("stable-worldmodel", "imageio", "opencv-python-headless", "pygame", "pymunk", "shapely"),
        tests=("tests/envs/test_strangers.py", "-m", "not gpu", "-k", "stable_worldmodel"),
    ),
)
"""darla beside the environments, networks and algorithms of others. stable-worldmodel brings a PyTorch of its own."""


def all_installs(extras: list[str], torch: str) -> tuple[Install, ...]:
    """Return every install that is tried.

    Args:
        extras: the extras of `pyproject.toml` that users install.
        torch: release of PyTorch for the first install, one whose default build has triton.
    """
    return (
        Install("default build", "3.11", torch=torch, extras=("dev", "car-racing"), suite=True),
        Install("default build", "3.12"),
        Install("default build", "3.13", extras=("dev", "car-racing"), suite=True),
        Install("default build", "3.14"),
        Install("CPU build", "3.11", "cpu"),
        Install("CPU build", "3.12", "cpu"),
        Install("CPU build", "3.13", "cpu"),
        Install("CPU build", "3.14", "cpu"),
        Install("newest", "3.11", versions="newest"),
        Install("newest", "3.13", versions="newest"),
        Install("oldest", "3.11", versions="oldest", extras=("dev",), suite=True),
        Install("oldest with extras", "3.11", versions="oldest", extras=tuple(extras)),
        *STRANGERS,
        *(Install(f"extra {name}", "3.11", "cpu", extras=(name,)) for name in extras),
    )


def key(install: Install) -> str:
    """Return the name under which an install is asked for and its logs are kept: `default-build-3.11`."""
    return f"{install.name.replace(' ', '-')}-{install.python}"


def table(outcomes: list[Outcome]) -> str:
    """Return a Markdown table with one row for each install."""
    rows = ["| install | Python | PyTorch | with | doctor | tiny demo | tests | seconds | date |"]
    rows.append("|---|---|---|---|---|---|---|---:|---|")
    for outcome in outcomes:
        if outcome.skipped:
            why = f"not tried: {outcome.skipped}"
            rows.append(f"| {outcome.name} | {outcome.python} | {why} |  |  |  |  |  | {outcome.date} |")
            continue
        steps = dict(outcome.steps)
        cells = [steps.pop(step, "") for step in ("doctor", "demo", "suite")]
        # A step without a column of its own, such as the install itself or the use of an extra, is named if it failed.
        others = [f"{step}: {result}" for step, result in steps.items() if result != "ok"]
        versions = ", ".join(f"{name} {version}" for name, version in outcome.versions.items())
        cells[0] = "; ".join([*([cells[0]] if cells[0] else []), *others])
        row = [outcome.name, outcome.python, outcome.torch, versions, *cells, f"{outcome.seconds:.0f}", outcome.date]
        rows.append(f"| {' | '.join(row)} |")
    return "\n".join(rows)
