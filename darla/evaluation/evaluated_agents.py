"""Who takes part in an evaluation: agents of the task, each with where it has acted and what it was told.

An agent that acted in the task's D_U or in its targets takes part if its configuration says that it was meant to, and
its leak levels are computed from there. One that acted in a target under another name is refused.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from darla.agents import Agent, load_description
from darla.agents.agent import ENCODER_PATH
from darla.common import Artefact, InputError, is_complete
from darla.common.files import read_json
from darla.envs import AnyDomain, TransferTask, domain_from_dict, leak_level
from darla.envs.domains.transfer_task import TrainsIn
from darla.evaluation.scores import RANDOM

ON_LATENTS, ON_PIXELS = "DARLA", "end to end"
"""What agents are called that come without the name of a method."""


@dataclass(frozen=True)
class Entrant:
    """One agent, before it is loaded."""

    method: str
    """The way of making an agent that this one is a sample of."""
    seed: int
    """Seed of its training."""
    digest: str
    """Digest of the agent artefact; the method's name for the random agent, which has none."""
    folder: Path | None
    """Where it lies; None for the random agent."""
    encoder: str | None = None
    """Digest of the encoder it stands on, or began with; None without one."""
    algorithm: str = RANDOM
    """What trained it."""
    env_steps: int = 0
    """Environment steps that the policy was trained for."""
    snapshot_steps: tuple[int, ...] = ()
    """Environment steps of its snapshots, in their order."""
    trains_in: TrainsIn = "source"
    """Where it acted while it learnt."""
    observe: str = "images"
    """What it was told: images, or the ground truth behind them."""
    augment: tuple[str, ...] = ()
    """How its images were changed while it learnt."""
    fine_tune: bool = False
    """Whether its encoder went on learning with it, so that it does not stand on the artefact's."""

    @property
    def is_end_to_end(self) -> bool:
        """Whether it learnt in the source from its images as they are, and from nothing else."""
        plain = (self.trains_in, self.observe, self.augment) == ("source", "images", ())
        return plain and self.encoder is None and self.folder is not None

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies it, as plain data; an agent stays the same when its folder is moved."""
        unsaid = {"trains_in": "source", "observe": "images", "augment": (), "fine_tune": False}
        return {
            name: value
            for name, value in asdict(self).items()
            if name != "folder" and not (name in unsaid and value == unsaid[name])
        }


Named = Artefact | Path | str | tuple[str, Artefact | Path | str]
"""An agent artefact, or a pair of its method's name and itself."""


def admit_all(task: TransferTask, agents: Sequence[Named]) -> list[Entrant]:
    """Read and check agents, and put the random agent before them.

    Args:
        task: what they will be evaluated on.
        agents: agent artefacts, with or without their methods' names.

    Raises:
        InputError: there is none; one was trained in a target or in another source; two have the same
        method and
            seed; one cannot be loaded, or its encoder is missing.
    """
    if not agents:
        raise InputError("there is no agent to evaluate; name at least one")
    entrants = [Entrant(RANDOM, 0, RANDOM, None)]
    for agent in agents:
        name, found = agent if isinstance(agent, tuple) else (None, agent)
        entrants.append(_admit(task, name, found if isinstance(found, Artefact) else Artefact.load(found, "agent")))
    methods = [(entrant.method, entrant.seed) for entrant in entrants]
    for number, entrant in enumerate(entrants):
        if (entrant.method, entrant.seed) in methods[:number]:
            if entrant.method == RANDOM:
                raise InputError(
                    f"{RANDOM!r} is the name of the random agent; call the method of {entrant.folder} else"
                )
            raise InputError(
                f"two agents are called {entrant.method!r} and have the seed {entrant.seed}; "
                "give each method a name of its own"
            )
    _check_alike(entrants)
    return entrants


def _check_alike(entrants: Sequence[Entrant]) -> None:
    """Refuse agents of one method that have acted in different domains, or were told different things."""
    first: dict[str, Entrant] = {}
    for entrant in entrants:
        other = first.setdefault(entrant.method, entrant)
        for name in ("trains_in", "observe", "augment", "fine_tune"):
            if getattr(entrant, name) != getattr(other, name):
                raise InputError(
                    f"agents called {entrant.method!r} differ in {name}: {getattr(other, name)!r} and"
                    f" {getattr(entrant, name)!r}; give each method a name of its own"
                )


def _admit(task: TransferTask, name: str | None, artefact: Artefact) -> Entrant:
    folder = artefact.folder
    if artefact.kind != "agent":
        raise InputError(f"{folder} holds {artefact.kind!r}, and an agent is needed")
    _check_source(task, folder, artefact.config)
    Agent.load(folder)  # with its encoder: what is damaged or missing shows now and not after an hour
    description = load_description(folder)
    act = artefact.config["act"]
    if description.encoder is not None:
        _check_seen(task, folder, artefact.card["extra"].get(ENCODER_PATH))
    return Entrant(
        method=name or (ON_PIXELS if description.encoder is None else ON_LATENTS),
        seed=int(artefact.card["seed"]),
        digest=artefact.digest,
        folder=folder,
        encoder=description.encoder,
        algorithm=description.algorithm,
        env_steps=description.env_steps,
        snapshot_steps=description.snapshot_steps,
        trains_in=act.get("trains_in", "source"),
        observe=act.get("observe", "images"),
        augment=tuple(act.get("augment", ())),
        fine_tune=act.get("fine_tune", False),
    )


def _check_seen(task: TransferTask, folder: Path, encoder: str | None) -> None:
    """Refuse an agent whose encoder has seen another D_U than the task's: its leak levels would not be the task's."""
    if encoder is None or not is_complete(folder / encoder):
        return
    seen = read_json(folder / encoder / "card.json")["extra"].get("domain")
    if seen is not None and seen != task.unlabelled.to_dict():
        raise InputError(
            f"the encoder of {folder} has learnt from frames of another unlabelled domain than that of task "
            f"{task.name!r}; how much of a target had leaked would be told wrongly"
        )


def _check_source(task: TransferTask, folder: Path, config: dict[str, Any]) -> None:
    """Refuse an agent that has acted in a target unasked, was selected in one, or learnt in another source."""
    trains_in = config["act"].get("trains_in", "source")
    if trains_in != "source":
        if config["source"] != task.training_domain(trains_in).to_dict():
            where = "the unlabelled domain" if trains_in == "unlabelled" else "the targets"
            raise InputError(
                f"{folder} was trained in {where} of another task than {task.name!r}; how much of a target it has met"
                " would be told wrongly"
            )
        return
    for role, told in (("trained", config["source"]), ("selected", config.get("validation"))):
        if told is None:
            continue
        domain: AnyDomain = domain_from_dict(told)
        if type(domain) is type(task.source):
            met = replace(task, source=domain)
            for target in task.targets:
                if leak_level(met, target) == "full":
                    raise InputError(
                        f"{folder} was {role} in the target {target!r} of task {task.name!r}: "
                        "what it scores there is no zero-shot transfer"
                    )
    if config["source"] != task.source.to_dict():
        raise InputError(
            f"{folder} was trained in the domain {config['source'].get('name')!r}, not in the source of task "
            f"{task.name!r}; gap and retention would compare it with a place it has never learnt in"
        )
