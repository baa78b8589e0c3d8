"""Transfer tasks: what the encoder is trained on, where the policy is trained and tested, and what leaks between."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from darla.common import InputError, unknown_name
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.env_domain import EnvDomain
from darla.envs.domains.specs import Spec, overlaps, uncovered

T = TypeVar("T")
Leak = Literal["none", "visual", "conjunction", "correlation", "full"]
TrainDomain = Literal["source", "unlabeled", "targets"]
"""Where a policy is trained: in D_S; in D_U (domain randomization); or in all targets (an upper bound)."""
TRAIN_DOMAINS: tuple[TrainDomain, ...] = ("source", "unlabeled", "targets")


@dataclass(frozen=True)
class TransferTask:
    """What a zero-shot experiment trains and tests in.

    Raises:
        InputError: the domains are not all of one world or all of other environments, or there is no target.
    """

    name: str
    unlabeled: AnyDomain
    """D_U: the contexts of the frames that the encoder learns from."""
    source: AnyDomain
    """D_S: the contexts that the policy is trained in."""
    validation: AnyDomain
    """The source's contexts again, for episodes that no policy was trained on."""
    targets: Mapping[str, AnyDomain]
    """D_T by name: contexts that a policy is tested in and not trained in."""
    selection: AnyDomain | None = None
    """Contexts apart from source and targets, for choosing between encoders or settings."""
    about: str = ""

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError(f"task {self.name!r} has no target, but needs at least one")
        domains = (self.unlabeled, self.source, self.validation, *self.targets.values())
        worlds = {domain.world.name if isinstance(domain, Domain) else "environments by id" for domain in domains}
        if len(worlds) > 1:
            raise InputError(
                f"the domains of task {self.name!r} are of {' and '.join(sorted(worlds))}; use one world for all"
            )

    def domain(self, name: str) -> AnyDomain:
        """Return a domain by its role or, for a target, by its name.

        Raises:
            InputError: the task has no such domain.
        """
        named = {
            "unlabeled": self.unlabeled,
            "source": self.source,
            "validation": self.validation,
            **self.targets,
        }
        if self.selection is not None:
            named["selection"] = self.selection
        if name not in named:
            raise unknown_name(f"domain of task {self.name!r}:", name, named)
        return named[name]

    def training_domain(self, train_domain: str = "source") -> AnyDomain:
        """Return the domain that a policy is trained in.

        Args:
            train_domain: `source` for D_S, `unlabeled` for D_U, or `targets` for a mixture of all targets with
                equal weights.

        Raises:
            InputError: it is none of these, or the targets are of several environments.
        """
        if train_domain not in TRAIN_DOMAINS:
            raise unknown_name("train_domain", train_domain, TRAIN_DOMAINS)
        if train_domain != "targets":
            return self.unlabeled if train_domain == "unlabeled" else self.source
        return _mixture("targets", tuple(self.targets.values()))

    def to_dict(self) -> dict[str, Any]:
        """Return the task as plain data."""
        return {
            "name": self.name,
            "unlabeled": self.unlabeled.to_dict(),
            "source": self.source.to_dict(),
            "validation": self.validation.to_dict(),
            "selection": self.selection.to_dict() if self.selection else None,
            "targets": {name: target.to_dict() for name, target in self.targets.items()},
        }


def leak_level(task: TransferTask, target: str, train_domain: str = "source") -> Leak:
    """Return how much of a target encoder and policy were trained on.

    - `full`: the policy was trained in every context of the target.
    - `correlation`: it was, too, but factors that go together in training depart more often from that in the target.
    - `conjunction`: it was trained with every value of every factor there, but not with the combination.
    - `visual`: some values are new to the policy, and at least some of these are in D_U.
    - `none`: some values are new to the policy, and none of these is in D_U.

    Args:
        task: what is transferred between.
        target: the name of one of its targets.
        train_domain: where the policy was trained; see `TransferTask.training_domain`.

    Raises:
        InputError: the task has no such target.
    """
    if train_domain != "source":
        task = replace(task, source=task.training_domain(train_domain))
    if target not in task.targets:
        raise unknown_name(f"target of task {task.name!r}:", target, task.targets)
    goal = task.targets[target]
    if isinstance(goal, EnvDomain):
        assert isinstance(task.source, EnvDomain)
        assert isinstance(task.unlabeled, EnvDomain)
        return _leak_of_environments(task.unlabeled, task.source, goal)
    assert isinstance(task.source, Domain)
    assert isinstance(task.unlabeled, Domain)
    source, unlabeled, space = task.source, task.unlabeled, goal.world.space
    if source.contains(goal):
        return "correlation" if source.goes_otherwise(goal) else "full"
    new = new_values(source, goal)
    if not new:
        return "conjunction"
    in_unlabeled = any(overlaps(space[name], unlabeled.support(name), values) for name, values in new.items())
    return "visual" if in_unlabeled else "none"


def new_values(source: Domain, target: Domain) -> dict[str, tuple[Spec, ...]]:
    """Return by factor what a target has and no context of the source has; only the factors of which there is some.

    Args:
        source: a domain.
        target: another domain of its world.
    """
    new = {name: uncovered(factor, source.support(name), target.support(name))
           for name, factor in target.world.space.items()}  # fmt: skip
    return {name: values for name, values in new.items() if values}


def _mixture(name: str, domains: tuple[AnyDomain, ...]) -> AnyDomain:
    """Return a mixture of domains with equal weights, whatever number of components each has."""
    sizes = [len(each.components if isinstance(each, Domain) else each.variants) for each in domains]
    parts = math.lcm(*sizes)
    first = domains[0]
    if isinstance(first, EnvDomain):
        if len({each.env_id for each in domains if isinstance(each, EnvDomain)}) > 1:
            raise InputError("the targets are of several environments, and a policy is trained in one")
        whole = [each.whole_variants() for each in domains if isinstance(each, EnvDomain)]
        variants = [part for variants in whole for part in _repeated(variants, parts)]
        return EnvDomain(name, first.env_id, tuple(variants), folder=first.folder)
    components = [part for each in domains if isinstance(each, Domain) for part in _repeated(each.components, parts)]
    return Domain(name, tuple(components), world=first.world)


def _repeated(components: tuple[T, ...], count: int) -> tuple[T, ...]:
    return components * (count // len(components))


def _leak_of_environments(unlabeled: EnvDomain, source: EnvDomain, target: EnvDomain) -> Leak:
    """Treat the environment id, every keyword argument and every part of a setup as a factor with the listed values."""
    allowed = {domain: [domain.values(number) for number in range(len(domain.variants))]
               for domain in (unlabeled, source, target)}  # fmt: skip

    def values(domain: EnvDomain, name: str) -> set[str]:
        return {repr(variant[name]) if name in variant else "default" for variant in allowed[domain]}

    if all(variant in allowed[source] for variant in allowed[target]):
        return "full"
    names = {key for variants in allowed.values() for variant in variants for key in variant}
    new = [name for name in names if not values(target, name) <= values(source, name)]
    if not new:
        return "conjunction"
    return "visual" if any(values(target, name) & values(unlabeled, name) for name in new) else "none"
