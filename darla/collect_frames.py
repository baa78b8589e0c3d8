"""The stage before the first: collect the images that the encoder will be trained on."""

from pathlib import Path

from darla.check_task import check, is_tested
from darla.common import Artefact, is_complete
from darla.envs import TransferTask, tasks
from darla.envs.frames.collect import CollectConfig
from darla.envs.frames.collect import collect as collect_frames
from darla.envs.image_data.registry import IMAGE_DATA


def collect(
    config: CollectConfig | TransferTask | str,
    out: Path | str,
    *,
    workers: int = 1,
    task: TransferTask | None = None,
) -> Artefact:
    """Collect frames of a task's unlabeled domain D_U, or of ground-truth image data.

    A task of environments that are not darla's is checked first (`darla.check`).

    Args:
        config: what to collect; a task, or the name of a task or of image data (`sprites`, `rooms`), for the default
            number of frames.
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
    if isinstance(config, str):
        config = CollectConfig(task=config)
    checked = task or (None if config.task in IMAGE_DATA else tasks.get(config.task))
    if checked is not None and not is_tested(checked) and not is_complete(out):
        check(checked).require()
    return collect_frames(config, out, workers=workers, domain=task.unlabeled if task else None)
