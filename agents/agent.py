"""Agents: a policy with the encoder it was trained on, which acts on images."""

import copy
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from gymnasium import spaces

from darla.agents.actions import Actions, action_space, bounds_of, count, draw_uniformly, in_words
from darla.agents.algorithms.registry import ALGORITHMS, Memory
from darla.agents.algorithms.settings import Precision
from darla.agents.policy_io import WEIGHTS, PolicyDescription, load_description, load_weights, snapshot_file
from darla.agents.vec_env.latents import FrozenEncoder
from darla.common import Artefact, InputError, open_artefact
from darla.common.artefact import ENCODER_PATH
from darla.common.checked_config import checked_arguments
from darla.envs.state_vector import state_vectors

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

Images = np.ndarray[Any, np.dtype[np.uint8]]
Infos = Sequence[Mapping[str, Any]]


class Actor(Protocol):
    """Chooses actions from images, or from the ground-truth state: a trained agent, the random agent, or your own.

    One that never looks at its observations may say so, by an attribute `reads_images` that is False: images are then
    not drawn for it.
    """

    n_actions: int

    def reset(self, n: int) -> None:
        """Begin episodes in n environments at once."""

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some of them."""

    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Choose an action for each image, uint8 (n, H, W, C); `infos` are the environments' infos.

        Returns:
            int64 (n,), or of continuous actions float32 (n, A).
        """


class RandomAgent:
    """Chooses every action with the same probability: the zero of normalized scores.

    Args:
        actions: number of discrete actions to choose from, or an action space.
    """

    reads_images = False

    def __init__(self, actions: int | spaces.Space[Any]) -> None:
        if isinstance(actions, int) and actions < 1:
            raise InputError(f"actions must be at least 1, not {actions}")
        self._space = spaces.Discrete(actions) if isinstance(actions, int) else actions
        self.n_actions = count(self._space)

    def reset(self, n: int) -> None:
        """Begin episodes; it has no memory."""

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some environments; it has no memory."""

    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Draw an action for each image from `rng`, whether `deterministic` or not."""
        return draw_uniformly(self._space, len(observations), rng)


