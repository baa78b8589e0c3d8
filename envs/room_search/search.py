"""What happens in a search: rooms in a ring, a camera in each, and one room that is asked for. Nothing is drawn here.

Many searches run side by side as arrays, so that policies on codes that are known beforehand learn fast; the
environment (`env.py`) is one of them with images.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from darla.common import InputError
from darla.envs.domains.domain import Domain
from darla.envs.domains.value_codes import ANY, allows, any_but, excludes
from darla.envs.worlds.room_search import ACTIONS, ROOM_SEARCH

Numbers = npt.NDArray[np.int64]
ROOMS = 4
"""In a ring: behind the last one is the first."""
AZIMUTHS, YAWS = 8, 8
"""Positions of the object about its vertical axis, and of the camera, as in `darla.envs.image_data.rooms`."""
FACING = (2, 5)
"""First and last position of the camera from which the object can be taken: it is near the middle of the image."""
STEPS = 40
"""Length of an episode in steps."""
_NEAR = 0.5
"""Share of the other rooms that differ from what is asked for in a single attribute."""
_TRIES = 1000


@dataclass(frozen=True)
class Layouts:
    """Where everything is at the beginning of N searches."""

    wanted: Numbers
    """(N, 4): what is asked for: for each factor of `ROOM_SEARCH` the number of a value, -1 where any will do, -2 - v
    where any will do but v (`darla.envs.domains.value_codes`)."""
    rooms: Numbers
    """(N, ROOMS, 5): of each room the numbers of its four factors, and the object's azimuth."""
    yaws: Numbers
    """(N, ROOMS): position of the camera in each room."""
    goals: Numbers
    """(N,): which room is asked for. The search begins in room 0."""

    def __len__(self) -> int:
        return len(self.goals)

    def rows(self, index: Any) -> "Layouts":
        """Return some of the layouts."""
        return Layouts(self.wanted[index], self.rooms[index], self.yaws[index], self.goals[index])


def wanted_of(instruction: Mapping[str, object]) -> Numbers:
    """Return an instruction as numbers, int64 (4,).

    Args:
        instruction: by the name of a factor a value, such as `key`, or a value with ! before it, such as `!key`, for
            any but that.

    Raises:
        InputError: it names no factor, or one or a value that is not there.
    """
    if not instruction:
        raise InputError(f"an instruction needs at least one of {', '.join(ROOM_SEARCH.space)}")
    numbers = np.full(len(ROOM_SEARCH.space), ANY, np.int64)
    names = list(ROOM_SEARCH.space)
    for name, value in instruction.items():
        factor = ROOM_SEARCH.space[name]
        excluding = isinstance(value, str) and value.startswith("!")
        number = factor.choices.index(str(factor.check(str(value)[1:] if excluding else value)))
        numbers[names.index(name)] = any_but(number) if excluding else number
    return numbers


def instruction_of(wanted: Numbers) -> dict[str, str]:
    """Return the instruction that `wanted_of` turns into these numbers, (4,)."""
    asked = zip(ROOM_SEARCH.space.items(), wanted.tolist(), strict=True)
    return {
        name: f"!{factor.choices[any_but(number)]}" if number < ANY else factor.choices[number]
        for (name, factor), number in asked
        if number != ANY
    }


