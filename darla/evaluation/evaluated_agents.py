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
from darla.envs.domains.transfer_task import TrainDomain
from darla.evaluation.scores import RANDOM

ON_LATENTS, ON_PIXELS = "DARLA", "end to end"
"""What agents are called that come without the name of a method."""


@dataclass(frozen=True)
class EvaluatedAgent:
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
    train_domain: TrainDomain = "source"
    """Where it acted while it learnt."""
    observation: str = "images"
    """What it was told: images, or the ground truth behind them."""
    augment: tuple[str, ...] = ()
    """How its images were changed while it learnt."""
    fine_tune: bool = False
    """Whether its encoder went on learning with it, so that it does not stand on the artefact's."""

    @property
    def is_end_to_end(self) -> bool:
        """Whether it learnt in the source from its images as they are, and from nothing else."""
        plain = (self.train_domain, self.observation, self.augment) == ("source", "images", ())
        return plain and self.encoder is None and self.folder is not None

    def to_dict(self) -> dict[str, Any]:
        """Return what identifies it, as plain data; an agent stays the same when its folder is moved."""
        unsaid = {"train_domain": "source", "observation": "images", "augment": (), "fine_tune": False}
        return {
            name: value
            for name, value in asdict(self).items()
            if name != "folder" and not (name in unsaid and value == unsaid[name])
        }


Named = Artefact | Path | str | tuple[str, Artefact | Path | str]
"""An agent artefact, or a pair of its method's name and itself."""


def load_agents(task: TransferTask, agents: Sequence[Named]) -> list[EvaluatedAgent]:
    """Read and check agents, and put the random agent before them.

    Args:
        task: what they will be evaluated on.
        agents: agent artefacts, with or without their methods' names.

    Raises:
        InputError: there is none; one was trained in a target or in another source; two have the same method and
            seed; one cannot be loaded, or its encoder is missing.
    """
    if not agents:
        raise InputError("there is no agent to evaluate; name at least one")
    evaluated = [EvaluatedAgent(RANDOM, 0, RANDOM, None)]
    for given in agents:
        name, where = given if isinstance(given, tuple) else (None, given)
        artefact = where if isinstance(where, Artefact) else Artefact.load(where, "agent")
        evaluated.append(_admit(task, name, artefact))
    methods = [(agent.method, agent.seed) for agent in evaluated]
    for number, agent in enumerate(evaluated):
        if (agent.method, agent.seed) in methods[:number]:
            if agent.method == RANDOM:
                raise InputError(
                    f"{RANDOM!r} is reserved for the random agent; give the agent in {agent.folder} another name "
                    f"(NAME={agent.folder})"
                )
            raise InputError(
                f"two agents are called {agent.method!r} and have the seed {agent.seed}; "
                "give each method a name of its own"
            )
    _check_alike(evaluated)
    return evaluated


def _check_alike(agents: Sequence[EvaluatedAgent]) -> None:
    """Refuse agents of one method that have acted in different domains, or were told different things."""
    first: dict[str, EvaluatedAgent] = {}
    for agent in agents:
        other = first.setdefault(agent.method, agent)
        for name in ("train_domain", "observation", "augment", "fine_tune"):
            if getattr(agent, name) != getattr(other, name):
                raise InputError(
                    f"agents called {agent.method!r} differ in {name}: {getattr(other, name)!r} and"
                    f" {getattr(agent, name)!r}; give each method a name of its own"
                )


def _admit(task: TransferTask, name: str | None, artefact: Artefact) -> EvaluatedAgent:
    folder = artefact.folder
    if artefact.kind != "agent":
        raise InputError(f"{folder} holds {artefact.kind!r}, and an agent is needed")
    _check_source(task, folder, artefact.config)
    Agent.load(folder)  # with its encoder: what is damaged or missing shows now and not after an hour
    description = load_description(folder)
    act = artefact.config["act"]
    if description.encoder is not None:
        _check_seen(task, folder, artefact.card["extra"].get(ENCODER_PATH))
    return EvaluatedAgent(
        method=name or (ON_PIXELS if description.encoder is None else ON_LATENTS),
        seed=int(artefact.card["seed"]),
        digest=artefact.digest,
        folder=folder,
        encoder=description.encoder,
        algorithm=description.algorithm,
        env_steps=description.env_steps,
        snapshot_steps=description.snapshot_steps,
        train_domain=act.get("train_domain", "source"),
        observation=act.get("observation", "images"),
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
    train_domain = config["act"].get("train_domain", "source")
    if train_domain != "source":
        if config["source"] != task.training_domain(train_domain).to_dict():
            where = "the unlabelled domain" if train_domain == "unlabelled" else "the targets"
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
