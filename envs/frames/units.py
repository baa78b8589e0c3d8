"""Units of frames: what is drawn together, for models that need more than single images.

    image       one image
    pair        two images that share factors: of image data, they differ in a few; of a world, one state in two looks;
                of a random walk, two frames of one episode, `stride` steps apart
    group       images in which one factor varies and all else is the same, or the rest varies together
    transition  the images before and after an action of a random walk

The images of unit u are the frames k u, ..., k u + k - 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from darla.common import InputError, unknown_name
from darla.envs.domains.domain import AnyDomain, Domain
from darla.envs.domains.specs import Choice, Uniform
from darla.envs.image_data.ground_truth import GroundTruthData

UnitKind = Literal["image", "pair", "group", "transition"]
UNITS: tuple[UnitKind, ...] = get_args(UnitKind)
REST = "rest"
"""Part of a group in which everything but the named factors varies."""


@dataclass(frozen=True)
class UnitPlan:
    """How the frames of a set are drawn together."""

    kind: UnitKind = "image"
    size: int = 1
    """Frames in a unit, k."""
    parts: tuple[str, ...] = ()
    """Of groups: the factors of which one varies in a group, then `rest`, if anything else varies."""
    rest_ratio: int = 1
    """How many times as many groups of the rest there are as of each factor."""
    changes: int | None = None
    """Of pairs of image data: how many factors differ; if None, 1 to all but one, drawn for each pair."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for `index.json`."""
        return {"kind": self.kind, "size": self.size, "parts": list(self.parts)}

    def draw_part(self, rng: np.random.Generator) -> int:
        """Draw what varies in a group: an index into `parts`."""
        weights = np.array([self.rest_ratio if part == REST else 1 for part in self.parts], dtype=float)
        return int(rng.choice(len(self.parts), p=weights / weights.sum()))

    def draw_changed(self, factors: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
        """Draw which of `factors` factors differ between the images of a pair, as column numbers."""
        count = self.changes if self.changes is not None else int(rng.integers(1, max(factors, 2)))
        return np.sort(rng.permutation(factors)[:count])


def group_plan(domain: AnyDomain | GroundTruthData, size: int, factors: Sequence[str], rest_ratio: int) -> UnitPlan:
    """Plan groups of frames.

    Args:
        domain: a domain of a paired world, or image data.
        size: frames in a group.
        factors: those that vary alone; all that vary where none is named. Which objects exist (`World.content`) and the
            state of the environment belong to the rest.
        rest_ratio: how many times as many groups of the rest there are as of each factor.

    Raises:
        InputError: the domain has no factors, has some that go together, or cannot show one state in several contexts,
            or a named factor does not vary.
    """
    if isinstance(domain, AnyDomain):
        paired = _paired(domain, "group")
        for name, given in paired.dependences:
            raise InputError(
                f"one factor cannot vary alone in domain {domain.name!r}, since {name!r} goes together with "
                f"{given.factor!r}; groups need a domain without dependences"
            )
        varying = _varying(paired)
        has_rest = True
    else:
        varying = tuple(name for name, count in zip(domain.factor_names, domain.factor_sizes, strict=True) if count > 1)
        has_rest = bool(factors) and set(factors) != set(varying)
    for name in factors:
        if name not in varying:
            raise unknown_name(f"factor that varies in {domain.name!r}:", name, varying)
    if len(set(factors)) < len(factors):
        raise InputError(f"group_factors names a factor twice: {', '.join(factors)}")
    parts = (*(factors or varying), *([REST] if has_rest else []))
    return UnitPlan("group", size, parts, rest_ratio)


def pair_plan(domain: AnyDomain | GroundTruthData, walks: bool, changes: int | None) -> UnitPlan:
    """Plan pairs of frames.

    Args:
        domain: where they are drawn.
        walks: whether they are frames of random walks.
        changes: for image data, how many factors differ.

    Raises:
        InputError: the states of the domain cannot be shown in two looks, or that many factors cannot differ.
    """
    if isinstance(domain, AnyDomain):
        if changes is not None:
            raise InputError(f"pair_changes {changes} would be ignored: it is for image data, not for {domain.name!r}")
        if not walks:
            _paired(domain, "pair")
    elif changes is not None and not 1 <= changes <= len(domain.factor_names):
        raise InputError(f"pair_changes is {changes}, but {domain.name} has 1 to {len(domain.factor_names)} factors")
    return UnitPlan("pair", 2, changes=changes)


def _paired(domain: AnyDomain, unit: str) -> Domain:
    """Return a domain whose states can be shown in several contexts.

    Raises:
        InputError: it cannot.
    """
    if not isinstance(domain, Domain) or not domain.world.paired:
        raise InputError(
            f"domain {domain.name!r} has no factors or is of a world that is not paired, so that a {unit} cannot show"
            " one state in several looks"
            + ("; use sampling 'random_policy' for pairs of frames of one episode" if unit == "pair" else "")
        )
    return domain


def _varying(domain: Domain) -> tuple[str, ...]:
    """Return the factors that vary within a component of the domain and do not decide which objects exist."""
    return tuple(
        name
        for name in domain.world.space
        if name not in domain.world.content
        and any(
            isinstance(spec, Uniform) or (isinstance(spec, Choice) and len(spec.values) > 1)
            for spec in domain.support(name)
        )
    )
