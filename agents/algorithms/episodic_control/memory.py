"""The table of episodic control: for every action, states that it was taken in and the highest return that followed.

Blundell et al. 2016, https://arxiv.org/abs/1606.04460, section 2. Where a state is not in the table its value is the
mean of its k nearest neighbours' (equation 2), found by brute force: one matrix product for all states that are asked
about. At the sizes of this toolkit (tens of thousands of entries) that is exact and faster than a tree, which would
have to be built anew as the table grows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darla.common import InputError

_UNKNOWN = float("inf")
"""What an action is worth that has been taken in fewer than k states: it is tried before any other."""


class EpisodicMemory(nn.Module):
    """Q(s, a) as a table with one part for each action, all of it in registered buffers.

    An action that has fewer than k entries is worth infinity, so that it is tried; the paper leaves that open. The
    entry that was updated longest ago makes room for a new one (section 2). Looking a value up changes nothing.

    Args:
        n_actions: A, the number of actions.
        width: D, the numbers in a state.
        capacity: entries of each action.
        neighbours: k.

    Raises:
        InputError: a number is not positive, or there is no room for k entries.
    """

    keys: Tensor
    """States, float32 (A, capacity, D)."""
    values: Tensor
    """Highest return seen after taking the action in that state, float32 (A, capacity)."""
    stamps: Tensor
    """When an entry was last updated, counted in updates from 1, int64 (A, capacity); 0 where there is none."""
    half_squares: Tensor
    """Half the squared length of each state, float32 (A, capacity); follows from `keys`."""

    def __init__(self, n_actions: int, width: int, capacity: int, neighbours: int) -> None:
        super().__init__()
        if min(n_actions, width, neighbours) < 1 or capacity < neighbours:
            raise InputError(
                f"an episodic memory of {n_actions} actions, {width} numbers a state and {capacity} entries an action"
                f" cannot be used with k = {neighbours}: all must be positive, and k no larger than the capacity"
            )
        self.capacity, self.neighbours = capacity, neighbours
        self.register_buffer("keys", torch.zeros(n_actions, capacity, width))
        self.register_buffer("values", torch.zeros(n_actions, capacity))
        self.register_buffer("stamps", torch.zeros(n_actions, capacity, dtype=torch.int64))
        self.register_buffer("half_squares", torch.zeros(n_actions, capacity), persistent=False)
        # The row of each state, by its bytes, for each action; the state updated longest ago comes first.
        self._rows: list[dict[bytes, int]] = [{} for _ in range(n_actions)]
        self._clock = 0
        self.register_load_state_dict_post_hook(_index_again)  # type: ignore[no-untyped-call]

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many entries each action has."""
        return tuple(len(rows) for rows in self._rows)

    @torch.no_grad()
    def forward(self, states: Tensor) -> Tensor:
        """Return the value of every action in some states (equation 2).

        Args:
            states: float32 (n, D).

        Returns:
            float32 (n, A); infinity for actions with fewer than k entries.
        """
        found = states.new_full((len(states), len(self._rows)), _UNKNOWN)
        names = [state.tobytes() for state in _plain(states)]
        for action, (rows, size) in enumerate(zip(self._rows, self.sizes, strict=True)):
            if size >= self.neighbours:
                nearest = self.nearest(states, action)
                found[:, action] = self.values[action, nearest].mean(dim=1)
            for index, name in enumerate(names):
                if name in rows:
                    found[index, action] = self.values[action, rows[name]]
        return found

    @torch.no_grad()
    def nearest(self, states: Tensor, action: int) -> Tensor:
        """Return the rows of the k entries of an action that are nearest to each state, int64 (n, k), in no order.

        Args:
            states: float32 (n, D).
            action: which has at least k entries.
        """
        size = len(self._rows[action])
        # |s - key|^2 / 2 without |s|^2 / 2, which is the same for every key.
        distances = torch.addmm(self.half_squares[action, :size], states, self.keys[action, :size].T, alpha=-1.0)
        return distances.topk(self.neighbours, dim=1, largest=False, sorted=False).indices

    @torch.no_grad()
    def update(self, states: Tensor, actions: Sequence[int], returns: Sequence[float]) -> None:
        """Enter returns one after the other (equation 1).

        A state that is there already keeps the higher of both returns, and counts as updated either way.

        Args:
            states: float32 (n, D).
            actions: which was taken in each.
            returns: what followed.
        """
        for state, name, action, value in zip(states, _plain(states), actions, returns, strict=True):
            rows, key = self._rows[action], name.tobytes()
            self._clock += 1
            if key in rows:
                row = rows.pop(key)
                value = max(value, float(self.values[action, row]))
            else:
                row = len(rows) if len(rows) < self.capacity else rows.pop(next(iter(rows)))
                self.keys[action, row] = state
                self.half_squares[action, row] = 0.5 * state.square().sum()
            rows[key] = row
            self.values[action, row] = value
            self.stamps[action, row] = self._clock

    def index(self) -> None:
        """Find every entry again from the buffers, after these were loaded.

        Raises:
            InputError: the buffers do not hold a table.
        """
        self._clock = int(self.stamps.max())
        self.half_squares.copy_(0.5 * self.keys.square().sum(dim=2))
        self._rows = []
        for keys, stamps in zip(self.keys, self.stamps.cpu().numpy(), strict=True):
            size = int((stamps != 0).sum())
            if (stamps[:size] < 1).any() or len(np.unique(stamps[:size])) < size:
                raise InputError("an episodic memory is damaged: the order of its entries cannot be told")
            names = [state.tobytes() for state in _plain(keys[:size])]
            rows = {names[row]: int(row) for row in np.argsort(stamps[:size])}
            if len(rows) < size:
                raise InputError("an episodic memory is damaged: it holds a state twice")
            self._rows.append(rows)
        if not (torch.isfinite(self.keys).all() and torch.isfinite(self.values).all()):
            raise InputError("an episodic memory is damaged: it holds a number that is not finite")


def _plain(states: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return states as an array whose rows have the same bytes if, and only if, they are equal."""
    array: np.ndarray[Any, np.dtype[np.float32]] = states.detach().cpu().contiguous().numpy() + np.float32(0.0)
    return array  # the sum turns -0.0 into 0.0


def _index_again(module: nn.Module, _: Any) -> None:
    assert isinstance(module, EpisodicMemory)
    module.index()
