"""What each verb of the command line takes, and what it does with it: one dataclass a verb, read by tyro."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Literal, Protocol

import tyro

from darla.agents import ALGORITHMS, ActConfig
from darla.agents import presets as agent_presets
from darla.cli.study_commands import DemoCommand, StudyListCommand, StudyRunCommand, StudyStatusCommand
from darla.common import Artefact, InputError
from darla.common.graphics import require_graphics
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.vision import SeeConfig
from darla.vision import presets as vision_presets
from darla.vision.metrics.config import MetricsConfig
from darla.zero_shot import TransferConfig

_FLAT = tyro.conf.arg(name="")
"""The options of a configuration stand beside the verb's own."""


class Command(Protocol):
    """Arguments of a verb, and the work they ask for."""

    def run(self) -> int:
        """Do the work and return the exit code."""
        ...


@dataclass(frozen=True, kw_only=True)
class CollectCommand(CollectConfig):
    """Collect frames of a task's unlabelled domain D_U, for learning to see."""

    task: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK")]
    """Transfer task: conjunction, recolour, unseen, new_room, sim2sim, or a file of your own ending in .json. Or image
    data with known factors: sprites, rooms."""
    out: Path
    """Folder of the artefact; an interrupted command goes on there."""
    workers: int = 1
    """Processes that draw. The frames do not depend on it."""

    def run(self) -> int:
        """Collect."""
        require_graphics()
        from darla.collect_frames import collect
        from darla.envs.image_data.registry import IMAGE_DATA

        config = CollectConfig(**{part.name: getattr(self, part.name) for part in fields(CollectConfig)})
        task = None if self.task in IMAGE_DATA else find_task(self.task)
        return _made(collect(config, self.out, workers=self.workers, task=task))


@dataclass(frozen=True, kw_only=True)
class SeeCommand:
    """Learn to see: train an encoder on frames of D_U, without labels."""

    frames: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FRAMES")]
    """What `darla collect` made."""
    out: Path
    """Folder of the artefact; an interrupted command goes on there."""
    seed: int = 0
    """Master seed."""
    denoiser: Path | None = None
    """A denoising autoencoder to share with other encoders; trained on the way if it is needed and not given."""
    watch: tuple[str, ...] = ()
    """Metrics of `darla metrics` to write to TensorBoard and `watched/` during training, such as `mig`; they change no
    result."""
    preset: str | None = None
    """Named configuration: `darla` (if neither preset nor model is given), `darla-paper`, `beta-1`, `beta-4`,
    `annealed`, `factor`, `beta-tc`, `dip-1`, `dip-2`, `mmd`, `qlae`, `alda`, `auto-encoder`, `random` or
    `dae-features`; the options below are its, and change it."""
    config: Annotated[SeeConfig, _FLAT] = field(default_factory=SeeConfig)

    def run(self) -> int:
        """Train."""
        from darla.learn_to_see import see

        return _made(see(self.frames, self.out, self.config, seed=self.seed, dae=self.denoiser, watch=self.watch))


@dataclass(frozen=True, kw_only=True)
class SelectCommand:
    """Choose an encoder without labels: train several of each setting, and rank them by UDR."""

    frames: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FRAMES")]
    """What `darla collect` made."""
    out: Path
    """Folder for everything that is made; an interrupted command goes on there."""
    presets: tuple[str, ...] | None = None
    """Settings to choose from, as `darla see --preset` has them; `beta-1` and `beta-4` if neither they nor a family
    are given."""
    family: str | None = None
    """Instead of presets: six disentanglers with the settings for `sprites`, `rooms` or `seek-avoid`."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One encoder of each setting for each of these; at least two."""
    ranking: Literal["lasso", "spearman"] = "lasso"
    """Which UDR ranks: how a Lasso relates the latents of two encoders, or their rank correlation."""
    workers: int | None = None
    """Encoders trained at the same time, one thread each; one for each core if not given."""

    def run(self) -> int:
        """Train, rank, and print the ranking."""
        from darla.experiments.families import family
        from darla.rank_encoders import TABLE, select

        if self.presets and self.family:
            raise InputError(f"--family {self.family} would be ignored beside --presets; give one of them")
        settings = family(self.family) if self.family else self.presets or ("beta-1", "beta-4")
        made = select(self.frames, self.out, settings, seeds=self.seeds, ranking=self.ranking, workers=self.workers)
        print((made.folder / TABLE).read_text(), end="")
        return _made(made)


@dataclass(frozen=True, kw_only=True)
class MetricsCommand(MetricsConfig):
    """Score an encoder by the metric suite, on images of known factors."""

    encoder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """What `darla see` made."""
    out: Path
    """Folder of the artefact."""
    data: str | None = None
    """What to score it on: `sprites`, `rooms`, or frames that `darla collect` made. If not given, the image data that
    the encoder has learnt from."""
    seed: int = 0
    """Names the images, and whatever a metric draws."""
    device: str = "cpu"
    """Where images are encoded and scores are computed: `cpu` or `cuda`."""

    def run(self) -> int:
        """Score, and print the table."""
        require_graphics()
        from darla.score_encoder import metrics, summary

        config = MetricsConfig(**{part.name: getattr(self, part.name) for part in fields(MetricsConfig)})
        made = metrics(self.encoder, self.out, self.data, config, seed=self.seed, device=self.device)
        print(summary(made))
        return _made(made)


