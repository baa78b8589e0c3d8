"""The commands of concepts: `darla concepts train | imagine | combine | describe | judge | measure | act`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from darla.cli.command import Command, Track
from darla.vision.concepts.learning.config import METHODS, ConceptsConfig

Run = Annotated[
    tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN", help="Folder of concepts, from `darla concepts train`.")
]
Data = Annotated[
    tyro.conf.DisallowNone[str | None],
    tyro.conf.arg(
        help="Data with named attributes: `rooms`, `sprites`, or a folder of frames with factors. If not given, what "
        "the encoder was trained on."
    ),
]
Out = Annotated[
    Path, tyro.conf.arg(help="Folder to write. If the command was interrupted, the same command resumes there.")
]
Sheet = Annotated[Path, tyro.conf.arg(help="The PNG to write.")]


@dataclass(frozen=True, kw_only=True)
class ConceptsTrainCommand(Command):
    """Learn concepts on top of an encoder (SCAN).

    Symbols name some attributes of what an image shows, such as `wall=cyan object=key`, and leave the others open.
    """

    encoder: Annotated[
        tyro.conf.Positional[Path], tyro.conf.arg(metavar="ENCODER", help="Folder of an encoder, from `darla see`.")
    ]
    out: Out
    data: Data = None
    seed: int = 0
    """Master seed: of the concepts, the examples and the training."""
    method: Annotated[str, tyro.conf.arg(help=f"One of {', '.join(f'`{name}`' for name in METHODS)}.")] = "scan"
    concepts: int = 133
    """Concepts to train on, drawn at random; 133 in the paper."""
    images: int = 10
    """Images of each; 10 in the paper."""
    held_out: int = 100
    """Concepts that training never names, for measures."""
    unseen: tuple[str, ...] = ()
    """Concepts of which no example is shown either, such as "wall=cyan object=key"."""
    parts: bool = False
    """Whether an image is also an example of every part of its concept."""
    experts: bool = False
    """Whether the posterior of a symbol is a product of Gaussians, one for each value, so that a concept that was never
    named is made of parts that were; in the paper it is a network."""
    steps: tyro.conf.DisallowNone[int | None] = None
    """Training steps; if not given, what is usual for the method."""
    operator_steps: tyro.conf.DisallowNone[int | None] = None
    """Training steps of the operators; 3,000 if not given."""

    def run(self) -> int:
        """Learn."""
        from dataclasses import replace

        from darla.learn_concepts import associate

        config = ConceptsConfig(
            method=self.method, concepts=self.concepts, images=self.images, held_out=self.held_out,
            unseen=self.unseen, parts=self.parts,
        )  # fmt: skip
        if self.experts:
            config = config.with_experts()
        if self.steps is not None:
            config = replace(config, training=replace(config.trained, steps=self.steps))
        if self.operator_steps is not None:
            config = replace(config, operators=replace(config.operators, steps=self.operator_steps))
        print(associate(self.encoder, self.out, config, data=self.data, seed=self.seed).folder)
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsImagineCommand(Command):
    """Write a sheet of images of a concept.

    What the concept leaves open is different in every image.
    """

    runs: Run
    concepts: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="CONCEPT",
            help="ATTRIBUTE=VALUE, several in quotes with spaces between; or several such with operators, as in "
            '"(wall=cyan) AND (object=key)" or "EXCEPT object=key". Of several concepts the images are below each '
            "other.",
        ),
    ]
    out: Sheet
    count: int = 24
    """Images of each."""
    seed: int = 0
    """Seed of the samples."""

    def run(self) -> int:
        """Write."""
        from darla.common import InputError
        from darla.learn_concepts import imagine

        if not self.concepts:
            raise InputError("no concept was given; write ATTRIBUTE=VALUE, such as wall=cyan")
        print(imagine(self.runs, self.concepts, self.out, count=self.count, seed=self.seed))
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsCombineCommand(Command):
    """Write sheets of two concepts, and of both with an operator.

    AND shows both, IN COMMON what both specify alike, IGNORE the first without what the second specifies, EXCEPT the
    first where the second is not so.
    """

    runs: Run
    words: Annotated[
        tyro.conf.Positional[tuple[str, ...]],
        tyro.conf.arg(
            metavar="INSTRUCTION",
            help='A concept, an operator (AND, "IN COMMON", IGNORE or EXCEPT) and another concept, each of which may '
            'be an instruction in parentheses; or all of it in quotes, as in "EXCEPT object=key".',
        ),
    ]
    out: Sheet
    count: int = 12
    """Images of each."""
    seed: int = 0
    """Seed of the samples."""

    def run(self) -> int:
        """Write."""
        from darla.common import InputError
        from darla.learn_concepts import combine_concepts, combine_instruction

        if len(self.words) == 1:
            print(combine_instruction(self.runs, self.words[0], self.out, count=self.count, seed=self.seed))
        elif len(self.words) == 3:
            print(combine_concepts(self.runs, *self.words, self.out, count=self.count, seed=self.seed))
        else:
            raise InputError(
                f"{len(self.words)} words were given; write CONCEPT OPERATOR CONCEPT, or one instruction in quotes, "
                'such as "EXCEPT object=key"'
            )
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsDescribeCommand(Command):
    """Name what an image shows.

    Prints the three most probable values of each attribute.
    """

    runs: Run
    image: Annotated[
        tyro.conf.Positional[Path],
        tyro.conf.arg(metavar="IMAGE", help="PNG or JPEG of the size that the encoder reads."),
    ]
    samples: int = 64
    """Samples of the latents, over which probabilities are averaged."""
    seed: int = 0
    """Seed of the samples."""

    def run(self) -> int:
        """Print."""
        from darla.learn_concepts import describe

        print(describe(self.runs, self.image, samples=self.samples, seed=self.seed))
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsJudgeCommand(Command):
    """Train the classifier that judges imagined images.

    It is checked on images that it has not seen; the accuracies are printed.
    """

    data: Annotated[
        tyro.conf.Positional[str],
        tyro.conf.arg(metavar="DATA", help="`rooms`, `sprites`, or a folder of frames with factors."),
    ]
    out: Out
    seed: int = 0
    """Master seed."""
    images: int = 30_000
    """Images to train on."""
    steps: int = 4000
    """Training steps."""

    def run(self) -> int:
        """Train."""
        from dataclasses import replace

        from darla.learn_concepts import JudgeConfig, accuracies_of, train_judge

        config = JudgeConfig(images=self.images)
        config = replace(config, training=replace(config.training, steps=self.steps))
        judge = train_judge(self.data, self.out, config, seed=self.seed)
        for name, value in accuracies_of(judge).items():
            print(f"{name}: {value:.4f}")
        print(judge.folder)
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsMeasureCommand(Command):
    """Measure accuracy and diversity of imagined images.

    By symbols and by operators, for concepts that were trained and for concepts that were held out.
    """

    runs: Run
    judge: Annotated[Path, tyro.conf.arg(help="Folder of a judge, from `darla concepts judge`.")]
    out: Out
    data: Data = None
    seed: int = 0
    """Seed of the samples."""
    images: int = 128
    """Images that are imagined of each concept."""
    concepts: int = 50
    """Concepts of each kind, at most."""

    def run(self) -> int:
        """Measure."""
        from darla.learn_concepts import TABLE, ConceptScoresConfig, score_concepts

        config = ConceptScoresConfig(images=self.images, concepts=self.concepts)
        scores = score_concepts(self.runs, self.judge, self.out, config, data=self.data, seed=self.seed)
        print((scores.folder / TABLE).read_text())
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsActCommand(Command):
    """Train agents that follow instructions.

    They search rooms for what an instruction names, told by its concept, by a raw symbol, or nothing at all, and are
    tried with other instructions and in other rooms.
    """

    runs: Run
    out: Out
    seed: int = 0
    """Master seed."""
    seeds: int = 5
    """Policies of each kind."""
    steps: int = 100_000
    """Environment steps of each policy."""
    searches: int = 1024
    """Different searches that policies are trained in."""
    evaluated: int = 200
    """Searches that each policy is tried in, for each set of instructions."""

    def run(self) -> int:
        """Train, try, and print the table."""
        from darla.common.graphics import require_graphics
        from darla.experiments.follow_instructions import TABLE, FollowConfig, follow

        require_graphics()
        config = FollowConfig(seeds=self.seeds, steps=self.steps, searches=self.searches, evaluated=self.evaluated)
        followers = follow(self.runs, self.out, config, seed=self.seed)
        print((followers.folder / TABLE).read_text())
        print(followers.folder)
        return 0


@dataclass(frozen=True, kw_only=True)
class ConceptsDemoCommand(Command):
    """Train all of it small, and write one page.

    Rooms are collected, an encoder, a judge, a SCAN and agents that follow instructions are trained and measured. The
    page shows sheets of concepts and instructions, tables, and the film strip of an agent. If it is stopped, the same
    command resumes.
    """

    out: Path = Path("runs/concepts-demo")
    """Folder to write everything to."""
    scale: float = 1.0
    """Multiplies frames and training steps."""
    seed: int = 0
    """Master seed."""
    track: Track = None

    def run(self) -> int:
        """Run it and print where the page is."""
        from darla.common import InputError
        from darla.common.graphics import require_graphics
        from darla.experiments.concept_demo import concept_demo

        if not 0 < self.scale <= 100:
            raise InputError(f"--scale is {self.scale:g}, but must be above 0 and at most 100")
        require_graphics()
        print(concept_demo(self.out, scale=self.scale, seed=self.seed))
        return 0
