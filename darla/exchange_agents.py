"""Agents for other software, and agents from other software.

`export` writes an agent of darla as a zip that Stable-Baselines3's `load` reads, or as one ONNX graph; `import_agent`
makes an agent artefact of the weights in such a zip. Agents in any other form act in `darla.transfer` as objects with
`predict`.
"""

import os
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from darla.agents import ALGORITHMS, ActConfig, Agent, FrozenEncoder, PolicyDescription, make_vec
from darla.agents.actions import bounds_of, count
from darla.agents.agent import encoder_folder
from darla.agents.exchange.onnx_graph import write_onnx
from darla.agents.exchange.sb3_zip import load_policy, plain_layers, read_zip, write_zip
from darla.agents.exchange.whole_policy import whole_policy
from darla.agents.policy_io import WEIGHTS, save_description, save_weights, snapshot_file
from darla.agents.vec_env.spaces import image_shape
from darla.common import (
    Artefact,
    InputError,
    complete_artefact,
    is_complete,
    open_artefact,
    start_artefact,
    writes_nothing_if_refused,
)
from darla.common.artefact import ENCODER_PATH
from darla.common.checked_config import CheckedConfig, checked_arguments, checked_arguments_but
from darla.common.files import sha256, write_bytes
from darla.envs import TransferTask
from darla.envs.domains.task_files import find_task
from darla.envs.domains.transfer_task import TrainDomain

FORMATS = (".zip", ".onnx")


@dataclass(frozen=True)
class ImportConfig(CheckedConfig):
    """What the weights in a zip do not say; it is taken on its author's word."""

    algorithm: str = "ppo"
    """Algorithm that trained it, as `darla act --algorithm` names it."""
    net_arch: tuple[int, ...] | None = None
    """Units of the policy's hidden layers; those that the zip names, or Stable-Baselines3's default, if not given."""
    frame_stack: int = 1
    """Successive images or codes that it observes at once (`VecFrameStack`, the newest last)."""
    train_domain: TrainDomain = "source"
    """Where it was trained: in the task's `source`, its `unlabeled` domain, or its `targets`."""
    seed: int = 0
    """Seed of its training, by which tables tell agents of one method apart."""

    def __post_init__(self) -> None:
        """Refuse values that cannot be used."""
        ALGORITHMS[self.algorithm]
        if self.frame_stack < 1:
            raise InputError(f"frame_stack must be at least 1, not {self.frame_stack}")
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}, but must not be negative")
        ActConfig(train_domain=self.train_domain)  # knows the names


@checked_arguments
def export(agent: Artefact | Path | str, out: Path | str, *, encoder: Artefact | Path | str | None = None) -> Path:
    """Write an agent for other software, encoder and policy in one file.

    Args:
        agent: an agent artefact.
        out: the file: `.zip`, which the `load` of its algorithm in Stable-Baselines3 reads in a process that can import
            darla; or `.onnx`, a graph from images to actions. It is written only if it acts as the agent does.
        encoder: of the agent, if it is no longer where it was when the agent was trained.

    Returns:
        The file.

    Raises:
        InputError: another kind of file, packages that are missing, or an agent that cannot be written in this form.
    """
    out = Path(out)
    if out.suffix not in FORMATS:
        raise InputError(f"out is {out}, but an agent is exported as {' or '.join(FORMATS)}")
    opened = open_artefact(agent, "agent")
    loaded = Agent.load(opened, encoder)
    opened_encoder = None
    if loaded.encoder is not None:
        opened_encoder = open_artefact(encoder or encoder_folder(opened), "encoder")
    description, policy = whole_policy(loaded, opened_encoder)
    if out.suffix == ".onnx":
        write_onnx(out, description, policy)
    else:
        kind = ALGORITHMS[description.algorithm].settings
        settings = kind(**{name: _tuple(value) for name, value in opened.config["act"]["settings"].items()})
        write_zip(out, description, policy, settings)
    return out