class Agent:
    """A trained policy, with its frozen encoder where it has one.

    Args:
        description: everything about the policy but its weights.
        policy: its network.
        encoder: the frozen encoder of a policy on latents; None for the others.
        digest: of the agent's artefact; None before that is complete.
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
        self.n_actions = description.n_actions
        self._algorithm = ALGORITHMS[description.algorithm]
        self._actions = action_space(description.n_actions, description.action_bounds)
        self._stack: np.ndarray[Any, Any] | None = None
        self._memory: Memory | None = None
        self._rng = np.random.default_rng(0)
        on_state = description.observation == "state" and description.latent_dim is not None
        self._state_size = description.latent_dim if on_state else None
        self.reads_images = not on_state

    @classmethod
    @checked_arguments
    def load(
        cls,
        artefact: Artefact | Path | str,
        encoder: Artefact | Path | str | FrozenEncoder | None = None,
        *,
        snapshot: int | None = None,
        device: str = "cpu",
    ) -> "Agent":
        """Load an agent artefact. Every file is checked against its hash, and no code is executed.

        Args:
            artefact: its folder, or the artefact already opened, whose files are then not hashed again.
            encoder: the encoder artefact it was trained on, its folder, or that encoder already loaded; None takes the
                folder that it had when the agent was trained. Only for policies on latents.
            snapshot: number of the snapshot to load, from 1; None loads the policy that training selected.
            device: where encoder and policy run: `cpu`, `cuda`, `cuda:1`, ..., or `auto`.

        Raises:
            InputError: there is no such snapshot or no such device, or the encoder is not the one that the policy was
                trained on.
            ArtefactError: the artefact is missing, unfinished or damaged.
        """
        from darla.vision.training.devices import choose_device

        device = str(choose_device(device))
        opened = open_artefact(artefact, kind="agent")
        description = load_description(opened.folder)
        weights = WEIGHTS
        if snapshot is not None:
            count = len(description.snapshot_steps)
            if not 1 <= snapshot <= count:
                raise InputError(f"{opened.folder} has no snapshot {snapshot}; they are numbered 1 to {count}")
            weights = snapshot_file(snapshot)
        policy = description.build(device)
        load_weights(opened.folder / weights, policy)
        return cls(description, policy, _encoder_for(opened, description, encoder, device), opened.digest)

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
        own = self._actions
        if type(action_space) is not type(own) or (count(action_space), bounds_of(action_space)) != (
            count(own),
            bounds_of(own),
        ):
            raise InputError(f"the agent chooses from {in_words(own)}, but {who} has the action space {action_space}")
        shape, dtype = observation_space.shape, observation_space.dtype
        if shape != self.description.image_shape or dtype != np.uint8:
            raise InputError(
                f"the agent was trained on uint8 images of shape {self.description.image_shape}, but {who}"
                f" shows {dtype} observations of shape {shape}"
            )

    def reset(self, n: int) -> None:
        """Begin episodes in n environments at once; clears the frame stacks and what a recurrent policy remembers."""
        self._stack = None
        self._memory = self._algorithm.new_memory(self.policy, n)
        if self.description.frame_stack > 1:
            on_pixels = self.description.latent_dim is None
            self._stack = np.zeros((n, *self._stacked_shape()), np.uint8 if on_pixels else np.float32)

    def restart(self, indices: list[int]) -> None:
        """Begin a new episode in some of the environments; clears their frame stacks and what was remembered there."""
        if self._stack is not None:
            self._stack[indices] = 0
        if self._memory is not None:
            self._memory.forget(indices)

    @torch.inference_mode()
    def act(
        self, observations: Images, deterministic: bool, rng: np.random.Generator, infos: Infos | None = None
    ) -> Actions:
        """Choose an action for each image.

        Args:
            observations: uint8 (n, H, W, C).
            deterministic: take the most probable (or most valuable) action; else draw one from the policy, or, of
                value-based algorithms, a random one at the exploration rate that their training ended with.
            rng: the source of that draw.
            infos: the environments' infos at these images; only a policy on the ground-truth state reads them.

        Returns:
            Actions, int64 (n,), or of continuous actions float32 (n, A).

        Raises:
            InputError: images of another shape or type, another number of them than was given to `reset`, or no state
                for a policy that acts on it.
        """
        expected = self.description.image_shape
        if observations.dtype != np.uint8 or observations.shape[1:] != expected:
            raise InputError(
                f"the agent acts on uint8 images of shape (n, {', '.join(map(str, expected))}), not on"
                f" {observations.dtype} of shape {observations.shape}"
            )
        inputs = self._stack_frames(self._encode(observations, infos))
        tensor, _ = self.policy.obs_to_tensor(inputs)
        assert isinstance(tensor, torch.Tensor)  # and not a dictionary of them, as for Dict spaces
        if self._algorithm.is_recurrent and self._memory is None:
            raise InputError(f"a recurrent agent needs reset(n) with n = {len(observations)}, but it was not called")
        exploration = self.description.exploration
        actions = self._algorithm.choose_actions(self.policy, tensor, deterministic, rng, exploration, self._memory)
        return actions if isinstance(self._actions, spaces.Discrete) else self._within_bounds(actions)

    def predict(
        self,
        observation: Images,
        state: Any = None,
        episode_start: "np.ndarray[Any, Any] | None" = None,
        deterministic: bool = False,
    ) -> tuple[Actions, Any]:
        """Choose actions as the models of Stable-Baselines3 do, so that its `evaluate_policy` takes an agent.

        Args:
            observation: an image uint8 (H, W, C), or a batch of them.
            state: what the last call returned; None at the beginning of episodes. Only agents with a frame stack or a
                memory have one.
            episode_start: bool (n,), which environments begin an episode.
            deterministic: see `act`. Otherwise draws come from a generator of this agent (`set_random_seed`).

        Returns:
            An action for each image, without the first axis for a single one; and the next state.

        Raises:
            InputError: see `act`; a policy on the ground-truth state, which needs infos, cannot be used in this way.
        """
        images = np.asarray(observation)
        batch = images[None] if images.ndim == 3 else images
        kept = self._stack, self._memory
        try:
            if state is None:
                self.reset(len(batch))
            else:
                with torch.inference_mode():
                    self._stack, self._memory = copy.deepcopy(state)
            if episode_start is not None:
                self.restart([int(row) for row in np.flatnonzero(episode_start)])
            actions = self.act(batch, deterministic, self._rng)
            after = None if self._stack is None and self._memory is None else (self._stack, self._memory)
        finally:
            self._stack, self._memory = kept
        return (actions[0] if images.ndim == 3 else actions), after

    def set_random_seed(self, seed: int) -> None:
        """Seed the draws of `predict`; `act` is given a generator."""
        self._rng = np.random.default_rng(seed)

    def _within_bounds(self, actions: Actions) -> Actions:
        """Return continuous actions as SB3 hands them to the environment: scaled, or else cut, to the bounds."""
        assert isinstance(self._actions, spaces.Box)
        if self.policy.squash_output:
            actions = self.policy.unscale_action(actions)
        return np.clip(actions, self._actions.low, self._actions.high).astype(np.float32)

    def _encode(self, observations: Images, infos: Infos | None) -> np.ndarray[Any, Any]:
        """Return the input of the policy: codes, images or states."""
        if self._state_size is not None:
            if infos is None:
                raise InputError("a policy on the ground-truth state needs the infos that came with the images")
            return state_vectors(infos, self._state_size)
        return observations if self.encoder is None else self.encoder.encode(observations)

    def _stack_frames(self, frames: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Push frames into the stack, newest last, as SB3's `VecFrameStack` does in training."""
        if self.description.frame_stack == 1:
            return frames
        if self._stack is None or len(self._stack) != len(frames):
            last = "it was not called" if self._stack is None else f"it was called with n = {len(self._stack)}"
            raise InputError(f"an agent with a frame stack needs reset(n) with n = {len(frames)}, but {last}")
        width = frames.shape[-1]
        self._stack = np.roll(self._stack, -width, axis=-1)
        self._stack[..., -width:] = frames
        return self._stack

    def _stacked_shape(self) -> tuple[int, ...]:
        latent_dim = self.description.latent_dim
        one = self.description.image_shape if latent_dim is None else (latent_dim,)
        return (*one[:-1], one[-1] * self.description.frame_stack)


