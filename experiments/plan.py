"""Turn a study into jobs: what has to be made, from what, and where it goes.

An artefact's folder is named after what it is made from. So tasks that share D_U, a source and seeds share frames,
encoders and agents, in one study and from one study to the next.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darla.agents import ALGORITHMS
from darla.agents.algorithms.settings import Observation
from darla.common.jobs.scheduler import Job
from darla.envs import AnyDomain, TransferTask, tasks
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.collect import collect as collect_frames
from darla.experiments.study import Method, Study
from darla.learn_to_act import act
from darla.learn_to_see import see, train_denoiser
from darla.vision import SeeConfig, TrainingConfig

# Work in one second of one process of two, on two cores with bfloat16: means over `paper-table --size small`; those of
# A2C and of losses on painted pictures are guesses. Only the order of work and the estimate of the time left depend on
# them; the estimate corrects itself by what this machine needs.
_FRAMES_A_SECOND = 700.0
_IMAGES_A_SECOND: Mapping[str, float] = {
    "dae": 1_300.0,
    "pixel": 1_000.0,
    "perceptual": 600.0,
    "features": 1_300.0,
    "mixed": 500.0,
}
_STEPS_A_SECOND_FINE_TUNING = 300.0
_STEPS_A_SECOND_IN_PLAY = 900.0
_STEPS_IN_AN_EPISODE = 150
_SEEN: Mapping[Observation, str] = {"latents": "codes", "pixels": "pixels", "state": "state"}
"""What a folder's name says that a policy sees."""
_START = 5.0  # seconds before a job's work begins
_SECONDS_TO_MEASURE = 15.0  # an encoder, for a study that correlates


@dataclass(frozen=True)
class TransferJob:
    """What follows the jobs for one task: evaluate its agents."""

    task: str
    agents: tuple[tuple[str, Path], ...]
    """Pairs of a method's name and an agent's folder, in the order of methods and seeds."""
    folder: Path
    """Where the transfer goes."""
    cost: float
    """Expected seconds on one core."""


@dataclass(frozen=True)
class Plan:
    """Everything that a study has to make."""

    jobs: tuple[Job, ...]
    """Frames, encoders and agents."""
    transfers: tuple[TransferJob, ...]
    """One for each task; they need all jobs."""
    report: Path
    """Where the report on all transfers goes."""
    encoders: tuple[tuple[str, Path], ...] = ()
    """Pairs of a method's name and an encoder's folder: those that stay frozen under policies of PPO."""
    frames: tuple[Path, ...] = ()
    """What encoders learn from."""

    @property
    def correlation_cost(self) -> float:
        """Expected seconds on one core to measure the encoders."""
        return _SECONDS_TO_MEASURE * len({folder for _, folder in self.encoders})

    @property
    def cost(self) -> float:
        """Expected seconds on one core for jobs and transfers."""
        return sum(job.cost for job in self.jobs) + sum(part.cost for part in self.transfers)


def plan(study: Study, folder: Path) -> Plan:
    """Return what a study has to make, with its artefacts in `folder`."""
    jobs = _Cells(study, folder)
    transfers = []
    for name in study.tasks:
        task = tasks.get(name)
        agents = tuple(
            (method.name, jobs.agent(task, method, seed))
            for method in study.methods
            if method.takes_part_in(name)
            for seed in study.seeds
        )
        asked = {
            "task": task.to_dict(),
            "transfer": asdict(study.transfer),
            "agents": [[method, agent.name] for method, agent in agents],
        }
        goes_to = folder / "transfers" / f"{_word(name)}-{_key(asked)}"
        transfers.append(TransferJob(name, agents, goes_to, _transfer_seconds(study, task, len(agents))))
    parts = [part.folder.name for part in transfers]
    told = {"transfers": parts, **({"correlates": True} if study.correlates else {})}
    report = folder / "reports" / f"{_word(study.name)}-{_key(told)}"
    encoders = dict.fromkeys(
        (method.name, jobs.encoder(tasks.get(name).unlabelled, method, study.encoder_seed(seed)))
        for name in study.tasks
        for method in study.methods
        if method.see and method.takes_part_in(name) and _counts(method)
        for seed in study.seeds
    )
    frames = tuple(folder for folder in jobs.made if folder.parent.name == "frames")
    return Plan(tuple(jobs.made.values()), tuple(transfers), report, tuple(encoders), frames)


def _counts(method: Method) -> bool:
    """Tell whether a method's policies count when encoders are correlated with transfer."""
    return method.act.algorithm == "ppo" and method.act.is_plain


