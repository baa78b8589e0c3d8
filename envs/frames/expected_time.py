"""What decides how fast frames are collected."""

from typing import Any

from darla.common.speeds.records import Work, settings_of, spread
from darla.common.speeds.wording import Part
from darla.envs.domains.domain import Domain
from darla.envs.domains.env_domain import EnvDomain

LABEL = "collecting"
"""Of the `Progress` that counts frames."""


def world_of(domain: Any) -> str:
    """Return what decides how fast a domain is stepped and drawn: its world, or its environment with all settings."""
    if isinstance(domain, Domain):
        return domain.world.name
    if isinstance(domain, EnvDomain):
        settings = {name: value for name, value in domain.to_dict().items() if name != "name"}
        return f"{domain.env_id} {settings_of(settings)}"
    return str(domain.name)


def collect_parts(
    domain: Any, frames: int, *, sampling: str, unit: str, walk: int | None, workers: int, jobs: int | None = None
) -> list[Part]:
    """Return the parts of collecting frames.

    Args:
        domain: a domain, or image data.
        frames: how many are to be collected.
        sampling: as in the configuration, resolved.
        unit: what is drawn together.
        walk: steps between two frames.
        workers: processes that draw.
        jobs: jobs of a study side by side; those beside this process if None.
    """
    facts = {"world": world_of(domain), "sampling": sampling, "drawn": unit, "walk": str(walk or 0)}
    how = spread(jobs, workers=workers)
    return [
        Part(Work("collect", "frame", facts, how), frames, LABEL),
        Part(Work("collect", "run", facts, how), 1),
    ]
