"""The second stage, learn to act: train a policy in the source domain, on a frozen encoder's codes or on pixels.

Baselines differ in where they are trained or in what they observe: `train_domain`, `augment`, `fine_tune` and
`observation` of `ActConfig`.
"""

from pathlib import Path

from darla.agents import ActConfig, presets, train_agent
from darla.common import Artefact, InputError
from darla.common.checked_config import checked_arguments_but
from darla.common.errors import WorkerDiedError
from darla.common.jobs.worker_errors import RESUMES
from darla.common.registry import is_import_path
from darla.envs import TransferTask
from darla.envs.domains.task_files import find_task


@checked_arguments_but("task")
def act(
    task: TransferTask | Path | str,
    out: Path | str,
    config: ActConfig | str | None = None,
    *,
    encoder: Artefact | Path | str | None = None,
    seed: int = 0,
    workers: int = 1,
    device: str = "cpu",
    label: str = "learn to act",
) -> Artefact:
    """Train a policy in a task's source domain, or in `config.train_domain`, and nowhere else.

    Args:
        task: the transfer task, its name, or a JSON file.
        out: folder of the artefact; an interrupted call resumes there.
        config: algorithm, environment steps and so on, or the name of a preset; `ppo` if None.
        encoder: an encoder artefact; if None, the policy is trained on pixels, or on the ground truth.
        seed: master seed.
        workers: processes that share the environments. The policy does not depend on it.
        device: where the encoder runs, or the policy on pixels: `cpu`, `cuda`, `cuda:1`, ..., or `auto`, a GPU if there
            is one. A policy on codes always runs on the CPU, where it is fastest.
        label: name of this run in the progress output.

    Returns:
        An artefact of kind `agent`, an input of `darla.transfer`.

    Raises:
        InputError: an unknown task or preset, an encoder for images of another shape or one that would be ignored, a
            folder that holds something else, or a device that is not there.
        WorkerDiedError: a process that steps environments has died.
    """
    if isinstance(encoder, str | Path) and is_import_path(str(encoder)) and not Path(encoder).exists():
        raise InputError(
            f"{encoder} is a network and not an encoder yet, whose codes are normalized over images of D_U; make one "
            f"with: darla see FRAMES --encoder {encoder} --out ENCODER"
        )
    if not isinstance(config, ActConfig):
        config = presets.agent(config)
    task = find_task(task)
    try:
        return train_agent(
            config,
            task.training_domain(config.train_domain),
            encoder,
            out,
            seed,
            validation=task.validation if config.selection == "validation" else None,
            workers=workers,
            device=device,
            label=label,
        )
    except WorkerDiedError as error:
        raise WorkerDiedError(f"{error}; {RESUMES}", error.pid, error.exit_code) from error
