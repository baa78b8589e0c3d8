"""Agents: a policy with the encoder it was trained on, ready to act on images."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from gymnasium import spaces

from darla.agents.algorithms.registry import get_algorithm
from darla.agents.policy_io import WEIGHTS, PolicyDescription, load_description, load_weights, snapshot_file
from darla.agents.vec_env.latents import FrozenEncoder, Precision
from darla.common import Artefact, InputError
from darla.envs.state_vector import state_vectors

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

Images = np.ndarray[Any, np.dtype[np.uint8]]
Actions = np.ndarray[Any, np.dtype[np.int64]]
Infos = Sequence[Mapping[str, Any]]

ENCODER_PATH = "encoder_path"
"""Entry of an agent's card: where its encoder lay, relative to the agent."""


class Actor(Protocol):
    """Whatever chooses actions from images, or from the state behind them: a trained agent or the random one."""

    n_actions: int

    def reset(self, n: int) -> None:
        """Begin episodes in n environments at once."""

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some of them."""

    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Choose an action for each image, uint8 (n, H, W, C) to int64 (n,); `infos` came with the images."""


class RandomAgent:
    """Chooses every action with the same probability; what a score of zero means.

    Args:
        n_actions: number of actions to choose from.
    """

    def __init__(self, n_actions: int) -> None:
        if n_actions < 1:
            raise InputError(f"n_actions must be at least 1, not {n_actions}")
        self.n_actions = n_actions

    def reset(self, n: int) -> None:
        """Begin episodes; nothing is remembered."""

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some environments; nothing is remembered."""

    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Draw an action for each image from `rng`; there is no deterministic way to be random."""
        return rng.integers(self.n_actions, size=len(observations), dtype=np.int64)


