"""Factor spaces and worlds as data, and the environment that draws contexts of a domain."""

import json
import pickle
from dataclasses import replace

import gymnasium
import numpy as np
import pytest

from darla.common import InputError
from darla.envs import (
    CAR_RACING,
    SEEK_AVOID,
    WORLDS,
    Context,
    Domain,
    Fact,
    Factor,
    FactorSpace,
    TransferTask,
    Uniform,
    World,
    make,
    register_world,
    tasks,
)
from darla.envs.domains.task_files import task_from_dict
from darla.envs.make_env import ContextEnv

SPACE = FactorSpace(
    [
        Factor("hue", "circular", 1.25),
        Factor("size", "continuous", 2.0, 1.0, 4.0, unit="m"),
        Factor("shape", "discrete", "disc", choices=("disc", "square")),
    ]
)


def test_a_context_has_every_factor_in_order_and_in_its_canonical_form():
    context = SPACE.context({"size": 3, "hue": -0.25})
    assert dict(context) == {"hue": 0.75, "size": 3.0, "shape": "disc"}
    assert list(SPACE.context({"shape": "square"})) == ["hue", "size", "shape"]
    assert SPACE.context()["hue"] == 0.25
    assert context.number("size") == 3.0
    assert context.name("shape") == "disc"
    assert repr(SPACE.context({"size": 3})) == "Context({'size': 3.0})"
    assert pickle.loads(pickle.dumps(context)) == context


def test_sampling_covers_the_whole_space_and_is_seeded():
    contexts = [SPACE.sample(np.random.default_rng(seed)) for seed in range(400)]
    sizes = np.array([context.number("size") for context in contexts])
    assert 1.0 <= sizes.min() < 1.1
    assert 3.9 < sizes.max() <= 4.0
    assert {context.name("shape") for context in contexts} == {"disc", "square"}
    assert SPACE.sample(np.random.default_rng(3)) == contexts[3]


