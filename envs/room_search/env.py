"""RoomSearch: an agent walks through rooms until it sees what an instruction names, and takes it.

The rooms are those of `darla.envs.image_data.rooms`, after SCAN (Higgins et al. 2018, arXiv 1707.03389): an encoder of
those images has concepts for what is asked for.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from darla.common import InputError
from darla.envs.domains.domain import Domain
from darla.envs.domains.specs import Choice
from darla.envs.domains.value_codes import ANY, any_but
from darla.envs.env_arguments import check_render_mode, check_steps
from darla.envs.image_data.rooms import Rooms
from darla.envs.room_search.search import AZIMUTHS, STEPS, Searches, draw_layout, instruction_of, wanted_of
from darla.envs.worlds.room_search import ACTIONS, KINDS, ROOM_SEARCH

Observation = Any


class RoomSearch(gymnasium.Env[Observation, np.int64]):
    """Four rooms in a ring, of which one is what the instruction of the episode names.

    Observations are uint8 (64, 64, 3). Actions turn the camera `left` and `right`, go on to the `next` room, or `take`
    the object, which needs it near the middle of the image. The episode ends when an object is taken: +1 if its room is
    the one that was asked for, else 0.

    `info` has the `instruction` (a value by the name of each attribute that it specifies, with ! before an excluded
    one), the `context` of the room that is seen, and the `state`: `yaw`, `azimuth`, and the number of the `room`.

    Args:
        domain: what rooms are drawn from, or values of some factors; all rooms if None.
        instructions: what is asked for, one of them in each episode, each equally likely; the kinds of objects if None.
            `{"wall": "cyan", "object": "key"}` is a key before a cyan wall, `{"object": "!key"}` anything but a key.
        observe_instruction: observe a dictionary of the `image` and of the `instruction` as a k-hot symbol, int8 (51,):
            1 for a value that is asked for, -1 for an excluded one.
        steps: length of an episode in steps.
        render_mode: `"rgb_array"` for `render()` to return the image.

    Raises:
        InputError: an argument is not one of these.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}  # noqa: RUF012  (Gymnasium's own form)

    def __init__(
        self,
        domain: Domain | Mapping[str, object] | None = None,
        *,
        instructions: Sequence[Mapping[str, object]] | None = None,
        observe_instruction: bool = False,
        steps: int = STEPS,
        render_mode: str | None = None,
    ) -> None:
        check_render_mode(render_mode)
        check_steps(steps)
        if instructions is None:
            instructions = [{"object": kind} for kind in KINDS]
        if not instructions:
            raise InputError("instructions is empty, but at least one is needed")
        if not isinstance(domain, Domain):
            every = {name: Choice(factor.choices) for name, factor in ROOM_SEARCH.space.items()}
            domain = Domain("rooms", ({**every, **(domain or {})},), world=ROOM_SEARCH)  # type: ignore[dict-item]
        if domain.world.space != ROOM_SEARCH.space:
            raise InputError(f"domain {domain.name!r} is of world {domain.world.name!r}, but RoomSearch's is needed")
        self.domain, self.max_episode_steps, self.render_mode = domain, steps, render_mode
        self.observes_instruction = observe_instruction
        self._wanted = [wanted_of(each) for each in instructions]
        self._images = Rooms()
        image = spaces.Box(0, 255, self._images.image_shape, np.uint8)
        entries = sum(len(factor.choices) for factor in ROOM_SEARCH.space.values())
        symbol = spaces.Box(-1, 1, (entries,), np.int8)
        self.observation_space = spaces.Dict(image=image, instruction=symbol) if observe_instruction else image
        self.action_space = spaces.Discrete(len(ACTIONS))
        self._search: Searches | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a search.

        Args:
            seed: fixes the instruction and the rooms.
            options: `{"instruction": {...}}` asks for that instead of one of the constructor's.
        """
        super().reset(seed=seed)
        given = (options or {}).get("instruction")
        drawn = self._wanted[int(self.np_random.integers(len(self._wanted)))]
        wanted = drawn if given is None else wanted_of(given)
        self._search = Searches(draw_layout(self.domain, wanted, self.np_random), self.max_episode_steps)
        return self._seen(), self._info()

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Turn, go on, or take."""
        if self._search is None:
            raise InputError("step was called before reset")
        rewards, taken, over = self._search.step(np.array([int(action)]))
        info = self._info()
        if taken[0] or over[0]:
            info["is_success"] = bool(rewards[0])
        return self._seen(), float(rewards[0]), bool(taken[0]), bool(over[0]), info

    def render(self) -> npt.NDArray[np.uint8] | None:
        """Return what the agent sees, uint8 (64, 64, 3), or None without a render mode."""
        return self._image() if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        """Free the graphics."""
        self._images.close()

    def _image(self) -> npt.NDArray[np.uint8]:
        assert self._search is not None
        image: npt.NDArray[np.uint8] = self._images.render(self._search.factors())[0]
        return image

    def _seen(self) -> Observation:
        if not self.observes_instruction:
            return self._image()
        assert self._search is not None
        parts = []
        for factor, asked in zip(ROOM_SEARCH.space.values(), self._search.layouts.wanted[0], strict=True):
            values = np.arange(len(factor.choices))
            parts.append(np.int8(1) * (values == asked) - np.int8(asked < ANY) * (values == any_but(asked)))
        return {"image": self._image(), "instruction": np.concatenate(parts).astype(np.int8)}

    def _info(self) -> dict[str, Any]:
        assert self._search is not None
        values = self._search.factors()[0].tolist()
        named = zip(ROOM_SEARCH.space.items(), values, strict=False)
        state = {
            "yaw": float(values[5]),
            "azimuth": 2 * math.pi * values[4] / AZIMUTHS,
            "room": int(self._search.room[0]),
        }
        return {
            "instruction": instruction_of(self._search.layouts.wanted[0]),
            "context": {name: factor.choices[value] for (name, factor), value in named},
            "state": state,
        }
