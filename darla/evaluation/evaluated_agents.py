"""The agents of an evaluation, opened and checked against the task.

Leak levels are computed from where an agent was trained, so that has to be known. An agent that was trained in the
task's D_U or in its targets is accepted if its configuration says so (`ActConfig.train_domain`); its leak levels are
then its own. One that was trained in a target without saying so is refused.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from darla.agents import Agent, load_description
from darla.agents.exchange.predictors import Predictor, Predicts, is_predictor
from darla.common import Artefact, InputError, is_complete, open_artefact
from darla.common.artefact import ENCODER_PATH
from darla.common.checked_config import shown_value
from darla.envs import AnyDomain, Domain, TransferTask, domain_from_dict, leak_level
from darla.evaluation.score_types import OWN, RANDOM, AgentRecord

ON_LATENTS, ON_PIXELS = "DARLA", "end to end"
"""Default method names of agents with and without an encoder."""


@dataclass(frozen=True)
class EvaluatedAgent(AgentRecord):
    """One agent with its open artefacts, before its policy is loaded."""

    artefact: Artefact | None = None
    """The agent artefact; None for the random agent."""
    encoder_artefact: Artefact | None = None
    """The encoder that it was trained on; None without one, or where it is no longer in its place."""
    unlabeled_is_known: bool = True
    """Whether its encoder, if it has one, was trained on a domain, and not on images of which no domain is known."""
    predictor: Predictor | None = None
    """An agent that darla did not train; None for the others."""

    @property
    def is_random(self) -> bool:
        """Whether it is the random agent."""
        return self.artefact is None and self.predictor is None

    @property
    def record(self) -> AgentRecord:
        """What identifies it."""
        return AgentRecord(**{field.name: getattr(self, field.name) for field in fields(AgentRecord)})

    def load(self, *, snapshot: int | None = None, loaded: Agent | None = None) -> Agent:
        """Load the policy, without hashing its artefacts again.

        Args:
            snapshot: number of the snapshot, from 1; None for the policy that training selected.
            loaded: this agent with another snapshot, whose encoder is shared.
        """
        assert self.artefact is not None, "the random agent has no policy to load"
        encoder = self.encoder_artefact if self.observation == "images" and not self.fine_tune else None
        return Agent.load(self.artefact, encoder if loaded is None else loaded.encoder, snapshot=snapshot)


GivenAgent = Artefact | Path | str | Predicts
"""An agent artefact or its folder; an object with `predict`, or the import path of one."""
Named = GivenAgent | tuple[str, GivenAgent]
"""An agent, or a pair of its method's name and an agent."""


def load_agents(task: TransferTask, agents: Sequence[Named]) -> list[EvaluatedAgent]:
    """Open and check agents, and put the random agent before them. Every artefact is opened and hashed once.

    Args:
        task: what they will be evaluated on.
        agents: agent artefacts and objects with `predict`, with or without their methods' names.

    Raises:
        InputError: there is none; one was trained in a target or in another source; two have the same method and
            seed; one cannot be loaded, or its encoder is missing.
    """
    if isinstance(agents, Mapping | str | Path | Artefact) or is_predictor(agents):
        raise InputError(
            f"agents are a list of agents, or of pairs (name, agent), not {type(agents).__name__}: "
            + ("list(agents.items())" if isinstance(agents, Mapping) else "[agent]")
        )
    if not isinstance(agents, Sequence):
        raise InputError(f"agents is {shown_value(agents)}, but must be a list of agents, or of pairs (name, agent)")
    if not agents:
        raise InputError("there is no agent to evaluate; name at least one")
    evaluated = [EvaluatedAgent(RANDOM, 0, RANDOM)]
    encoders: dict[Path, Artefact] = {}
    for given in agents:
        name, agent = given if isinstance(given, tuple) else (None, given)
        if is_predictor(agent):
            evaluated.append(_predicting(name, agent, evaluated))
            continue
        if isinstance(agent, str | Path) and Path(agent).suffix == ".zip":
            raise InputError(
                f"{agent} is a zip of Stable-Baselines3, which holds pickled code; take its weights alone with: "
                f"darla import {agent} TASK --out AGENT"
            )
        if not isinstance(agent, Artefact | Path | str):
            raise InputError(f"{type(agent).__name__} cannot be evaluated: it has no method predict")
        evaluated.append(_open(task, name, open_artefact(agent, "agent"), encoders))
    methods = [(agent.method, agent.seed) for agent in evaluated]
    for number, entry in enumerate(evaluated):
        if (entry.method, entry.seed) in methods[:number]:
            if entry.method == RANDOM:
                where = entry.artefact.folder if entry.artefact else entry.predictor and entry.predictor.source
                raise InputError(
                    f"{RANDOM!r} is reserved for the random agent; give the agent in {where} another name "
                    f"(NAME={where})"
                )
            raise InputError(
                f"two agents are called {entry.method!r} and have the seed {entry.seed}; "
                "give each method a name of its own"
            )
    _check_alike(evaluated)
    return evaluated


