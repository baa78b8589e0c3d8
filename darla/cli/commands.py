"""The commands for single stages: options of each verb as a dataclass, which tyro turns into a command line.

`darla.cli.verbs` lists them. Stages are imported in `run`, so that `--help` and refusals are quick.
"""

import argparse
import sys
import webbrowser
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import tyro

from darla.agents import ALGORITHMS, ActConfig
from darla.agents import presets as agent_presets
from darla.cli.command import Command, Track
from darla.common import Artefact, InputError, unknown_name
from darla.common.errors import folded
from darla.common.graphics import require_graphics
from darla.envs.domains import tasks
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.own_images import ImageOptions
from darla.envs.image_data.registry import IMAGE_DATA
from darla.vision import SeeConfig, frozen
from darla.vision import presets as vision_presets
from darla.vision.metrics.config import MetricsConfig
from darla.zero_shot import TransferConfig


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


_FLAT = tyro.conf.arg(name="")
"""The options of a configuration stand beside the verb's own."""
_TASKS = f"{_listed(folded(tasks.names()))}, or a JSON file that describes your own"
Task = Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="TASK", help=f"Transfer task: {_TASKS}.")]
Frames = Annotated[
    tyro.conf.Positional[str],
    tyro.conf.arg(
        metavar="FRAMES",
        help="Folder of frames, from `darla collect`. Or images of your own, which become frames in OUT-frames: a "
        "folder of PNG or JPEG files, or a file (.npy, .npz, .h5) with an array of uint8 (FILE:KEY is one of several).",
    ),
]
Out = Annotated[
    Path,
    tyro.conf.arg(help="Folder to write. If the command was interrupted, the same command resumes there."),
]


@dataclass(frozen=True, kw_only=True)
class CheckCommand(Command):
    """Check a task of your own before frames are collected.

    Every variant of every domain is made, reset and stepped, twice with the same seeds and actions. `darla collect`
    does this by itself. The exit code is 2 if the task cannot be used.
    """

    task: Task

    def run(self) -> int:
        """Check, and print what was seen."""
        require_graphics()
        from darla.check_task import check

        checked = check(self.task)
        print(checked)
        return 0 if checked.is_usable else 2


@dataclass(frozen=True, kw_only=True)
class CollectCommand(CollectConfig, Command):
    """Collect images of a task's unlabeled domain, to train encoders.

    Instead of a task, image data with known factors can be named.
    """

    task: Annotated[
        tyro.conf.Positional[str],
        tyro.conf.arg(
            metavar="TASK",
            help=f"Transfer task: {_TASKS}. Or image data with known factors: {_listed(IMAGE_DATA)}.",
        ),
    ] = tyro.MISSING  # the configuration has a default, which would be collected without being asked for
    out: Out
    workers: int = 1
    """Worker processes that render. The frames do not depend on their number."""

    def run(self) -> int:
        """Collect."""
        require_graphics()
        from darla.collect_frames import collect

        config = CollectConfig(**{part.name: getattr(self, part.name) for part in fields(CollectConfig)})
        if (
            not Path(self.task).is_file()
            and not self.task.endswith(".json")
            and self.task not in (*tasks.names(), *IMAGE_DATA)
        ):
            raise unknown_name("task or image data", self.task, (*tasks.names(), *IMAGE_DATA))
        return _print_folder(collect(config, self.out, workers=self.workers))


