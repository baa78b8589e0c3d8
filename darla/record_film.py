"""Record a film: the same episode in the source and in a target, one row for each agent, as an animated GIF."""

from collections.abc import Sequence
from pathlib import Path

from darla.common import InputError, seed_for, unknown_name
from darla.common.files import write_bytes
from darla.envs import TransferTask, tasks
from darla.evaluation.evaluated_agents import Named, load_agents
from darla.evaluation.film_strips import RecordedEpisode, paired_contexts, record_episode
from darla.evaluation.transfer_config import EvaluationProtocol
from darla.reports.figures.film import film_gif


def film(
    task: TransferTask | str,
    agents: Sequence[Named],
    out: Path | str,
    *,
    target: str | None = None,
    protocol: EvaluationProtocol | None = None,
) -> Path:
    """Let agents play one episode in the source and again in a target, and write a film of both.

    The episode is that of the film strips of `darla.transfer`. In a world whose states can be rendered in any context,
    it begins with the same state in both domains, so that only the appearance differs.

    Args:
        task: the transfer task or its name.
        agents: agent artefacts, or pairs of a method's name and one; a row of the film for each.
        out: the GIF file.
        target: name of the target; the task's first if None.
        protocol: gives the evaluation seed, and whether actions are deterministic; that of `darla.transfer` if None.

    Returns:
        The file.

    Raises:
        InputError: an unknown task or target, a file name that does not end in .gif, no agent, or one that cannot be
            evaluated on the task.
    """
    task = tasks.get(task) if isinstance(task, str) else task
    target = next(iter(task.targets)) if target is None else target
    if target not in task.targets:
        raise unknown_name(f"target of task {task.name!r}:", target, task.targets)
    if Path(out).suffix.lower() != ".gif":
        raise InputError(f"out is {out}, but a film is an animated GIF: its name must end in .gif")
    write_bytes(Path(out), film_gif(record_pairs(task, agents, target, protocol or EvaluationProtocol())))
    return Path(out)


def record_pairs(
    task: TransferTask, agents: Sequence[Named], target: str, protocol: EvaluationProtocol
) -> dict[str, tuple[RecordedEpisode, RecordedEpisode]]:
    """Let each agent play the episode of the film strips in the source and in a target.

    Args:
        task: the transfer task.
        agents: agent artefacts, or pairs of a method's name and one.
        target: name of one of the task's targets.
        protocol: gives the evaluation seed, and whether actions are deterministic.

    Returns:
        By the name of the method, with the seed where several agents have one name, the episodes in source and target.

    Raises:
        InputError: an agent cannot be evaluated on the task, or there is none.
    """
    source, shifted = task.source, task.targets[target]
    seed = seed_for(protocol.evaluation_seed, "strip", target)
    contexts = paired_contexts(source, shifted, protocol.evaluation_seed, target)
    pairs: dict[str, tuple[RecordedEpisode, RecordedEpisode]] = {}
    for agent in load_agents(task, agents):
        if agent.artefact is None:
            continue  # the random agent
        actor = agent.load()
        name = agent.method if agent.method not in pairs else f"{agent.method}, seed {agent.seed}"
        pairs[name] = (
            record_episode(actor, source, "source", seed, contexts[0], protocol),
            record_episode(actor, shifted, target, seed, contexts[1], protocol),
        )
    return pairs
