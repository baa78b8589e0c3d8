"""The stage before the first: collect what the encoder will look at."""

from pathlib import Path

from darla.common import Artefact
from darla.envs import TransferTask
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.collect import collect as collect_frames


def collect(
    config: CollectConfig | TransferTask | str,
    out: Path | str,
    *,
    workers: int = 1,
    task: TransferTask | None = None,
) -> Artefact:
    """Collect frames of a task's unlabelled domain D_U, or of ground-truth image data.

    Args:
        config: what to collect; a task, or the name of one or of image data (`sprites`, `rooms`), for the usual number
            of frames of it.
        out: folder of the artefact; a call that was interrupted goes on there.
        workers: processes that draw. The frames do not depend on it.
        task: a task that is not known by name, instead of the one that `config` names.

    Returns:
        An artefact of kind `frames`, which `darla.see` takes.

    Raises:
        InputError: an unknown task, or a folder that holds something else.
    """
    if isinstance(config, TransferTask):
        return collect(config.name, out, workers=workers, task=config)
    if isinstance(config, str):
        config = CollectConfig(task=config)
    return collect_frames(config, out, workers=workers, domain=task.unlabelled if task else None)