@dataclass(frozen=True, kw_only=True)
class SeeCommand(Command):
    """Learn to see: train an encoder on collected frames, without labels."""

    frames: Frames
    out: Out
    seed: int = 0
    """Master seed: of the weights, the order of the images and the noise."""
    denoiser: tyro.conf.DisallowNone[Path | None] = None
    """Denoising autoencoder (DAE) of an earlier encoder, to share it. If not given, one is trained where it is
    needed."""
    watch: tuple[str, ...] = ()
    """Metrics of `darla metrics`, such as `mig`, to log during training, to TensorBoard and `watched/`. They do not
    affect training."""
    track: Track = None
    preset: Annotated[
        tyro.conf.DisallowNone[str | None],
        tyro.conf.arg(
            help=f"Named configuration: {_listed(vision_presets.ENCODERS)}; `darla` if neither preset nor model is "
            "given. The options below show its values and change them."
        ),
    ] = None
    encoder: tyro.conf.DisallowNone[str | None] = None
    """A network that is used as it is, instead of a model to train: `package.module:name` of a function that returns a
    torch.nn.Module, of a class or of a module, or `timm:NAME`. The options `--vae.*` say what it reads."""
    images: Annotated[ImageOptions, _FLAT] = field(default_factory=ImageOptions)
    config: Annotated[SeeConfig, _FLAT] = field(default_factory=SeeConfig)

    @classmethod
    def with_presets(cls, words: Sequence[str]) -> Self:
        """Return the command with the preset's configuration."""
        given = _peek(words, "preset", "model", "encoder")
        if given.encoder is not None:
            if given.preset is not None or given.model is not None:
                raise InputError("--preset and --model would be ignored beside --encoder, which is used as it is")
            return cls(frames=tyro.MISSING, out=tyro.MISSING, config=frozen(given.encoder))
        return cls(frames=tyro.MISSING, out=tyro.MISSING, config=vision_presets.encoder(given.preset, given.model))

    def run(self) -> int:
        """Train."""
        from darla.learn_to_see import see

        encoder = see(
            self.frames,
            self.out,
            self.config,
            seed=self.seed,
            dae=self.denoiser,
            watch=self.watch,
            images=self.images,
        )
        return _print_folder(encoder)


@dataclass(frozen=True, kw_only=True)
class SelectCommand(Command):
    """Train several encoders, and rank them by how well they agree (UDR).

    UDR needs no labels: encoders of one setting and different seeds agree where they are disentangled.
    """

    frames: Frames
    out: Out
    presets: tyro.conf.DisallowNone[tuple[str, ...] | None] = None
    """Settings to compare, as `darla see --preset` has them, or networks, as `darla see --encoder` has them; `beta-1`
    and `beta-4` if neither presets nor a family are given."""
    family: tyro.conf.DisallowNone[str | None] = None
    """Instead of presets: six disentanglers with settings for `sprites`, `rooms` or `seek-avoid`."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One encoder of each setting is trained with each of these seeds; at least two."""
    ranking: Literal["lasso", "spearman"] = "lasso"
    """Variant of UDR that ranks: relates the latents of two encoders by a Lasso, or by Spearman's rank correlation."""
    workers: tyro.conf.DisallowNone[int | None] = None
    """Encoders trained at the same time, one thread each; as many as there are cores if not given."""
    track: Track = None
    images: Annotated[ImageOptions, _FLAT] = field(default_factory=ImageOptions)

    def run(self) -> int:
        """Train, rank, and print the ranking."""
        from darla.experiments.families import family
        from darla.rank_encoders import TABLE, select

        if self.presets and self.family:
            raise InputError(f"--family {self.family} would be ignored beside --presets; give one of them")
        settings = family(self.family) if self.family else self.presets or ("beta-1", "beta-4")
        ranking = select(
            self.frames,
            self.out,
            settings,
            seeds=self.seeds,
            ranking=self.ranking,
            workers=self.workers,
            images=self.images,
        )
        print((ranking.folder / TABLE).read_text(), end="")
        return _print_folder(ranking)


@dataclass(frozen=True, kw_only=True)
class MetricsCommand(MetricsConfig, Command):
    """Score an encoder with the metric suite, where factors are known."""

    encoder: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="ENCODER", help="Folder of an encoder, from `darla see`.")
    ]
    out: Out
    data: Annotated[
        tyro.conf.DisallowNone[str | None],
        tyro.conf.arg(
            help=f"Images to score it on: {_listed(IMAGE_DATA)}, a folder of frames from `darla collect`, or images of "
            "your own, as `darla see` takes them, with --factors. If not given, what the encoder was trained on."
        ),
    ] = None
    seed: int = 0
    """Master seed: of the choice of images, and of the metrics."""
    device: str = "cpu"
    """Device that encodes the images and computes the scores: `cpu` or `cuda`."""
    track: Track = None
    images: Annotated[ImageOptions, _FLAT] = field(default_factory=ImageOptions)

    def run(self) -> int:
        """Score, and print the table."""
        require_graphics()
        from darla.score_encoder import metrics, summary

        config = MetricsConfig(**{part.name: getattr(self, part.name) for part in fields(MetricsConfig)})
        scores = metrics(
            self.encoder, self.out, self.data, config, seed=self.seed, device=self.device, images=self.images
        )
        print(summary(scores))
        return _print_folder(scores)


