"""Zero-shot transfer in reinforcement learning through disentangled vision.

Each stage is one function from a configuration and earlier artefacts to an artefact on disk:

    >>> import darla
    >>> frames = darla.collect("conjunction", "runs/frames")              # what the encoder will look at
    >>> encoder = darla.see(frames, "runs/encoder")                       # learn to see, without labels
    >>> agent = darla.act("conjunction", "runs/agent", encoder=encoder)   # learn to act, in the source only
    >>> scores = darla.transfer("conjunction", [agent], "runs/transfer")  # act where it has never acted
    >>> page = darla.report(scores, "runs/report")

`darla.demo` runs all of it, `darla.run_study` does so for any methods, tasks and seeds, and `darla.doctor` says whether
this machine can. Nothing heavy is imported until it is used.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from darla.cli.doctor import doctor
    from darla.collect_frames import collect
    from darla.common.artefact import Artefact
    from darla.common.errors import ArtefactError, DarlaError, InputError, TrainingDivergedError, WorkerDiedError
    from darla.experiments.run_study import demo, run_study
    from darla.learn_to_act import act
    from darla.learn_to_see import see
    from darla.rank_encoders import select
    from darla.score_encoder import metrics
    from darla.write_report import report
    from darla.zero_shot import transfer

__version__ = "0.1.0"
__all__ = [
    "Artefact",
    "ArtefactError",
    "DarlaError",
    "InputError",
    "TrainingDivergedError",
    "WorkerDiedError",
    "__version__",
    "act",
    "collect",
    "demo",
    "doctor",
    "metrics",
    "report",
    "run_study",
    "see",
    "select",
    "transfer",
]

_HOMES = {
    "Artefact": "darla.common.artefact",
    "ArtefactError": "darla.common.errors",
    "DarlaError": "darla.common.errors",
    "InputError": "darla.common.errors",
    "TrainingDivergedError": "darla.common.errors",
    "WorkerDiedError": "darla.common.errors",
    "act": "darla.learn_to_act",
    "collect": "darla.collect_frames",
    "demo": "darla.experiments.run_study",
    "doctor": "darla.cli.doctor",
    "metrics": "darla.score_encoder",
    "report": "darla.write_report",
    "run_study": "darla.experiments.run_study",
    "see": "darla.learn_to_see",
    "select": "darla.rank_encoders",
    "transfer": "darla.zero_shot",
}

# In a checkout the sub-packages are beside this folder, not in it. Looking there first lets `python -m darla` work at
# the root of a checkout, and a file that was added after an editable install is imported without another install.
_CHECKOUT = Path(__file__).resolve().parent.parent
if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "envs").is_dir():
    __path__[:0] = [str(_CHECKOUT / "darla"), str(_CHECKOUT)]


def __getattr__(name: str) -> Any:
    """Import a public name from its module when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