def draw_layout(domain: Domain, wanted: Numbers, rng: np.random.Generator) -> Layouts:
    """Draw one search, (1, ...): rooms of a domain, of which exactly one is what is asked for.

    Values that are asked for replace what the domain drew for the goal; what has an excluded one is drawn anew. Half of
    the other rooms have all that is asked for but in one attribute, so that no single attribute gives the goal away.
    Where anything but a key is asked for, every other room has a key.

    Args:
        domain: of `ROOM_SEARCH`.
        wanted: (4,).
        rng: of the draw.

    Raises:
        InputError: nothing is asked for, or the domain has nothing else, or nothing but what is excluded.
    """
    given = np.flatnonzero(wanted != ANY)
    if not len(given):
        raise InputError("a search needs something to search for")
    excluding = np.flatnonzero(excludes(wanted))
    goal = int(rng.integers(ROOMS))
    rooms = np.empty((ROOMS, 5), np.int64)
    for number in range(ROOMS):
        room = _room(domain, rng)
        asked = wanted
        if number != goal:
            near = rng.random() < _NEAR
            asked = wanted.copy() if near else np.full_like(wanted, ANY)
            # One value is rarely drawn, or never: a room that lacks what is excluded gets it.
            if near or (len(excluding) and _is(room, wanted)):
                broken = rng.choice(given if near else excluding)
                asked[broken] = any_but(wanted[broken])
        for _ in range(_TRIES):
            room[asked >= 0] = asked[asked >= 0]
            if _is(room, asked) and _is(room, wanted) == (number == goal):
                break
            room = _room(domain, rng)
        else:
            what = "is" if number == goal else "is not"
            raise InputError(f"domain {domain.name!r} has no room that {what} what is asked for")
        rooms[number, :4] = room
    rooms[:, 4] = rng.integers(AZIMUTHS, size=ROOMS)
    yaws = rng.integers(YAWS, size=ROOMS)
    return Layouts(wanted[None].copy(), rooms[None], yaws[None], np.array([goal]))


def _is(room: Numbers, wanted: Numbers) -> bool:
    """Tell whether a room is what is asked for, (4,) each."""
    return bool(allows(wanted, room).all())


def draw_layouts(domain: Domain, wanted: Sequence[Numbers], rng: np.random.Generator) -> Layouts:
    """Draw a search for each of N instructions."""
    drawn = [draw_layout(domain, each, rng) for each in wanted]
    return Layouts(*(np.concatenate([getattr(each, name) for each in drawn]) for name in Layouts.__annotations__))


def _room(domain: Domain, rng: np.random.Generator) -> Numbers:
    context = domain.sample(rng)
    return np.array([factor.choices.index(str(context[name])) for name, factor in ROOM_SEARCH.space.items()])


class Searches:
    """N searches at once.

    Args:
        layouts: where they begin.
        steps: after which they end.
    """

    def __init__(self, layouts: Layouts, steps: int = STEPS) -> None:
        self.limit = steps
        self.layouts = layouts
        count = len(layouts)
        self.room = np.zeros(count, np.int64)
        self.yaws = layouts.yaws.copy()
        self.steps = np.zeros(count, np.int64)

    def restart(self, which: Numbers, layouts: Layouts) -> None:
        """Begin other searches at some of the places."""
        for name in Layouts.__annotations__:
            getattr(self.layouts, name)[which] = getattr(layouts, name)
        self.yaws[which] = layouts.yaws
        self.room[which] = self.steps[which] = 0

    @property
    def yaw(self) -> Numbers:
        """(N,): position of the camera in the room where each search is."""
        return self.yaws[np.arange(len(self.room)), self.room]

    def step(self, actions: npt.NDArray[Any]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_], Any]:
        """Act, (N,) numbers in `ACTIONS`; return reward, and whether a search has ended by a take or by its length.

        The object is taken only if the camera faces it; otherwise nothing happens. 1 for what was asked for, else 0.
        """
        everyone = np.arange(len(self.room))
        turn = (actions == ACTIONS.index("right")).astype(np.int64) - (actions == ACTIONS.index("left"))
        self.yaws[everyone, self.room] = (self.yaw + turn).clip(0, YAWS - 1)
        taken = (actions == ACTIONS.index("take")) & (self.yaw >= FACING[0]) & (self.yaw <= FACING[1])
        right = taken & (self.room == self.layouts.goals)
        self.room = (self.room + (actions == ACTIONS.index("next"))) % ROOMS
        self.steps += 1
        return right.astype(np.float32), taken, ~taken & (self.steps >= self.limit)

    def factors(self) -> Numbers:
        """Return what is seen, the factors of `darla.envs.image_data.rooms.Rooms`: (N, 6)."""
        rooms = self.layouts.rooms[np.arange(len(self.room)), self.room]
        return np.concatenate([rooms, self.yaw[:, None]], axis=1)