def _predicting(name: str | None, agent: GivenAgent, before: Sequence[EvaluatedAgent]) -> EvaluatedAgent:
    """Describe an agent that darla did not train; several of one method are numbered."""
    predictor = Predictor.of(str(agent) if isinstance(agent, Path) else agent)
    method = name or predictor.source.rpartition(":")[2].rpartition(".")[2]
    seed = sum(each.method == method for each in before)
    return EvaluatedAgent(method, seed, predictor.digest, algorithm=OWN, predictor=predictor)


def _check_alike(agents: Sequence[EvaluatedAgent]) -> None:
    """Refuse agents of one method that differ in how they were trained."""
    first: dict[str, EvaluatedAgent] = {}
    for agent in agents:
        other = first.setdefault(agent.method, agent)
        for name in ("train_domain", "observation", "augment", "fine_tune", "is_own"):
            if getattr(agent, name) != getattr(other, name):
                raise InputError(
                    f"agents called {agent.method!r} differ in {name}: {getattr(other, name)!r} and"
                    f" {getattr(agent, name)!r}; give each method a name of its own"
                )


def _open(task: TransferTask, name: str | None, artefact: Artefact, encoders: dict[Path, Artefact]) -> EvaluatedAgent:
    """Check an agent.

    Args:
        task: what it will be evaluated on.
        name: of its method, if it was given.
        artefact: the agent.
        encoders: the encoders that are open already, by path; its own is added.
    """
    folder = artefact.folder
    _check_source(task, folder, artefact.config)
    description = load_description(folder)
    act = artefact.config["act"]
    encoder = None
    if description.encoder is not None:
        encoder = _open_encoder(artefact, encoders)
        if encoder is not None:
            _check_unlabeled(task, folder, encoder)
    agent = EvaluatedAgent(
        method=name or (ON_PIXELS if description.encoder is None else ON_LATENTS),
        seed=int(artefact.card["seed"]),
        digest=artefact.digest,
        encoder=description.encoder,
        algorithm=description.algorithm,
        env_steps=description.env_steps,
        snapshot_steps=description.snapshot_steps,
        train_domain=act["train_domain"],
        observation=act["observation"],
        augment=tuple(act["augment"]),
        fine_tune=act["fine_tune"],
        artefact=artefact,
        encoder_artefact=encoder,
        unlabeled_is_known=encoder is None or _is_domain(encoder.card["extra"].get("domain")),
    )
    agent.load()  # what does not fit together is noticed now and not after an hour of episodes
    return agent


def _open_encoder(agent: Artefact, encoders: dict[Path, Artefact]) -> Artefact | None:
    """Open the encoder that an agent was trained on; None where it is no longer in its place."""
    place = agent.place_of(ENCODER_PATH)
    if place is None or not is_complete(place):
        return None
    path = place.resolve()
    if path not in encoders:
        encoders[path] = Artefact.load(place, "encoder")
    return encoders[path]


def _check_unlabeled(task: TransferTask, folder: Path, encoder: Artefact) -> None:
    """Refuse an agent whose encoder was trained on the D_U of another task: its leak levels would be wrong for it.

    A part of the task's D_U, such as eight looks of it, is allowed: then the leak is at most what the task says.
    """
    domain = encoder.card["extra"].get("domain")
    if _is_domain(domain) and domain != task.unlabeled.to_dict() and not _is_part_of(domain, task.unlabeled):
        raise InputError(
            f"the encoder of {folder} was trained on another unlabeled domain than that of task {task.name!r}; "
            "its leak levels would be wrong"
        )


def _is_domain(domain: dict[str, Any] | None) -> bool:
    """Return whether frames were drawn from a domain of a task, and are no images of a user or image data."""
    return domain is not None and not domain.keys().isdisjoint(("world", "env_id"))


def _is_part_of(domain: dict[str, Any], unlabeled: AnyDomain) -> bool:
    if not isinstance(unlabeled, Domain) or domain.get("world") != unlabeled.world.name:
        return False
    return unlabeled.contains(Domain.from_dict(domain))


def _check_source(task: TransferTask, folder: Path, config: dict[str, Any]) -> None:
    """Refuse an agent that was trained or selected in a target without saying so, or trained in another source."""
    train_domain = config["act"]["train_domain"]
    if train_domain != "source":
        if config["source"] != task.training_domain(train_domain).to_dict():
            description = "the unlabeled domain" if train_domain == "unlabeled" else "the targets"
            raise InputError(
                f"{folder} was trained in {description} of another task than {task.name!r}; its leak levels would be "
                "wrong"
            )
        return
    for role, stored in (("trained", config["source"]), ("selected", config.get("validation"))):
        if stored is None:
            continue
        domain: AnyDomain = domain_from_dict(stored)
        if type(domain) is type(task.source):
            trained_there = replace(task, source=domain)
            for target in task.targets:
                if leak_level(trained_there, target) == "full":
                    raise InputError(
                        f"{folder} was {role} in the target {target!r} of task {task.name!r}; its scores there would "
                        "not be zero-shot transfer"
                    )
    if config["source"] != task.source.to_dict():
        raise InputError(
            f"{folder} was trained in the domain {config['source'].get('name')!r}, not in the source of task "
            f"{task.name!r}; gap and retention would be measured against a domain that it was not trained in"
        )
