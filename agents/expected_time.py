"""What decides how fast a policy is trained, and how fast it is evaluated."""

from collections.abc import Mapping
from typing import Any

from darla.agents.algorithms.settings import Observation
from darla.agents.config import ActConfig
from darla.common.speeds.records import Work, settings_of, spread
from darla.common.speeds.wording import Part
from darla.envs.domains.domain import AnyDomain
from darla.envs.frames.expected_time import world_of

VALIDATE_LABEL = "validate"
"""Label of the `Progress` that counts episodes of snapshots."""


def policy_facts(act: Mapping[str, Any], observation: Observation, see: Mapping[str, Any] | None) -> dict[str, str]:
    """Return what decides how fast a policy acts.

    Args:
        act: its configuration as plain values (`ActConfig.to_dict`).
        observation: its input.
        see: the configuration of its encoder as plain values, if it has one.
    """
    from darla.vision.encoders.expected_time import encoder_facts

    facts = {"algorithm": str(act["algorithm"]), "input": observation, "stack": str(act["frame_stack"])}
    return facts | ({} if see is None else encoder_facts(see))


def act_settings(act: Mapping[str, Any]) -> str:
    """Return a digest of what decides how fast a policy learns, beside its input; see `policy_facts`."""
    return settings_of([act["settings"], list(act["augment"]), act["fine_tune"]])


def act_parts(
    config: ActConfig,
    domain: AnyDomain,
    see: Mapping[str, Any] | None,
    *,
    numbers: str | None = None,
    device: str | None = None,
    label: str = "learn to act",
    workers: int = 1,
    threads: int = 1,
    jobs: int | None = None,
) -> list[Part]:
    """Return the parts of training a policy.

    Args:
        config: how it is trained.
        domain: where.
        see: the configuration of its encoder as plain values, if it has one.
        numbers: number format of the encoder; None for any.
        device: where encoder, or policy on pixels, run; None for any.
        label: of the `Progress` that counts steps.
        workers: processes that step environments.
        threads: of PyTorch.
        jobs: jobs of a study side by side; those beside this process if None.
    """
    config = config.for_domain(domain)
    observation = config.policy_input(on_encoder=see is not None)
    plain = config.to_dict(observation)
    facts = policy_facts(plain, observation, see) | {"world": world_of(domain), "settings": act_settings(plain)}
    facts |= {} if device is None else {"device": device}
    facts |= {} if numbers is None else {"numbers": numbers}
    how = spread(jobs, workers=workers, threads=threads)
    return [
        Part(Work("act", "step", facts, how), config.env_steps, label),
        Part(Work("act", "episode", facts, how), config.snapshots * config.episodes_per_snapshot(), VALIDATE_LABEL),
        Part(Work("act", "run", facts, how), 1),
    ]


def episodes_part(
    facts: Mapping[str, str], domain: AnyDomain, episodes: float, *, n_envs: int, workers: int, jobs: int | None = None
) -> Part:
    """Return a part of an evaluation: episodes of one kind of agent in the domains of a world.

    Args:
        facts: of the agent.
        domain: one of them.
        episodes: of all such agents in all domains.
        n_envs: environments that are stepped together.
        workers: processes that run episodes.
        jobs: jobs of a study side by side.
    """
    facts = {**facts, "world": world_of(domain), "together": str(n_envs)}
    label = " ".join(facts[name] for name in ("algorithm", "input", "encoder", "world") if name in facts)
    return Part(Work("transfer", "episode", facts, spread(jobs, workers=workers)), episodes, label)


def rest_part(source: AnyDomain, workers: int, *, agents: int, domains: int, jobs: int | None = None) -> Part:
    """Return what an evaluation does beside its episodes: processes, scores with their intervals, tables.

    Args:
        source: the task's source.
        workers: processes that run episodes.
        agents: how many there are, the random one included.
        domains: in which they are evaluated.
        jobs: jobs of a study side by side.
    """
    facts = {"world": world_of(source)}
    how = spread(jobs, workers=workers, agents=agents, domains=domains)
    return Part(Work("transfer", "run", facts, how), 1)