class _Cells:
    """Cells by folder; asking for the same thing twice gives the same job."""

    def __init__(self, study: Study, folder: Path) -> None:
        self._study, self._folder = study, folder
        self.made: dict[Path, Job] = {}

    def frames(self, domain: AnyDomain) -> Path:
        config = CollectConfig(frames=self._study.frames, seed=self._study.frames_seed)
        asked = {**asdict(config), "task": None, "domain": domain.to_dict()}
        return self._add(
            self._folder / "frames" / f"{_word(domain.name)}-{_key(asked)}",
            f"frames of {domain.name}",
            collect_frames,
            {"config": config, "domain": domain},
            cost=config.frames / _FRAMES_A_SECOND,
        )

    def denoiser(self, domain: AnyDomain, config: SeeConfig, seed: int) -> Path:
        frames = self.frames(domain)
        asked = {
            "dae": asdict(config.dae),
            "training": asdict(config.dae_training),
            "held_out": config.held_out,
            "statistics_frames": config.statistics_frames,
            "frames": frames.name,
            "seed": seed,
        }
        return self._add(
            self._folder / "denoisers" / f"dae-s{seed}-{_key(asked)}",
            f"denoising autoencoder, seed {seed}",
            train_denoiser,
            {"frames": frames, "config": config, "seed": seed},
            needs=(frames,),
            cost=_training_seconds(config.dae_training, "dae"),
        )

    def encoder(self, domain: AnyDomain, method: Method, seed: int) -> Path:
        config = method.see
        assert config is not None
        frames = self.frames(domain)
        dae = self.denoiser(domain, config, seed) if config.vae.needs_dae else None
        asked = {
            "see": config.to_dict(),
            "frames": frames.name,
            "dae": dae.name if dae else None,
            "seed": seed,
        }
        return self._add(
            self._folder / "encoders" / f"{_word(config.model)}-s{seed}-{_key(asked)}",
            f"encoder of {method.name}, seed {seed}",
            see,
            {"frames": frames, "config": config, "seed": seed, "dae": dae},
            needs=(frames, dae) if dae else (frames,),
            cost=_training_seconds(config.training, config.vae.loss),
        )

    def agent(self, task: TransferTask, method: Method, seed: int) -> Path:
        config = self._study.act_of(method)
        on_encoder = method.see is not None
        encoder = self.encoder(task.unlabelled, method, self._study.encoder_seed(seed)) if on_encoder else None
        observation = config.policy_input(on_encoder=on_encoder)
        validated = config.selection == "validation"
        asked = {
            "act": config.to_dict(observation),
            "source": task.training_domain(config.train_domain).to_dict(),
            "validation": task.validation.to_dict() if validated else None,
            "encoder": encoder.name if encoder else None,
            "seed": seed,
        }
        seen = _SEEN[observation]
        steps_per_second = ALGORITHMS[config.algorithm].steps_per_second[observation]
        speed = _STEPS_A_SECOND_FINE_TUNING if config.fine_tune else steps_per_second
        return self._add(
            self._folder / "agents" / f"{config.algorithm}-{seen}-s{seed}-{_key(asked)}",
            f"agent of {method.name}, seed {seed} ({task.name})",
            act,
            {"task": task, "config": config, "encoder": encoder, "seed": seed},
            needs=(encoder,) if encoder else (),
            cost=config.env_steps / speed,
        )

    def _add(
        self,
        folder: Path,
        label: str,
        work: Callable[..., object],
        arguments: dict[str, Any],
        *,
        needs: tuple[Path, ...] = (),
        cost: float,
    ) -> Path:
        if folder not in self.made:
            self.made[folder] = Job(label, folder, work, {**arguments, "out": folder}, needs, cost + _START)
        return folder


def _transfer_seconds(study: Study, task: TransferTask, agents: int) -> float:
    config = study.transfer
    # Episodes in a source that an earlier task has are played once.
    earlier = [tasks.get(name).source for name in study.tasks[: study.tasks.index(task.name)]]
    splits = [split for split in config.splits if split != "source" or task.source not in earlier]
    domains = sum(len(task.targets) if split == "target" else 1 for split in splits)
    curves = sum(config.snapshot_eval_episodes * study.act_of(method).snapshots for method in study.methods) * len(
        study.seeds
    )
    episodes = config.episodes * domains * (agents + 1) + curves * (1 + len(task.targets))
    return episodes * _STEPS_IN_AN_EPISODE / _STEPS_A_SECOND_IN_PLAY


def _training_seconds(training: TrainingConfig, loss: str) -> float:
    return training.steps * training.batch_size / _IMAGES_A_SECOND[loss]


def _key(asked: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:10]


def _word(name: str) -> str:
    """Return a name as it may stand in a path."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())