@dataclass(frozen=True, kw_only=True)
class ActCommand(Command):
    """Learn to act: train a policy in a task's source domain.

    Its input is the codes of a frozen encoder, or else the images or the state of the environment.
    """

    task: Task
    out: Out
    encoder: tyro.conf.DisallowNone[Path | None] = None
    """Folder of an encoder, from `darla see`. Without it the policy is trained end to end on pixels or on the state."""
    seed: int = 0
    """Master seed: of the policy's weights, the environments and the exploration."""
    workers: int = 1
    """Worker processes that step the environments. The policy does not depend on their number."""
    device: str = "cpu"
    """Device of the encoder, or of a policy on pixels: `cpu`, `cuda`, `cuda:1`, ..., or `auto`, a GPU if there is one.
    A policy on codes or on the state always runs on the CPU."""
    track: Track = None
    preset: Annotated[
        tyro.conf.DisallowNone[str | None],
        tyro.conf.arg(
            help=f"Named configuration: {_listed(agent_presets.AGENTS)}; `ppo` if not given. The options below show "
            "its values and change them."
        ),
    ] = None
    config: Annotated[tyro.conf.AvoidSubcommands[ActConfig], _FLAT] = field(default_factory=ActConfig)

    @classmethod
    def with_presets(cls, words: Sequence[str]) -> Self:
        """Return the command with the preset's configuration and the settings of its algorithm.

        The settings are filled in so that `--settings.gamma` and its like can be shown and changed. Their class and
        their defaults depend on the algorithm and on the policy's input.
        """
        given = _peek(words, "preset", "algorithm", "encoder", "observation", flags=("fine-tune",))
        config = agent_presets.agent(given.preset)
        algorithm = ALGORITHMS[given.algorithm or config.algorithm]
        settings = config.settings
        if not isinstance(settings, algorithm.settings):
            plain = replace(config, algorithm=algorithm.name, settings=None, fine_tune=given.fine_tune)
            on_codes = given.encoder is not None and not given.fine_tune
            settings = plain.resolve("state" if given.observation == "state" else "latents" if on_codes else "pixels")
        config = replace(config, algorithm=algorithm.name, settings=settings)
        return cls(task=tyro.MISSING, out=tyro.MISSING, config=config)

    def run(self) -> int:
        """Train."""
        from darla.learn_to_act import act

        require_graphics()
        task = find_task(self.task)
        agent = act(
            task,
            self.out,
            self.config,
            encoder=self.encoder,
            seed=self.seed,
            workers=self.workers,
            device=self.device,
        )
        return _print_folder(agent)


@dataclass(frozen=True, kw_only=True)
class TransferCommand(Command):
    """Evaluate agents, unchanged, in the source and in every target."""

    at_least_one: ClassVar[Sequence[str]] = ("AGENT",)
    positional: ClassVar[int] = 1
    task: Task
    agents: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME=]AGENT")]
    """Folders of agents, from `darla act` or `darla import`; or `package.module:name` of a function that returns an
    object with `predict`, as Stable-Baselines3's models have it. Agents with the same NAME are one method with several
    seeds."""
    out: Out
    workers: int = 1
    """Worker processes that run episodes. The result does not depend on their number."""
    track: Track = None
    config: Annotated[TransferConfig, _FLAT] = field(default_factory=TransferConfig)

    def run(self) -> int:
        """Evaluate."""
        from darla.zero_shot import transfer

        require_graphics()
        if not self.agents:
            raise InputError("name at least one agent to evaluate, as AGENT or NAME=AGENT")
        agents = [_split_name(agent) for agent in self.agents]
        result = transfer(find_task(self.task), agents, self.out, self.config, workers=self.workers)
        print(result)  # the table, then the folder
        return 0


