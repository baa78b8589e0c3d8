"""The stage before the first: collect the images that the encoder will be trained on."""

from pathlib import Path

from darla.check_task import check, is_tested
from darla.common import Artefact, InputError, is_complete
from darla.common.checked_config import checked_arguments_but
from darla.envs import TransferTask
from darla.envs.domains.task_files import find_task
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.collect import collect as collect_frames
from darla.envs.image_data.registry import IMAGE_DATA


@checked_arguments_but("config")
def collect(
    config: CollectConfig | TransferTask | Path | str,
    out: Path | str,
    *,
    workers: int = 1,
    task: TransferTask | None = None,
) -> Artefact:
    """Collect frames of a task's unlabeled domain D_U, or of ground-truth image data.

    A task of environments that are not darla's is checked first (`darla.check`).

    Args:
        config: what to collect; a task, its name or JSON file, or the name of image data (`sprites`, `rooms`), for the
            default number of frames.
        out: folder of the artefact; an interrupted call resumes there.
        workers: processes that render. The frames do not depend on it.
        task: a task that is not registered by name, in place of the one that `config` names.

    Returns:
        An artefact of kind `frames`, the input of `darla.see`.

    Raises:
        InputError: an unknown task, one that cannot be used (`darla.check`), or a folder that holds something else.
    """
    if isinstance(config, TransferTask):
        return collect(config.name, out, workers=workers, task=config)
    if isinstance(config, Path | str):
        config = CollectConfig(task=str(config))
    if not isinstance(config, CollectConfig):
        raise InputError(f"what to collect is a CollectConfig, a task, or the name of one, not {type(config).__name__}")
    if task is None and config.task not in IMAGE_DATA:
        task = find_task(config.task)
    if task is not None and not is_tested(task) and not is_complete(out):
        check(task).require()
    return collect_frames(config, out, workers=workers, domain=task.unlabeled if task else None)