class Agent:
    """A trained policy, with its frozen encoder where it has one.

    Args:
        description: what the policy is.
        policy: its network.
        encoder: what it sees through; None on pixels.
        digest: of the agent's artefact; None before it is finished.
    """

    def __init__(
        self,
        description: PolicyDescription,
        policy: "BasePolicy",
        encoder: FrozenEncoder | None = None,
        digest: str | None = None,
    ) -> None:
        self.description, self.encoder, self.digest = description, encoder, digest
        self.policy = policy
        self.policy.set_training_mode(False)
        self._network: Any = policy  # SB3's base class does not declare what its subclasses compute
        self.n_actions = description.n_actions
        self._value_based = get_algorithm(description.algorithm).value_based
        self._stack: np.ndarray[Any, Any] | None = None
        on_state = description.observation == "state" and description.latent_dim is not None
        self._state_size = description.latent_dim if on_state else None

    @classmethod
    def load(
        cls,
        folder: Path | str,
        encoder: Path | str | FrozenEncoder | None = None,
        *,
        snapshot: int | None = None,
        device: str = "cpu",
    ) -> "Agent":
        """Load an agent artefact; every file is checked, nothing in it can run.

        Args:
            folder: the artefact.
            encoder: the encoder artefact it was trained on, or that encoder already loaded; None looks where
                it lay when the agent was trained. Only for policies on latents.
            snapshot: number of the snapshot to load, from 1; None loads the policy that training selected.
            device: where encoder and policy run.

        Raises:
            InputError: the artefact is missing, unfinished or damaged, there is no such snapshot, or the
                encoder is another one than the policy was trained on.
        """
        artefact = Artefact.load(folder, kind="agent")
        description = load_description(artefact.folder)
        weights = WEIGHTS
        if snapshot is not None:
            count = len(description.snapshot_steps)
            if not 1 <= snapshot <= count:
                raise InputError(f"{folder} has no snapshot {snapshot}; they are numbered 1 to {count}")
            weights = snapshot_file(snapshot)
        policy = description.build(device)
        load_weights(artefact.folder / weights, policy)
        return cls(description, policy, _encoder_for(artefact, description, encoder, device), artefact.digest)

    def check(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], who: str) -> None:
        """Check that this agent can act in an environment.

        Args:
            observation_space: of a single environment.
            action_space: of a single environment.
            who: the environment, as the error names it.

        Raises:
            InputError: the environment shows other images or takes other actions than the agent was trained
                on.
        """
        if not isinstance(action_space, spaces.Discrete) or int(action_space.n) != self.n_actions:
            raise InputError(
                f"the agent chooses from {self.n_actions} discrete actions, but {who} has the action space"
                f" {action_space}"
            )
        shape, dtype = observation_space.shape, observation_space.dtype
        if shape != self.description.image_shape or dtype != np.uint8:
            raise InputError(
                f"the agent was trained on uint8 images of shape {self.description.image_shape}, but {who}"
                f" shows {dtype} observations of shape {shape}"
            )

    def reset(self, n: int) -> None:
        """Begin episodes in n environments at once; earlier frames are forgotten."""
        self._stack = None
        if self.description.frame_stack > 1:
            on_pixels = self.description.latent_dim is None
            self._stack = np.zeros((n, *self._stacked_shape()), np.uint8 if on_pixels else np.float32)

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some of the environments; their earlier frames are forgotten."""
        if self._stack is not None:
            self._stack[indices] = 0

    @torch.inference_mode()
    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Choose an action for each image.

        Args:
            observations: uint8 (n, H, W, C).
            deterministic: the most probable (or most valuable) action; else one drawn from the policy, for
                DQN and MFEC a random one at the exploration rate that their training ended with.
            rng: where that draw comes from.
            infos: what the environments told with the images; a policy on the state looks at nothing else.

        Returns:
            Actions, int64 (n,).

        Raises:
            InputError: images of another shape or type, another number of them than `reset` was told, or no state
                for a policy that acts on it.
        """
        expected = self.description.image_shape
        if observations.dtype != np.uint8 or observations.shape[1:] != expected:
            raise InputError(
                f"the agent acts on uint8 images of shape (n, {', '.join(map(str, expected))}), not on"
                f" {observations.dtype} of shape {observations.shape}"
            )
        seen = self._remember(self._look(observations, infos))
        tensor, _ = self.policy.obs_to_tensor(seen)
        if self._value_based:
            # DQN keeps its network beside a copy of it; episodic control is its own.
            q_values = getattr(self._network, "q_net", None) or self._network.q_values
            values: torch.Tensor = q_values(tensor)
            actions: Actions = values.cpu().numpy().argmax(axis=1)
            if not deterministic:
                explore = rng.random(len(actions)) < self.description.exploration
                actions = np.where(explore, rng.integers(self.n_actions, size=len(actions)), actions)
            return actions
        logits = self._network.get_distribution(tensor).distribution.logits.cpu().numpy()
        if deterministic:
            return np.asarray(logits.argmax(axis=1), np.int64)
        # The largest of logits plus Gumbel noise is distributed as the softmax of the logits.
        return np.asarray((logits + rng.gumbel(size=logits.shape)).argmax(axis=1), np.int64)

    def _look(self, observations: Images, infos: Infos | None) -> np.ndarray[Any, Any]:
        """Return what the policy sees: codes, images or states."""
        if self._state_size is not None:
            if infos is None:
                raise InputError("a policy on the ground truth needs the infos that came with the images")
            return state_vectors(infos, self._state_size)
        return observations if self.encoder is None else self.encoder.encode(observations)

    def _remember(self, frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Push frames into the stack, newest last, as SB3's `VecFrameStack` does in training."""
        if self.description.frame_stack == 1:
            return frames
        if self._stack is None or len(self._stack) != len(frames):
            told = "not been called" if self._stack is None else f"been told {len(self._stack)}"
            raise InputError(f"an agent with a frame stack needs reset(n) with n = {len(frames)}; it has {told}")
        width = frames.shape[-1]
        self._stack = np.roll(self._stack, -width, axis=-1)
        self._stack[..., -width:] = frames
        return self._stack

    def _stacked_shape(self) -> tuple[int, ...]:
        latent_dim = self.description.latent_dim
        one = self.description.image_shape if latent_dim is None else (latent_dim,)
        return (*one[:-1], one[-1] * self.description.frame_stack)


def _encoder_for(
    artefact: Artefact,
    description: PolicyDescription,
    given: Path | str | FrozenEncoder | None,
    device: str,
) -> FrozenEncoder | None:
    """Find the encoder that a policy was trained on."""
    if description.observation != "latents":
        if given is not None:
            raise InputError(
                f"{artefact.folder} holds a policy on {description.observation}; the encoder given would be ignored"
            )
        return None
    if given is None:
        given = artefact.folder / str(artefact.card["extra"].get(ENCODER_PATH, "encoder"))
        if not given.is_dir():
            raise InputError(f"the encoder of {artefact.folder} is not at {os.path.normpath(given)}; name its folder")
    precision: Precision = "bfloat16" if description.precision == "bfloat16" else "float32"
    encoder = given if isinstance(given, FrozenEncoder) else FrozenEncoder.load(given, precision, device)
    where = "the encoder given" if isinstance(given, FrozenEncoder) else f"the encoder at {given}"
    if encoder.digest != description.encoder:
        raise InputError(
            f"{where} is not the one that {artefact.folder} was trained on: its digest is"
            f" {(encoder.digest or 'unknown')[:12]}, and {(description.encoder or 'unknown')[:12]} is needed"
        )
    if encoder.precision != precision:
        raise InputError(f"{where} runs in {encoder.precision}, but the policy was trained on codes in {precision}")
    return encoder