@dataclass(frozen=True, kw_only=True)
class FilmCommand(Command):
    """Record the same episode in source and target, as a GIF or as MP4.

    Below each image is what the agent's encoder makes of it, the return so far, and the action.
    """

    at_least_one: ClassVar[Sequence[str]] = ("AGENT",)
    positional: ClassVar[int] = 1
    task: Task
    agents: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME=]AGENT")]
    """Folders of agents, from `darla act`; they stand in a grid."""
    out: Annotated[Path, tyro.conf.arg(help="The file to write, ending in .gif, or in .mp4 (extra `film`).")]
    target: tyro.conf.DisallowNone[str | None] = None
    """Name of the target; the first of the task if not given."""
    evaluation_seed: int = 2017
    """Master seed of the episode and of sampled actions; with that of `darla transfer`, the episode of its strips."""
    deterministic: bool = False
    """Whether agents take their most probable action."""

    def run(self) -> int:
        """Record."""
        from darla.evaluation.transfer_config import EvaluationProtocol
        from darla.record_film import film

        require_graphics()
        protocol = EvaluationProtocol(evaluation_seed=self.evaluation_seed, deterministic=self.deterministic)
        agents = [_split_name(agent) for agent in self.agents]
        print(film(find_task(self.task), agents, self.out, target=self.target, protocol=protocol))
        return 0


@dataclass(frozen=True, kw_only=True)
class ReportCommand(Command):
    """Write the results as one HTML page and as Markdown."""

    at_least_one: ClassVar[Sequence[str]] = ("RUN",)
    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN")]
    """Folders of transfers, from `darla transfer`; the encoders and agents they used are included. Or any folders that
    hold artefacts."""
    out: Out
    films: bool = False
    """Whether the agents play an episode in the source and in each target again, as a film in the page: MP4 where the
    extra `film` is installed, else an animated GIF. Needs the agents of the transfers and their environments."""
    open: bool = False
    """Whether to open the page in a browser."""

    def run(self) -> int:
        """Write."""
        from darla.reports.page import PAGE
        from darla.write_report import report

        if not self.runs:
            raise InputError("name at least one run to report on")
        made = report(self.runs, self.out, films=self.films)
        if self.open:
            webbrowser.open((made.folder / PAGE).resolve().as_uri())
        return _print_folder(made)


@dataclass(frozen=True, kw_only=True)
class DoctorCommand(Command):
    """Check whether this machine can run darla, and how fast.

    The exit code is 1 if it cannot.
    """

    out: Path = Path("runs")
    """Folder that runs will be written to; the space on its disk is checked."""

    def run(self) -> int:
        """Check and print."""
        from darla.cli.doctor import doctor

        report = doctor(self.out)
        print(report)
        return 0 if report.healthy else 1


def _peek(words: Sequence[str], *options: str, flags: Sequence[str] = ()) -> argparse.Namespace:
    """Read a few options before tyro reads all of them; each is None if it is not given.

    tyro needs a command's defaults before it parses, but here they depend on options such as `--preset`. Its own way,
    `tyro.extras.overridable_config_cli`, makes a subcommand of every preset, which must come before all options.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in options:
        parser.add_argument(f"--{option}", f"--{option.replace('-', '_')}", nargs="?")
    for flag in flags:
        parser.add_argument(f"--{flag}", f"--{flag.replace('-', '_')}", action="store_true")
    return parser.parse_known_args(list(words))[0]


def _split_name(agent: str) -> str | tuple[str, Path]:
    name, equals, folder = agent.rpartition("=")
    if equals and not name:
        raise InputError(f"{agent!r} gives an agent an empty name; write NAME=FOLDER or FOLDER")
    if equals and not folder:
        raise InputError(f"{agent!r} names no folder; write NAME=FOLDER or FOLDER")
    return (name, Path(folder)) if equals else folder


def _print_folder(artefact: Artefact) -> Literal[0]:
    print(artefact.folder)
    sys.stdout.flush()
    return 0
