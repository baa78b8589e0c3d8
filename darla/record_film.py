"""Record a film: the same episode in the source and in a target, agents in a grid, as an animated GIF or as MP4."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from darla.agents import Actor, FrozenEncoder
from darla.common import InputError, seed_for, unknown_name
from darla.common.checked_config import checked_arguments_but
from darla.common.files import write_bytes
from darla.envs import TransferTask
from darla.envs.domains.task_files import find_task
from darla.evaluation.evaluated_agents import Named, load_agents
from darla.evaluation.film_strips import RecordedEpisode, paired_contexts, record_episode
from darla.evaluation.transfer_config import EvaluationProtocol
from darla.reports.figures.film import KINDS, film_gif, film_mp4, require_mp4
from darla.vision import encode_images
from darla.vision.encoders.encode import decode_codes


@checked_arguments_but("task", "agents")
def film(
    task: TransferTask | Path | str,
    agents: Sequence[Named],
    out: Path | str,
    *,
    target: str | None = None,
    protocol: EvaluationProtocol | None = None,
) -> Path:
    """Let agents play one episode in the source and again in a target, and write a film of both.

    Below each image is what the agent's encoder makes of it, the return so far with the rewards, and the action.

    The episode is that of the film strips of `darla.transfer`. In a world whose states can be rendered in any context,
    it begins with the same state in both domains, so that only the appearance differs.

    Args:
        task: the transfer task, its name, or a JSON file.
        agents: agent artefacts, or pairs of a method's name and one; up to four stand in two columns, more in three.
        out: the file, ending in .gif or .mp4; the latter needs `imageio-ffmpeg` (extra `film`).
        target: name of the target; the task's first if None.
        protocol: gives the evaluation seed, and whether actions are deterministic; that of `darla.transfer` if None.

    Returns:
        The file.

    Raises:
        InputError: an unknown task or target, another file name, no agent, or one that cannot be evaluated on the
            task.
    """
    task = find_task(task)
    target = next(iter(task.targets)) if target is None else target
    if target not in task.targets:
        raise unknown_name(f"target of task {task.name!r}:", target, task.targets)
    kind = Path(out).suffix.lower()
    if kind not in KINDS:
        raise InputError(f"out is {out}, but the name of a film must end in {' or '.join(KINDS)}")
    if kind == ".mp4":
        require_mp4()
    write = film_mp4 if kind == ".mp4" else film_gif
    write_bytes(Path(out), write(record_pairs(task, agents, target, protocol or EvaluationProtocol())))
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
        if agent.is_random:
            continue
        actor: Actor = agent.load() if agent.predictor is None else agent.predictor.load()
        name = agent.method if agent.method not in pairs else f"{agent.method}, seed {agent.seed}"
        pairs[name] = (
            _decoded(actor, record_episode(actor, source, "source", seed, contexts[0], protocol)),
            _decoded(actor, record_episode(actor, shifted, target, seed, contexts[1], protocol)),
        )
    return pairs


def _decoded(actor: Actor, episode: RecordedEpisode) -> RecordedEpisode:
    """Return an episode with what the agent's frozen encoder makes of its images, where it has a decoder."""
    encoder = getattr(actor, "encoder", None)
    if not isinstance(encoder, FrozenEncoder) or not encoder.model.has_decoder:
        return episode
    images = np.stack(episode.images)
    return replace(episode, decoded=list(decode_codes(encoder.model, encode_images(encoder.model, images))))
