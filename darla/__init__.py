"""Zero-shot transfer in reinforcement learning through disentangled vision.

Each stage is one function from a configuration and earlier artefacts to an artefact on disk:

    >>> import darla
    >>> frames = darla.collect("conjunction", "runs/frames")              # images for the encoder
    >>> encoder = darla.see(frames, "runs/encoder")                       # learn to see, without labels
    >>> agent = darla.act("conjunction", "runs/agent", encoder=encoder)   # learn to act, in the source only
    >>> scores = darla.transfer("conjunction", [agent], "runs/transfer")  # act where it has never acted
    >>> page = darla.report(scores, "runs/report")

`darla.demo` runs all of it, `darla.run_study` does so for any methods, tasks and seeds, and `darla.doctor` checks
whether this machine can. Nothing heavy is imported until it is used.
"""

from pathlib import Path
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# In a checkout the sub-packages are beside this folder, not in it. Looking there first lets `python -m darla` work at
# the root of a checkout, and a file that was added after an editable install is imported without another install.
_CHECKOUT = Path(__file__).resolve().parent.parent
if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "envs").is_dir():
    __path__[:0] = [str(_CHECKOUT / "darla"), str(_CHECKOUT)]

from darla.common.lazy_exports import lazy_exports  # noqa: E402  (only now can every module be imported)

if TYPE_CHECKING:
    from darla.check_task import check as check
    from darla.cli.doctor import doctor as doctor
    from darla.collect_frames import collect as collect
    from darla.common.artefact import Artefact as Artefact
    from darla.common.errors import ArtefactError as ArtefactError
    from darla.common.errors import DarlaError as DarlaError
    from darla.common.errors import InputError as InputError
    from darla.common.errors import TrainingDivergedError as TrainingDivergedError
    from darla.common.errors import WorkerDiedError as WorkerDiedError
    from darla.common.tracking.trackers import tracking as tracking
    from darla.exchange_agents import ImportConfig as ImportConfig
    from darla.exchange_agents import export as export
    from darla.exchange_agents import import_agent as import_agent
    from darla.experiments.follow_instructions import follow as follow
    from darla.experiments.run_study import demo as demo
    from darla.experiments.run_study import run_study as run_study
    from darla.explore_latents import explore as explore
    from darla.learn_concepts import associate as associate
    from darla.learn_concepts import combine_concepts as combine_concepts
    from darla.learn_concepts import combine_instruction as combine_instruction
    from darla.learn_concepts import describe as describe
    from darla.learn_concepts import imagine as imagine
    from darla.learn_concepts import score_concepts as score_concepts
    from darla.learn_concepts import train_judge as train_judge
    from darla.learn_to_act import act as act
    from darla.learn_to_see import see as see
    from darla.rank_encoders import select as select
    from darla.record_film import film as film
    from darla.reports.push_run import push as push
    from darla.score_encoder import metrics as metrics
    from darla.write_report import report as report
    from darla.zero_shot import transfer as transfer
else:
    __getattr__, __dir__, __all__ = lazy_exports(__name__, "__version__")
