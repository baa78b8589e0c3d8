"""The table of episodic control, against a dictionary and against nearest neighbors found by sorting."""

import numpy as np
import pytest
import torch

from darla.agents.algorithms.episodic_control.memory import EpisodicMemory
from darla.common import InputError


class Oracle:
    """The paper's equations on plain dictionaries, the entry updated longest ago first."""

    def __init__(self, n_actions, capacity, k):
        self.tables, self.capacity, self.k = [{} for _ in range(n_actions)], capacity, k

    def update(self, state, action, value):
        table = self.tables[action]
        if state in table:
            value = max(value, table.pop(state))
        elif len(table) == self.capacity:
            del table[next(iter(table))]
        table[state] = value

    def value(self, state, action):
        table = self.tables[action]
        if state in table or len(table) < self.k:
            return table.get(state, np.inf)
        nearest = sorted(table, key=lambda other: np.sum((np.array(state) - np.array(other)) ** 2))
        return np.mean([table[other] for other in nearest[: self.k]])


def grid_states(rng, count, width=3, values=5):
    """Return states on a grid, many of them equal, with a little of their own so that no two distances are equal."""
    points = rng.integers(0, values, (count, width))
    return (points + 0.01 * np.sin(points * np.array([1.0, 2.3, 3.7])[:width])).astype(np.float32)


@pytest.mark.parametrize(("capacity", "k"), [(1000, 1), (1000, 5), (40, 5), (7, 7)])
def test_the_table_is_that_of_the_dictionaries(capacity, k):
    rng = np.random.default_rng(0)
    memory, oracle = EpisodicMemory(3, 3, capacity, k), Oracle(3, capacity, k)
    for _ in range(12):
        states, actions = grid_states(rng, 40), rng.integers(3, size=40).tolist()
        returns = rng.normal(size=40).astype(np.float32).tolist()
        memory.update(torch.from_numpy(states), actions, returns)
        for state, action, value in zip(states.tolist(), actions, returns, strict=True):
            oracle.update(tuple(state), action, value)
        asked = np.concatenate([states[:8], rng.normal(2.0, 1.0, (8, 3)).astype(np.float32)])
        expected = [[oracle.value(tuple(state), action) for action in range(3)] for state in asked.tolist()]
        np.testing.assert_allclose(memory(torch.from_numpy(asked)), expected, rtol=1e-5, atol=1e-6)
        assert memory.sizes == tuple(len(table) for table in oracle.tables)


@pytest.mark.parametrize("width", [4, 64])
def test_the_nearest_neighbors_are_those_of_all_distances(width):
    generator = torch.Generator().manual_seed(0)
    keys, asked = (torch.randn(count, width, generator=generator) for count in (3000, 50))
    memory = EpisodicMemory(1, width, 4000, 20)
    memory.update(keys, [0] * 3000, [0.0] * 3000)
    exact = torch.cdist(asked.double(), keys.double()).argsort(dim=1)[:, :20]
    assert torch.equal(memory.nearest(asked, 0).sort(dim=1).values, exact.sort(dim=1).values)


def test_the_entry_updated_longest_ago_makes_room():
    memory = EpisodicMemory(1, 1, 3, 1)
    memory.update(torch.tensor([[0.0], [1.0], [2.0]]), [0, 0, 0], [10.0, 11.0, 12.0])
    memory.update(torch.tensor([[0.0]]), [0], [5.0])  # lower, and an update all the same
    assert memory(torch.tensor([[0.0]])).item() == 10.0
    memory.update(torch.tensor([[3.0], [4.0]]), [0, 0], [13.0, 14.0])  # in place of 1 and 2
    assert sorted(memory.keys[0, :, 0].tolist()) == [0.0, 3.0, 4.0]
    assert memory(torch.tensor([[1.1]])).item() == 10.0


def test_looking_up_changes_nothing():
    memory = EpisodicMemory(2, 2, 5, 2)
    memory.update(torch.eye(2), [0, 1], [1.0, 2.0])
    before = {name: tensor.clone() for name, tensor in memory.state_dict().items()}
    memory(torch.randn(6, 2, generator=torch.Generator().manual_seed(0)))
    assert all(torch.equal(tensor, before[name]) for name, tensor in memory.state_dict().items())


def test_an_action_with_fewer_than_k_entries_is_worth_infinity_except_where_it_was_taken():
    memory = EpisodicMemory(2, 1, 5, 2)
    memory.update(torch.tensor([[0.0], [1.0], [0.0]]), [0, 0, 1], [1.0, 3.0, -1.0])
    assert memory(torch.tensor([[0.4], [0.0]])).tolist() == [[2.0, np.inf], [1.0, -1.0]]


def test_a_zero_and_a_negative_zero_are_the_same_state():
    memory = EpisodicMemory(1, 1, 5, 1)
    memory.update(torch.tensor([[0.0], [-0.0]]), [0, 0], [1.0, 2.0])
    assert memory.sizes == (1,)
    assert memory(torch.tensor([[-0.0]])).item() == 2.0


def test_a_loaded_table_goes_on_as_the_one_that_was_saved():
    rng = np.random.default_rng(1)
    one, other = (EpisodicMemory(2, 3, 30, 4) for _ in range(2))

    def update(memory, seed):
        draw = np.random.default_rng(seed)
        actions, returns = draw.integers(2, size=50).tolist(), draw.normal(size=50).tolist()
        memory.update(torch.from_numpy(grid_states(draw, 50)), actions, returns)

    update(one, 0)
    other.load_state_dict({name: tensor.clone() for name, tensor in one.state_dict().items()})
    asked = torch.from_numpy(rng.normal(2.0, 1.0, (20, 3)).astype(np.float32))
    assert torch.equal(one(asked), other(asked))
    update(one, 2), update(other, 2)
    assert torch.equal(one(asked), other(asked))
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in one.state_dict().items())


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("stamps", lambda tensor: tensor.fill_(3), "order"),
        ("stamps", lambda tensor: tensor.neg_(), "order"),
        ("keys", lambda tensor: tensor.fill_(1.0), "twice"),
        ("values", lambda tensor: tensor.fill_(float("nan")), "not finite"),
    ],
)
def test_buffers_that_hold_no_table_are_refused(name, change, message):
    memory = EpisodicMemory(1, 1, 3, 1)
    memory.update(torch.tensor([[0.0], [1.0]]), [0, 0], [1.0, 2.0])
    state = {key: tensor.clone() for key, tensor in memory.state_dict().items()}
    change(state[name])
    with pytest.raises(InputError, match=message):
        EpisodicMemory(1, 1, 3, 1).load_state_dict(state)


def test_a_table_without_room_for_k_entries_is_refused():
    with pytest.raises(InputError, match="k = 5"):
        EpisodicMemory(2, 3, 4, 5)
