"""Turn a study into jobs: frames, denoisers, encoders and agents, each with its folder.

A folder's name ends with a digest of everything that the artefact depends on. So tasks with equal D_U, source and seeds
share frames, encoders and agents, within one study and between studies. The digest alone says whether a job is done:
before it, for people and for TensorBoard, stand the method, the seed and the task that needed the job first.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from darla.agents import ALGORITHMS, ActConfig
from darla.agents.algorithms.settings import Observation
from darla.common.files import json_sha256
from darla.common.jobs.scheduler import Job
from darla.envs import AnyDomain, TransferTask, tasks
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.collect import collect as collect_frames
from darla.experiments.study import Method, Study
from darla.learn_to_act import act
from darla.learn_to_see import see, train_denoiser
from darla.vision import SeeConfig, TrainingConfig

# Speeds of one process of two, on two cores with bfloat16: means over `paper-table --scale small`; A2C and the mixed
# loss are guesses. Only the order of the jobs and the estimate of the time left depend on them, and the estimate
# corrects itself by the speed of this machine. A loss or an algorithm that is not listed gets a default.
_FRAMES_PER_SECOND = 700.0
_IMAGES_PER_SECOND: Mapping[str, float] = {
    "dae": 1_300.0,
    "pixel": 1_000.0,
    "perceptual": 600.0,
    "features": 1_300.0,
    "mixed": 500.0,
}
_DEFAULT_IMAGES_PER_SECOND = 800.0
_STEPS_PER_SECOND_FINE_TUNING = 300.0
_STEPS_PER_SECOND_EVALUATION = 900.0
_STEPS_PER_EPISODE = 150
_INPUT_NAMES: Mapping[Observation, str] = {"latents": "codes", "pixels": "pixels", "state": "state"}
"""A policy's input, as the name of its folder has it."""
_LONGEST = 40
"""Letters of a method's or a task's name in the name of a folder."""
START_SECONDS = 5.0
"""Before a job's work begins: until its process has loaded PyTorch."""
_MEASURE_SECONDS = 15.0  # for each encoder, in a study that correlates


@dataclass(frozen=True)
class TransferJob:
    """The evaluation of all agents on one task, after the jobs."""

    task: str
    agents: tuple[tuple[str, Path], ...]
    """Pairs of a method's name and an agent's folder, in the order of methods and seeds."""
    folder: Path
    """Folder of the transfer artefact."""
    cost: float
    """Expected seconds on one core."""


@dataclass(frozen=True)
class Plan:
    """Everything that a study consists of."""

    jobs: tuple[Job, ...]
    """Frames, denoisers, encoders and agents."""
    transfers: tuple[TransferJob, ...]
    """One for each task; they run after all jobs."""
    report: Path
    """Folder of the report on all transfers."""
    encoders: tuple[tuple[str, Path], ...] = ()
    """Pairs of a method's name and an encoder's folder, for the correlation: encoders frozen under PPO's policies."""
    frames: tuple[Path, ...] = ()
    """Folders of the frames that encoders are trained on."""

    @property
    def correlation_cost(self) -> float:
        """Expected seconds on one core to measure the encoders."""
        return _MEASURE_SECONDS * len({folder for _, folder in self.encoders})

    @property
    def cost(self) -> float:
        """Expected seconds on one core for jobs and transfers."""
        return sum(job.cost for job in self.jobs) + sum(part.cost for part in self.transfers)


def plan(study: Study, folder: Path) -> Plan:
    """Return the jobs of a study that writes to `folder`."""
    jobs = _JobCollection(study, folder)
    transfers = []
    for name in study.tasks:
        task = tasks.get(name)
        agents = tuple(
            (method.name, jobs.agent(task, method, seed))
            for method in study.methods
            if method.takes_part_in(name)
            for seed in study.seeds
        )
        record = {
            "task": task.to_dict(),
            "transfer": asdict(study.transfer),
            "agents": [[method, jobs.content_of[agent]] for method, agent in agents],
        }
        transfer_folder = folder / "transfers" / f"{_file_name(name)}-{_digest(record)}"
        transfers.append(TransferJob(name, agents, transfer_folder, _transfer_seconds(study, task, len(agents))))
    names = [transfer.folder.name for transfer in transfers]
    contents = {"transfers": names, **({"correlates": True} if study.correlates else {})}
    report = folder / "reports" / f"{_file_name(study.name)}-{_digest(contents)}"
    encoders = dict.fromkeys(
        (method.name, jobs.encoder(tasks.get(name), method, study.encoder_seed(seed)))
        for name in study.tasks
        for method in study.methods
        if method.see and method.takes_part_in(name) and _is_correlated(method)
        for seed in study.seeds
    )
    frames = tuple(folder for folder in jobs.by_folder if folder.parent.name == "frames")
    return Plan(tuple(jobs.by_folder.values()), tuple(transfers), report, tuple(encoders), frames)


def _is_correlated(method: Method) -> bool:
    """Return whether a method's encoders and returns enter the correlation of encoders with transfer."""
    return method.act.algorithm == "ppo" and method.act.is_plain


