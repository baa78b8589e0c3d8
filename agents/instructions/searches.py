"""Searches whose images are encoded beforehand, as a vectorized environment of SB3, and one play of each.

A policy on frozen codes sees nothing of an image but its code. So all images of the rooms of some searches are encoded
once, and policies of every kind and seed learn on them at the speed of their own networks. The rules are those of the
environment `darla/RoomSearch-v0`, in one place (`darla.envs.room_search.search`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvIndices, VecEnvStepReturn

from darla.agents.instructions.told import Array, Instructions, input_size, policy_input
from darla.common import Progress, rng_for
from darla.envs.domains.domain import Domain
from darla.envs.image_data.rooms import Rooms
from darla.envs.room_search.search import ROOMS, YAWS, Layouts, Searches, draw_layouts
from darla.envs.worlds.room_search import ACTIONS
from darla.vision.encoders.encode import encode_images
from darla.vision.models.base import VisionModel

if TYPE_CHECKING:
    from stable_baselines3.common.policies import ActorCriticPolicy

_BATCH = 512


@dataclass(frozen=True)
class EncodedSearches:
    """Searches, with the codes of all that can be seen in them."""

    layouts: Layouts
    """N of them."""
    numbers: npt.NDArray[np.int64]
    """(N,): which instruction each follows."""
    codes: Array
    """(N, ROOMS, YAWS, D)."""

    def __len__(self) -> int:
        return len(self.numbers)


def draw_searches(
    domain: Domain, instructions: Instructions, count: int, seed: int
) -> tuple[Layouts, npt.NDArray[np.int64]]:
    """Draw searches in rooms of a domain; every instruction is asked for equally often, up to one."""
    rng = rng_for(seed, "searches", domain.name)
    numbers = rng.permutation(count) % len(instructions)
    return draw_layouts(domain, [instructions.concepts[number] for number in numbers], rng), numbers


def encode_searches(vision: VisionModel, layouts: Layouts, rooms: Rooms, label: str) -> Array:
    """Return the codes of all rooms of some searches from every position of the camera: (N, ROOMS, YAWS, D)."""
    each = np.repeat(layouts.rooms.reshape(-1, 5), YAWS, axis=0)
    factors = np.concatenate([each, np.tile(np.arange(YAWS), len(each) // YAWS)[:, None]], axis=1)
    codes = []
    with Progress(len(factors), label) as progress:
        for start in range(0, len(factors), _BATCH):
            codes.append(encode_images(vision, rooms.render(factors[start : start + _BATCH])))
            progress.update(len(codes[-1]))
    return np.concatenate(codes).reshape(len(layouts), ROOMS, YAWS, -1)


class EncodedSearchVecEnv(VecEnv):
    """Searches for a policy to learn in, drawn from `EncodedSearches` again and again.

    Args:
        searches: to draw from.
        instructions: that they follow.
        told: what the policy is told, in `TOLD`.
        n_envs: how many run side by side.
        seed: of the draws.
    """

    def __init__(
        self, searches: EncodedSearches, instructions: Instructions, told: str, n_envs: int, seed: int
    ) -> None:
        self.render_mode = None  # there are no images; SB3 asks
        size = input_size(told, searches.codes.shape[-1], instructions.symbols.shape[1])
        super().__init__(n_envs, spaces.Box(-np.inf, np.inf, (size,), np.float32), spaces.Discrete(len(ACTIONS)))
        self.searches, self.instructions, self.told = searches, instructions, told
        self._rng = rng_for(seed, "drawn searches")
        self._rows = self._draw(n_envs)
        self._running = Searches(searches.layouts.rows(self._rows))
        self._returns = np.zeros(n_envs)

    def _draw(self, count: int) -> npt.NDArray[np.int64]:
        return self._rng.integers(len(self.searches), size=count)

    def reset(self) -> Array:
        """Begin everywhere anew; return what the policy observes."""
        everywhere = np.arange(self.num_envs)
        self._restart(everywhere)
        return self._observed(everywhere)

    def step_async(self, actions: npt.NDArray[Any]) -> None:
        """Take note of the actions."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Act, and begin anew where a search has ended."""
        rewards, taken, over = self._running.step(self._actions)
        self._returns += rewards
        dones = taken | over
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        ended = np.flatnonzero(dones)
        if len(ended):
            last = self._observed(ended)
            for row, place in enumerate(ended):
                infos[place] = {
                    "terminal_observation": last[row],
                    "TimeLimit.truncated": bool(over[place]),
                    "episode": {"r": float(self._returns[place]), "l": int(self._running.steps[place]), "t": 0.0},
                }
            self._restart(ended)
        return self._observed(np.arange(self.num_envs)), rewards, dones, infos

    def _restart(self, places: npt.NDArray[np.int64]) -> None:
        self._rows[places] = rows = self._draw(len(places))
        self._running.restart(places, self.searches.layouts.rows(rows))
        self._returns[places] = 0

    def _observed(self, places: npt.NDArray[np.int64]) -> Array:
        return _observed(self.searches, self.instructions, self.told, self._running, self._rows, places)

    def close(self) -> None:
        """Nothing is open."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return an attribute, the same for every place."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set an attribute, for all places."""
        setattr(self, attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """Call a method, once for each place."""
        return [getattr(self, method_name)(*args, **kwargs) for _ in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: Any, indices: VecEnvIndices = None) -> list[bool]:
        """Tell SB3 that episodes are counted here, as its `Monitor` does."""
        return [wrapper_class.__name__ == "Monitor" for _ in self._get_indices(indices)]


def _observed(
    searches: EncodedSearches,
    instructions: Instructions,
    told: str,
    running: Searches,
    rows: npt.NDArray[np.int64],
    places: npt.NDArray[np.int64],
) -> Array:
    drawn = rows[places]
    codes = searches.codes[drawn, running.room[places], running.yaw[places]]
    return policy_input(told, codes, instructions, searches.numbers[drawn])


def choose(policy: "ActorCriticPolicy", observed: Array, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Draw an action for each observation from the policy's distribution, as in training: int64 (N,)."""
    with torch.inference_mode():
        distribution: Any = policy.get_distribution(torch.from_numpy(observed)).distribution
        logits = distribution.logits.double().numpy()
    gumbel = -np.log(-np.log(rng.random(logits.shape)))
    actions: npt.NDArray[np.int64] = (logits + gumbel).argmax(axis=1)
    return actions


def play_searches(
    policy: "ActorCriticPolicy", searches: EncodedSearches, instructions: Instructions, told: str, seed: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Play every search once, all with one seed whatever the policy; return success and length of each, (N,).

    Args:
        policy: of SB3, with discrete actions.
        searches: N of them.
        instructions: that they follow.
        told: what the policy is told.
        seed: of the actions that are drawn.
    """
    rng = rng_for(seed, "actions")
    running = Searches(searches.layouts.rows(slice(None)))
    rows = everywhere = np.arange(len(searches))
    success, length = np.zeros(len(rows), bool), np.zeros(len(rows), np.int64)
    going = np.ones(len(rows), bool)
    while going.any():
        # All are stepped, also those that have ended, so that each draws the same numbers whatever the others do.
        observed = _observed(searches, instructions, told, running, rows, everywhere)
        rewards, taken, over = running.step(choose(policy, observed, rng))
        now = going & (taken | over)
        success[now], length[now] = rewards[now] > 0, running.steps[now]
        going &= ~(taken | over)
    return success, length


def texts_of(instructions: Instructions, numbers: npt.NDArray[np.int64]) -> Sequence[str]:
    """Return the text of each search's instruction."""
    return [instructions.texts[number] for number in numbers]