def encoder_folder(agent: Artefact) -> Path:
    """Return where the encoder of an agent lies: where it was when the agent was trained, else beside the policy."""
    return agent.place_of(ENCODER_PATH) or agent.folder / "encoder"


def _encoder_for(
    artefact: Artefact,
    description: PolicyDescription,
    encoder: Artefact | Path | str | FrozenEncoder | None,
    device: str,
) -> FrozenEncoder | None:
    """Load the encoder that a policy was trained on, or check the one that is given."""
    if description.observation != "latents":
        if encoder is not None:
            raise InputError(
                f"{artefact.folder} holds a policy on {description.observation}; the encoder given would be ignored"
            )
        return None
    if encoder is None:
        encoder = encoder_folder(artefact)
        if not encoder.is_dir():
            raise InputError(f"the encoder of {artefact.folder} is not at {os.path.normpath(encoder)}; name its folder")
    precision: Precision = "bfloat16" if description.precision == "bfloat16" else "float32"
    frozen = encoder if isinstance(encoder, FrozenEncoder) else FrozenEncoder.load(encoder, precision, device)
    if isinstance(encoder, FrozenEncoder):
        name = "the encoder given"
    else:
        name = f"the encoder at {encoder.folder if isinstance(encoder, Artefact) else encoder}"
    if frozen.digest != description.encoder:
        raise InputError(
            f"{name} is not the one that {artefact.folder} was trained on: its digest is"
            f" {(frozen.digest or 'unknown')[:12]}, and {(description.encoder or 'unknown')[:12]} is needed"
        )
    if frozen.precision != precision:
        raise InputError(f"{name} runs in {frozen.precision}, but the policy was trained on codes in {precision}")
    return frozen
