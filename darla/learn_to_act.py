"""The second stage, learn to act: a policy in the source domain, on a frozen encoder's codes or on pixels.

What it is compared with acts elsewhere or sees something else: `trains_in`, `augment`, `fine_tune` and `observe` of
`ActConfig`.
"""

from pathlib import Path

from darla.agents import ActConfig, train_agent
from darla.base import Artefact
from darla.base.errors import WorkerDiedError
from darla.base.worker_errors import RESUMES
from darla.envs import TransferTask, tasks


def act(
    task: TransferTask | str,
    out: Path | str,
    config: ActConfig | str | None = None,
    *,
    encoder: Artefact | Path | str | None = None,
    seed: int = 0,
    workers: int = 1,
    label: str = "learn to act",
) -> Artefact:
    """Train a policy in a task's source domain, or where `config.trains_in` says; it acts nowhere else.

    Args:
        task: the transfer task or its name.
        out: folder of the artefact; a call that was interrupted goes on there.
        config: algorithm, environment steps and the rest, or the name of a preset; `ppo` if None.
        encoder: what `darla.see` made; the policy learns from pixels if None, or from the ground truth.
        seed: master seed.
        workers: processes that share the environments. The policy does not depend on it.
        label: what progress calls this run.

    Returns:
        An artefact of kind `agent`, which `darla.transfer` takes.

    Raises:
        InputError: an unknown task or preset, an encoder for images of another shape or one that would be ignored, or
            a folder that holds something else.
        WorkerDiedError: a process that steps environments has died.
    """
    from darla.experiments import presets  # not at the top: experiments stand on this package

    if not isinstance(config, ActConfig):
        config = presets.agent(config)
    chosen = tasks.get(task) if isinstance(task, str) else task
    try:
        return train_agent(
            config,
            chosen.training_domain(config.trains_in),
            encoder.folder if isinstance(encoder, Artefact) else encoder,
            out,
            seed,
            validation=chosen.validation if config.selection == "validation" else None,
            workers=workers,
            label=label,
        )
    except WorkerDiedError as error:
        raise WorkerDiedError(f"{error}; {RESUMES}", error.pid, error.exit_code) from error