@dataclass(frozen=True, kw_only=True)
class ActCommand:
    """Learn to act: train a policy in a task's source domain, on an encoder's codes, on pixels or on the state."""

    task: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK")]
    """Transfer task, or a file that describes one; the policy acts in its source domain and nowhere else, unless
    `--train-domain` says so."""
    out: Path
    """Folder of the artefact; an interrupted command goes on there."""
    encoder: Path | None = None
    """What `darla see` made; without it the policy learns end to end on pixels, or from the ground truth."""
    seed: int = 0
    """Master seed."""
    workers: int = 1
    """Processes that share the environments. The policy does not depend on it."""
    preset: str | None = None
    """Named configuration: `ppo` (if not given), `a2c`, `dqn` or `mfec`; the options below are its, and change it."""
    config: Annotated[tyro.conf.AvoidSubcommands[ActConfig], _FLAT] = field(default_factory=ActConfig)

    def run(self) -> int:
        """Train."""
        from darla.learn_to_act import act

        require_graphics()
        task = find_task(self.task)
        made = act(task, self.out, self.config, encoder=self.encoder, seed=self.seed, workers=self.workers)
        return _made(made)


@dataclass(frozen=True, kw_only=True)
class TransferCommand:
    """Run agents, unchanged, in the source and in every target domain of a task, and score them."""

    task: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK")]
    """Transfer task, or a file that describes one."""
    agents: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME=]AGENT")]
    """What `darla act` made, any number of times; agents with the same name are one method with several seeds."""
    out: Path
    """Folder of the artefact; an interrupted command goes on there."""
    workers: int = 1
    """Processes that play. The result does not depend on it."""
    config: Annotated[TransferConfig, _FLAT] = field(default_factory=TransferConfig)

    def run(self) -> int:
        """Evaluate."""
        from darla.zero_shot import transfer

        require_graphics()
        named = [_named(agent) for agent in self.agents]
        return _made(transfer(find_task(self.task), named, self.out, self.config, workers=self.workers))


@dataclass(frozen=True, kw_only=True)
class ReportCommand:
    """Write what was found as one self-contained HTML page and as Markdown."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN")]
    """What `darla transfer` made, which brings along the artefacts it stands on; or any folders with artefacts."""
    out: Path
    """Folder of the artefact."""

    def run(self) -> int:
        """Write."""
        from darla.write_report import report

        if not self.runs:
            raise InputError("name at least one run to report on")
        return _made(report(self.runs, self.out))


@dataclass(frozen=True, kw_only=True)
class DoctorCommand:
    """Check whether this machine can run darla, and how fast. The exit code is 1 if it cannot."""

    out: Path = Path("runs")
    """Where runs will be written; its disk is checked."""

    def run(self) -> int:
        """Check and print."""
        from darla.cli.doctor import doctor

        found = doctor(self.out)
        print(found)
        return 0 if found.healthy else 1


_VERBS: Mapping[str, type[Command]] = {
    "collect": CollectCommand,
    "see": SeeCommand,
    "select": SelectCommand,
    "metrics": MetricsCommand,
    "act": ActCommand,
    "transfer": TransferCommand,
    "report": ReportCommand,
    "demo": DemoCommand,
    "study run": StudyRunCommand,
    "study status": StudyStatusCommand,
    "study list": StudyListCommand,
    "doctor": DoctorCommand,
}


def find(name: str, words: Sequence[str]) -> Command | type[Command]:
    """Return what tyro is to fill: a verb's arguments, with the values of the preset that `words` name.

    Raises:
        InputError: there is no such preset.
    """
    if name == "see":
        config = vision_presets.encoder(_given(words, "--preset"), _given(words, "--model"))
        return SeeCommand(frames=tyro.MISSING, out=tyro.MISSING, config=config)
    if name == "act":
        policy = agent_presets.agent(_given(words, "--preset"))
        return ActCommand(task=tyro.MISSING, out=tyro.MISSING, config=_filled(policy, words))
    return _VERBS[name]


def _filled(config: ActConfig, words: Sequence[str]) -> ActConfig:
    """Fill in the algorithm's settings, so that `--settings.gamma` and its like can be shown and changed."""
    algorithm = ALGORITHMS[_given(words, "--algorithm") or config.algorithm]
    settings = config.settings
    if not isinstance(settings, algorithm.settings):
        fine_tune, on_encoder = "--fine-tune" in words, _given(words, "--encoder") is not None
        plain = replace(config, algorithm=algorithm.name, settings=None, fine_tune=fine_tune)
        on_state = _given(words, "--observation") == "state"
        settings = plain.resolve("state" if on_state else "latents" if on_encoder and not fine_tune else "pixels")
    return replace(config, algorithm=algorithm.name, settings=settings)


def _given(words: Sequence[str], option: str) -> str | None:
    """Return the value of an option on the command line, before tyro has read it."""
    for word, after in zip(words, [*words[1:], ""], strict=True):
        if word == option:
            return after
        if word.startswith(f"{option}="):
            return word.partition("=")[2]
    return None


def _named(agent: str) -> str | tuple[str, Path]:
    name, equals, folder = agent.rpartition("=")
    if equals and not name:
        raise InputError(f"{agent!r} gives an agent an empty name; write NAME=FOLDER or FOLDER")
    return (name, Path(folder)) if equals else folder


def _made(artefact: Artefact) -> Literal[0]:
    print(artefact.folder)
    sys.stdout.flush()
    return 0