class _JobCollection:
    """The jobs of a study by folder. Each method adds a job, and those it needs, and returns its folder.

    Adding the same job twice has no effect.
    """

    def __init__(self, study: Study, folder: Path) -> None:
        self._study, self._folder = study, folder
        self.by_folder: dict[Path, Job] = {}
        self.content_of: dict[Path, str] = {}
        """What stands for an artefact in the digests of those that are made from it."""

    def _place(self, kind: str, what: str, record: Mapping[str, Any], seed: int | None = None, *whose: str) -> Path:
        """Return the folder of an artefact: the one that has its digest, whatever stands before that, or a new one.

        Args:
            kind: folder of all artefacts of its kind.
            what: it is, by its content.
            record: what its digest covers.
            seed: its master seed, if that belongs to the name.
            whose: it is, the method and the task.
        """
        digest = _digest(record)
        seeded = [] if seed is None else [f"s{seed}"]
        method, *others = map(_short, whose or ("",))
        name = "-".join(filter(None, [method, *seeded, *others, what, digest] if whose else [what, *seeded, digest]))
        places = [folder for folder in self.by_folder if folder.parent.name == kind]
        places += sorted((self._folder / kind).glob(f"*-{digest}"))
        folder = next((place for place in places if place.name.endswith(f"-{digest}")), self._folder / kind / name)
        self.content_of[folder] = "-".join([what, *seeded, digest])
        return folder

    def frames(self, domain: AnyDomain) -> Path:
        config = CollectConfig(frames=self._study.frames, seed=self._study.frames_seed)
        record = {**asdict(config), "task": None, "domain": domain.to_dict()}
        return self._add(
            self._place("frames", _file_name(domain.name), record),
            f"frames of {domain.name}",
            collect_frames,
            {"config": config, "domain": domain},
            cost=self._study.frames / _FRAMES_PER_SECOND,
        )

    def denoiser(self, domain: AnyDomain, config: SeeConfig, seed: int) -> Path:
        frames = self.frames(domain)
        record = {
            "dae": asdict(config.dae),
            "training": asdict(config.dae_training),
            "held_out": config.held_out,
            "statistics_frames": config.statistics_frames,
            "frames": self.content_of[frames],
            "seed": seed,
        }
        return self._add(
            self._place("denoisers", "dae", record, seed),
            f"denoising autoencoder, seed {seed}",
            train_denoiser,
            {"frames": frames, "config": config, "seed": seed},
            needs=(frames,),
            cost=_training_seconds(config.dae_training, "dae"),
        )

    def encoder(self, task: TransferTask, method: Method, seed: int) -> Path:
        config = method.see
        assert config is not None
        frames = self.frames(task.unlabeled)
        dae = self.denoiser(task.unlabeled, config, seed) if config.vae.needs_dae else None
        record = {
            "see": config.to_dict(),
            "frames": self.content_of[frames],
            "dae": self.content_of[dae] if dae else None,
            "seed": seed,
        }
        return self._add(
            self._place("encoders", _file_name(config.model), record, seed, method.name, task.name),
            f"encoder of {method.name}, seed {seed}",
            see,
            {"frames": frames, "config": config, "seed": seed, "dae": dae},
            needs=(frames, dae) if dae else (frames,),
            cost=_training_seconds(config.training, getattr(config.vae, "loss", "features")),
        )

    def agent(self, task: TransferTask, method: Method, seed: int) -> Path:
        config = self._study.act_of(method).for_domain(task.source)
        on_encoder = method.see is not None
        encoder = self.encoder(task, method, self._study.encoder_seed(seed)) if on_encoder else None
        observation = config.policy_input(on_encoder=on_encoder)
        record = {
            "act": config.to_dict(observation),
            "source": task.training_domain(config.train_domain).to_dict(),
            "validation": task.validation.to_dict() if config.selection == "validation" else None,
            "encoder": self.content_of[encoder] if encoder else None,
            "seed": seed,
        }
        what = f"{config.algorithm}-{_INPUT_NAMES[observation]}"
        return self._add(
            self._place("agents", what, record, seed, method.name, task.name),
            f"agent of {method.name}, seed {seed} ({task.name})",
            act,
            {"task": task, "config": config, "encoder": encoder, "seed": seed},
            needs=(encoder,) if encoder else (),
            cost=config.env_steps / _steps_per_second(config, observation),
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
        if folder not in self.by_folder:
            self.by_folder[folder] = Job(label, folder, work, {**arguments, "out": folder}, needs, cost + START_SECONDS)
        return folder


def _transfer_seconds(study: Study, task: TransferTask, agents: int) -> float:
    config = study.transfer
    # Episodes in a source that an earlier task shares are not run again.
    earlier = [tasks.get(name).source for name in study.tasks[: study.tasks.index(task.name)]]
    splits = [split for split in config.splits if split != "source" or task.source not in earlier]
    domains = sum(len(task.targets) if split == "target" else 1 for split in splits)
    curves = sum(config.episodes_per_snapshot * study.act_of(method).snapshots for method in study.methods) * len(
        study.seeds
    )
    episodes = config.episodes * domains * (agents + 1) + curves * (1 + len(task.targets))
    return episodes * _STEPS_PER_EPISODE / _STEPS_PER_SECOND_EVALUATION


def _steps_per_second(config: ActConfig, observation: Observation) -> float:
    """Return the expected environment steps per second of training."""
    if config.fine_tune:
        return _STEPS_PER_SECOND_FINE_TUNING
    return ALGORITHMS[config.algorithm].steps_per_second[observation]


def _training_seconds(training: TrainingConfig, loss: str) -> float:
    return training.steps * training.batch_size / _IMAGES_PER_SECOND.get(loss, _DEFAULT_IMAGES_PER_SECOND)


def _digest(record: Mapping[str, Any]) -> str:
    return json_sha256(record)[:10]


def _file_name(name: str) -> str:
    """Return a name with only letters, digits and hyphens."""
    return "".join(letter if letter.isalnum() else "-" for letter in name.lower())


def _short(name: str) -> str:
    """Return the beginning of a name that people chose, for a folder."""
    return "-".join(filter(None, _file_name(name).split("-")))[:_LONGEST].strip("-")