def test_contexts_survive_arrays_and_spaces_survive_json():
    contexts = [SPACE.sample(np.random.default_rng(seed)) for seed in range(20)]
    table = SPACE.to_array(contexts)
    assert table.dtype.names == ("hue", "size", "shape")
    assert (table["hue"].dtype, table["size"].dtype, table["shape"].dtype.kind) == (np.float64, np.float64, "U")
    assert SPACE.from_array(table) == contexts
    assert FactorSpace.from_list(json.loads(json.dumps(SPACE.to_list()))) == SPACE
    assert FactorSpace(list(SPACE.values())[::-1]) != SPACE  # the order decides what a seed draws


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: SPACE.context({"sise": 1}), "unknown factor 'sise'; did you mean 'size'"),
        (lambda: SPACE.context({"size": 5}), r"factor 'size' is 5, but must lie in \[1, 4\] m"),
        (lambda: SPACE.context({"size": float("nan")}), "finite number"),
        (lambda: SPACE.context({"hue": "red"}), "finite number"),
        (lambda: SPACE.context({"shape": "squere"}), "did you mean 'square'"),
        (lambda: FactorSpace([SPACE["hue"], SPACE["hue"]]), "two factors are called 'hue'"),
        (
            lambda: FactorSpace([Factor("a", "circular", 0.0, needs="b")]),
            "'a' needs 'b', which is no continuous factor",
        ),
        (
            lambda: FactorSpace([Factor("a", "circular", 0.0, needs="a")]),
            "'a' needs 'a', which is no continuous factor",
        ),
        (lambda: Factor("a", "discrete", "x"), "a discrete factor needs choices"),
        (lambda: Factor("a", "continuous", 0.5, choices=("x",)), "others have none"),
        (lambda: Factor("a", "continuous", 2.0), "must lie in"),
        (lambda: Factor("a", "continuous", 0.5, 1.0, 0.0), "low must be below high"),
        (lambda: Factor("a", "circuler", 0.5), "did you mean 'circular'"),
        (lambda: SPACE.from_array(np.zeros(2, [("hue", float)])), "the factors are"),
        (lambda: SPACE.to_array([]), "no context"),
        (lambda: FactorSpace.from_list([{"name": "a"}]), "does not describe a factor space"),
        (lambda: Fact("a", "class"), "a class needs values"),
        (lambda: Fact("a", "numbr"), "did you mean 'number'"),
        (lambda: World("w", "id", SPACE, content=("sise",)), "did you mean 'size'"),
        (lambda: Domain("d", world="seek_avoit"), "did you mean 'seek_avoid'"),
    ],
)
def test_mistakes_are_named(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()


def test_facts_become_columns_by_their_kind():
    facts = (Fact("kind", "class", ("a", "b")), Fact("far", "number"), Fact("turn", "angle"), Fact("seen", "mask"))
    world = World("facts", "none", SPACE, facts=facts)
    assert world.fact_type.names == ("kind", "far", "turn_sin", "turn_cos", "seen")
    row = np.zeros(1, world.fact_type)
    row[0] = world.fact_row({"state": {"kind": "b", "far": 2.0, "turn": np.pi / 2, "seen": True}})
    assert row["kind"][0] == 1
    assert (row["turn_sin"][0], row["turn_cos"][0]) == pytest.approx((1.0, 0.0))
    assert world.fact_row({"state": {"kind": None, "far": 0.0, "turn": 0.0, "seen": False}})[0] == -1
    with pytest.raises(InputError, match="does not give the fact 'turn'"):
        world.fact_row({"state": {"kind": "a", "far": 0.0}})
    assert [Fact.from_dict(json.loads(json.dumps(fact.to_dict()))) for fact in facts] == list(facts)


def test_worlds_are_registered_once_and_travel_to_workers():
    assert set(WORLDS) >= {"seek_avoid", "car_racing"}
    assert pickle.loads(pickle.dumps(CAR_RACING)) is WORLDS["car_racing"]
    own = World("not registered", "none", SPACE)
    assert pickle.loads(pickle.dumps(own)) == own
    assert register_world(replace(SEEK_AVOID)) == SEEK_AVOID
    with pytest.raises(ValueError, match="'seek_avoid' is registered twice"):
        register_world(World("seek_avoid", "none", SPACE))


class Recorder(gymnasium.Env):
    """Shows nothing, and remembers what it is reset with."""

    observation_space = gymnasium.spaces.Box(0, 255, (8, 8, 3), np.uint8)
    action_space = gymnasium.spaces.Discrete(2)

    def reset(self, *, seed=None, options=None):
        self.seed, self.options = seed, options
        return np.zeros((8, 8, 3), np.uint8), {}


def test_contexts_are_drawn_by_the_seed_and_the_state_does_not_depend_on_them():
    world = World("recorded", "none", SPACE)
    wide = ContextEnv(Recorder(), Domain("wide", ({"hue": Uniform(0.0, 0.5), "size": Uniform(1.0, 4.0)},), world=world))
    narrow = ContextEnv(Recorder(), Domain("narrow", ({"hue": 0.9},), world=world))
    drawn = set()
    for seed in range(5):
        _, info = wide.reset(seed=seed, options={"start": "anywhere"})
        assert wide.unwrapped.options == {"start": "anywhere", "context": info["context"]}
        drawn.add(info["context"]["hue"])
        narrow.reset(seed=seed)
        assert narrow.unwrapped.options["context"]["hue"] == 0.9
        assert wide.unwrapped.seed == narrow.unwrapped.seed
        _, again = wide.reset(seed=seed)
        assert again["context"] == info["context"]
    assert len(drawn) == 5
    first, second = wide.reset(seed=1), wide.reset()
    assert first[1]["context"] != second[1]["context"]


def test_a_given_context_is_played_and_leaves_the_state_alone():
    world = World("recorded", "none", SPACE)
    mixture = ContextEnv(Recorder(), Domain("two", ({"hue": 0.1}, {"hue": 0.6}), world=world))
    states = set()
    for values in ({"hue": 0.3}, SPACE.context({"hue": 0.4}), {}):
        _, info = mixture.reset(seed=4, options={"context": values})
        assert info["context"] == dict(SPACE.context(values))
        states.add(mixture.unwrapped.seed)
    assert len(states) == 1
    with pytest.raises(InputError, match="unknown factor"):
        mixture.reset(seed=4, options={"context": {"heu": 0.3}})


def test_domains_of_one_world_only_make_a_task():
    room, car = Domain("room", world=SEEK_AVOID), Domain("car", world=CAR_RACING)
    with pytest.raises(InputError, match="are of car_racing and seek_avoid; use one world for all"):
        TransferTask("mixed", room, room, room, {"car": car})


TASK = {
    "name": "new walls",
    "world": "seek_avoid",
    "unlabeled": {"components": [{"wall_hue": {"uniform": [0.0, 1.0]}}]},
    "source": {"components": [{"wall_hue": 0.1}]},
    "targets": {"blue": {"components": [{"wall_hue": 0.6}]}},
}


def test_a_task_in_json_names_its_world_once():
    task = task_from_dict(TASK)
    assert task.source == Domain("source", ({"wall_hue": 0.1},), world=SEEK_AVOID)
    assert task.validation.components == task.source.components
    assert task_from_dict(json.loads(json.dumps(task.to_dict()))) == task


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"world": None},
            "unlabeled has 'components', so 'world' must be the name of a world",
        ),
        ({"world": "seek_avoit"}, "unknown world 'seek_avoit'; did you mean 'seek_avoid'"),
        ({"world": "car_racing"}, "unknown factor 'wall_hue'"),
        ({"wrld": "seek_avoid"}, "did you mean 'world'"),
        ({"source": [1]}, "source must be an object"),
    ],
)
def test_mistakes_in_a_task_file_are_named(change, sentence):
    with pytest.raises(InputError, match=sentence):
        task_from_dict({**TASK, **change})


def test_a_missing_package_of_a_world_is_named(tmp_path, monkeypatch):
    (tmp_path / "needy_env.py").write_text("import a_package_that_is_not_installed\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    gymnasium.register("test/Needy-v0", entry_point="needy_env:Needy")
    world = World("needy", "test/Needy-v0", SPACE, requires="needy-package")
    with pytest.raises(InputError, match=r"a_package_that_is_not_installed.*pip install 'needy-package'"):
        make(Domain("d", world=world))


def test_the_name_of_a_task_of_darla_is_taken():
    room = Domain("room", world=SEEK_AVOID)
    with pytest.raises(InputError, match="there is a task 'conjunction' already"):
        tasks.register(TransferTask("conjunction", room, room, room, {"room": room}))


def test_context_compares_as_a_mapping():
    assert SPACE.context({"size": 3}) == {"hue": 0.25, "size": 3.0, "shape": "disc"}
    assert isinstance(SPACE.context(), Context)
