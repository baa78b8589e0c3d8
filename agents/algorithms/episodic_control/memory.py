"""The table of episodic control: for every action, the states it was taken in and the highest return that followed.

Blundell et al. 2016, https://arxiv.org/abs/1606.04460, section 2. The value of a state that is not in the table is the
mean over its k nearest neighbors (equation 2). They are searched by brute force, with one matrix product for a batch of
states. With tens of thousands of entries that is exact and faster than a tree, which would have to be rebuilt as the
table grows.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darla.common import ArtefactError, InputError

_UNTRIED = float("inf")
"""Value of an action that was taken in fewer than k states, so that it is tried before any other."""


class EpisodicMemory(nn.Module):
    """Q(s, a) as a table with one part for each action, stored in registered buffers.

    An action with fewer than k entries has the value infinity, so that it is tried; the paper does not say. If a part
    is full, its least recently updated entry is replaced (section 2). Reading a value changes nothing.

    Args:
        n_actions: A, the number of actions.
        width: D, the size of a state.
        capacity: entries of each action.
        neighbors: k.

    Raises:
        InputError: a number is not positive, or k is larger than the capacity.
    """

    keys: Tensor
    """States, float32 (A, capacity, D)."""
    values: Tensor
    """Highest return after taking the action in that state, float32 (A, capacity)."""
    stamps: Tensor
    """Number of the update, from 1, that last wrote an entry, int64 (A, capacity); 0 for empty entries."""
    half_squares: Tensor
    """|key|^2 / 2, float32 (A, capacity); computed from `keys`, so not saved."""

    def __init__(self, n_actions: int, width: int, capacity: int, neighbors: int) -> None:
        super().__init__()
        if min(n_actions, width, neighbors) < 1 or capacity < neighbors:
            raise InputError(
                f"an episodic memory of {n_actions} actions, {width} numbers a state and {capacity} entries an action"
                f" cannot be used with k = {neighbors}: all must be positive, and k no larger than the capacity"
            )
        self.capacity, self.neighbors = capacity, neighbors
        self.register_buffer("keys", torch.zeros(n_actions, capacity, width))
        self.register_buffer("values", torch.zeros(n_actions, capacity))
        self.register_buffer("stamps", torch.zeros(n_actions, capacity, dtype=torch.int64))
        self.register_buffer("half_squares", torch.zeros(n_actions, capacity), persistent=False)
        # For each action the row of each state, by its bytes; the least recently updated state comes first.
        self._rows: list[dict[bytes, int]] = [{} for _ in range(n_actions)]
        self._clock = 0
        self.register_load_state_dict_post_hook(_rebuild_index)  # type: ignore[no-untyped-call]

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of entries of each action."""
        return tuple(len(rows) for rows in self._rows)

    @torch.no_grad()
    def forward(self, states: Tensor) -> Tensor:
        """Return the values of all actions in a batch of states (equation 2).

        Args:
            states: float32 (n, D).

        Returns:
            float32 (n, A); infinity for actions with fewer than k entries.
        """
        q_values = states.new_full((len(states), len(self._rows)), _UNTRIED)
        keys = [state.tobytes() for state in _comparable(states)]
        for action, (rows, size) in enumerate(zip(self._rows, self.sizes, strict=True)):
            if size >= self.neighbors:
                nearest = self.nearest(states, action)
                q_values[:, action] = self.values[action, nearest].mean(dim=1)
            for index, key in enumerate(keys):  # a state of the table has its own value
                if key in rows:
                    q_values[index, action] = self.values[action, rows[key]]
        return q_values

    @torch.no_grad()
    def nearest(self, states: Tensor, action: int) -> Tensor:
        """Return the rows of the k entries of an action that are nearest to each state, int64 (n, k), unsorted.

        Args:
            states: float32 (n, D).
            action: an action with at least k entries.
        """
        size = len(self._rows[action])
        # |s - key|^2 / 2 = |s|^2 / 2 - s . key + |key|^2 / 2; the first term is the same for every key and left out.
        distances = torch.addmm(self.half_squares[action, :size], states, self.keys[action, :size].T, alpha=-1.0)
        return distances.topk(self.neighbors, dim=1, largest=False, sorted=False).indices

    @torch.no_grad()
    def update(self, states: Tensor, actions: Sequence[int], returns: Sequence[float]) -> None:
        """Write returns to the table one after the other (equation 1).

        A state that is in the table keeps the higher of both returns, and counts as updated either way.

        Args:
            states: float32 (n, D).
            actions: the action taken in each.
            returns: the return that followed.
        """
        for state, comparable, action, value in zip(states, _comparable(states), actions, returns, strict=True):
            rows, key = self._rows[action], comparable.tobytes()
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
        """Rebuild the index from the buffers after they were loaded.

        Raises:
            ArtefactError: the buffers do not hold a table.
        """
        self._clock = int(self.stamps.max())
        self.half_squares.copy_(0.5 * self.keys.square().sum(dim=2))
        self._rows = []
        for keys, stamps in zip(self.keys, self.stamps.cpu().numpy(), strict=True):
            size = int((stamps != 0).sum())
            if (stamps[:size] < 1).any() or len(np.unique(stamps[:size])) < size:
                raise ArtefactError("an episodic memory is damaged: its stamps do not give an order of its entries")
            states = [state.tobytes() for state in _comparable(keys[:size])]
            rows = {states[row]: int(row) for row in np.argsort(stamps[:size])}
            if len(rows) < size:
                raise ArtefactError("an episodic memory is damaged: it holds a state twice")
            self._rows.append(rows)
        if not (torch.isfinite(self.keys).all() and torch.isfinite(self.values).all()):
            raise ArtefactError("an episodic memory is damaged: it holds a number that is not finite")


def _comparable(states: Tensor) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return states as an array whose rows have the same bytes if, and only if, they are equal."""
    array: np.ndarray[Any, np.dtype[np.float32]] = states.detach().cpu().contiguous().numpy() + np.float32(0.0)
    return array  # adding 0.0 turns -0.0 into 0.0, which is equal to it but has other bytes


def _rebuild_index(module: nn.Module, _: Any) -> None:
    assert isinstance(module, EpisodicMemory)
    module.index()
