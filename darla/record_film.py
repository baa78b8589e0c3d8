"""Record a film: the same episode in the source and in a target, one row for each agent, as an animated GIF."""

from collections.abc import Sequence
from pathlib import Path

from darla.common import InputError, seed_for, unknown_name
from darla.common.files import write_bytes
from darla.envs import TransferTask, tasks
from darla.evaluation.evaluated_agents import Named, load_agents
from darla.evaluation.film_strips import paired_contexts, record_episode
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
        InputError: an unknown task or target, a file name that does not end in .gif, or an agent that cannot be
            evaluated on the task.
    """
    task = tasks.get(task) if isinstance(task, str) else task
    target = next(iter(task.targets)) if target is None else target
    if target not in task.targets:
        raise unknown_name(f"target of task {task.name!r}:", target, task.targets)
    if Path(out).suffix.lower() != ".gif":
        raise InputError(f"out is {out}, but a film is an animated GIF: its name must end in .gif")
    protocol = protocol or EvaluationProtocol()
    seed = seed_for(protocol.evaluation_seed, "strip", target)
    contexts = paired_contexts(task.source, task.targets[target], protocol.evaluation_seed, target)
    rows = {}
    for agent in load_agents(task, agents):
        if agent.artefact is None:
            continue  # the random agent
        actor = agent.load()
        name = agent.method if agent.method not in rows else f"{agent.method}, seed {agent.seed}"
        rows[name] = [
            record_episode(actor, domain, label, seed, context, protocol)
            for domain, label, context in (
                (task.source, "source", contexts[0]),
                (task.targets[target], target, contexts[1]),
            )
        ]
    write_bytes(Path(out), film_gif(rows))
    return Path(out)