@checked_arguments_but("task")
@writes_nothing_if_refused
def import_agent(
    file: Path | str,
    task: TransferTask | Path | str,
    out: Path | str,
    config: ImportConfig | None = None,
    *,
    encoder: Artefact | Path | str | None = None,
) -> Artefact:
    """Make an agent of the weights in a zip of Stable-Baselines3; nothing in it is unpickled.

    Args:
        file: the zip. Its policy reads images (`CnnPolicy`), or the codes of `encoder` (`MlpPolicy`).
        task: in whose source it was trained, or where `config.train_domain` says; its name, or a JSON file.
        out: folder of the artefact.
        config: what the weights do not say.
        encoder: an encoder artefact whose normalized codes it was trained on, in float32.

    Returns:
        An artefact of kind `agent`, an input of `darla.transfer`, as those of `darla.act` are.

    Raises:
        InputError: it is no such zip, its weights do not fit task, encoder and configuration, or its policy was built
            with something that weights do not show.
    """
    started = time.monotonic()
    file, config = Path(file), config or ImportConfig()
    task = find_task(task)
    tensors, values = read_zip(file)
    opened = None if encoder is None else open_artefact(encoder, "encoder")
    frozen = None if opened is None else FrozenEncoder.load(opened, "float32")
    domain = task.training_domain(config.train_domain)
    envs = make_vec(domain, 1)
    shape, actions = image_shape(envs.observation_space), envs.action_space
    envs.close()
    if frozen is not None and frozen.image_shape != shape:
        raise InputError(f"the encoder reads images of shape {frozen.image_shape}, but the task shows {shape}")
    algorithm = ALGORITHMS[config.algorithm]
    algorithm.check_actions(actions)
    layers = config.net_arch if config.net_arch is not None else plain_layers(values, file)
    on_images = frozen is None
    settings = algorithm.preset("pixels" if on_images else "latents")
    if layers is None:
        layers = _default_layers(config.algorithm, on_images)
    settings = replace(settings, net_arch=layers)  # type: ignore[call-arg]
    steps = values.get("num_timesteps")
    env_steps = steps if isinstance(steps, int) and steps > 0 else 1
    description = PolicyDescription(
        algorithm=config.algorithm,
        observation="pixels" if on_images else "latents",
        architecture=algorithm.architecture(settings),
        image_shape=shape,
        n_actions=count(actions),
        action_bounds=bounds_of(actions),
        frame_stack=config.frame_stack,
        latent_dim=None if frozen is None else frozen.latent_dim,
        encoder=None if frozen is None else frozen.digest,
        precision=None if frozen is None else frozen.precision,
        exploration=algorithm.exploration(settings),
        env_steps=env_steps,
        snapshot_steps=(env_steps,),
        vision=None,
    )
    policy = description.build()
    load_policy(policy, tensors, file)
    act = ActConfig(config.algorithm, env_steps, settings, config.frame_stack, train_domain=config.train_domain)
    record = {
        "act": {**act.to_dict(description.observation), "precision": description.precision},
        "observation": description.observation,
        "source": domain.to_dict(),
        "validation": None,
        "encoder": description.encoder,
        "seed": config.seed,
        "imported": {"sha256": sha256(file), **asdict(config)},
    }
    folder = start_artefact(out, "agent", record)
    if is_complete(folder):
        return Artefact.load(folder, "agent")
    save_weights(folder / snapshot_file(1), policy)
    write_bytes(folder / WEIGHTS, (folder / snapshot_file(1)).read_bytes())
    save_description(folder, description)
    return complete_artefact(
        folder,
        "agent",
        record,
        seed=config.seed,
        inputs={} if opened is None else {"encoder": opened.digest},
        wall_seconds=time.monotonic() - started,
        extra={"imported": file.name},
        paths={} if opened is None else {ENCODER_PATH: os.path.relpath(opened.folder, folder)},
    )


def _default_layers(algorithm: str, on_images: bool) -> tuple[int, ...]:
    """Return the hidden layers that SB3 gives a policy where nothing is said."""
    if algorithm == "sac":
        return (256, 256)
    return () if on_images else (64, 64)


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
