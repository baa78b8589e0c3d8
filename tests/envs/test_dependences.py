"""Factors that go together: their joint distribution, what leaks where it changes, and where a domain needs it."""

import json
import pickle
from collections import Counter
from collections.abc import Mapping
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import chisquare

from darla.common import InputError
from darla.envs import (
    SEEK_AVOID,
    Choice,
    Domain,
    Given,
    TransferTask,
    Uniform,
    axes_task,
    domain_from_dict,
    leak_level,
    make,
    tasks,
)
from darla.envs.domains.task_files import task_from_dict
from darla.envs.frames.collect import CollectConfig, collect
from darla.envs.frames.frame_set import FrameSet
from darla.envs.frames.units import group_plan
from darla.envs.paired_rendering import contexts_of_one_state
from darla.reports.tables.transfer import describe_domain

room_domain = partial(Domain, world=SEEK_AVOID)
KINDS, HUES = Choice(("A", "B")), Choice((0.33, 0.0))


def tinted(strength: float, of_a: float = 0.33, of_b: float = 0.0) -> dict[str, Any]:
    return {"object_set": KINDS, "good_tint": Given("object_set", (("A", of_a), ("B", of_b)), strength)}


def joint(domain: Domain, *names: str) -> dict[tuple[Any, ...], float]:
    """Return the exact probability of each combination of values, from the parts of a domain."""
    found: Counter[tuple[Any, ...]] = Counter()
    for weight, part in domain.parts:
        specs = [part.get(name, domain.world.space[name].default) for name in names]
        values = [spec.values if isinstance(spec, Choice) else (spec,) for spec in specs]
        for combination in product(*values):
            found[combination] += weight / np.prod([len(each) for each in values])
    return dict(found)


def differs(counts: Mapping[Any, int], probabilities: Mapping[Any, float]) -> bool:
    """Return whether counts could hardly be drawn from these probabilities: a chi-square test at 1 in 10,000."""
    assert set(counts) <= set(probabilities)
    total = sum(counts.values())
    observed = [counts.get(key, 0) for key in probabilities]
    return bool(chisquare(observed, [total * share for share in probabilities.values()]).pvalue < 1e-4)


@pytest.mark.parametrize("strength", [0.0, 0.5, 0.9, 1.0])
def test_strength_is_the_correlation_and_marginals_stay_as_they_are(strength: float) -> None:
    table = joint(room_domain("d", (tinted(strength),)), "object_set", "good_tint")
    together = table["A", 0.33] + table["B", 0.0]
    apart = table.get(("A", 0.0), 0.0) + table.get(("B", 0.33), 0.0)
    assert together - apart == pytest.approx(strength), "the correlation of two balanced binary variables"
    assert sum(table.values()) == pytest.approx(1.0)
    for hue in (0.33, 0.0):
        assert sum(share for (_, value), share in table.items() if value == hue) == pytest.approx(0.5)
    assert (("A", 0.0) in table) == (strength < 1.0), "nothing else is possible where they always go together"


@pytest.mark.parametrize("name", ["source", "uncorrelated", "reversed"])
def test_samples_of_the_task_have_its_joint_distribution(name: str) -> None:
    task = tasks.get("correlated")
    domain = task.domain(name)
    assert isinstance(domain, Domain)
    names = ("object_set", "good_tint", "bad_tint")
    own, other = 0.95, 0.05
    expected = {}
    for kinds, good, bad in product("AB", (0.33, 0.0), (0.33, 0.0)):
        with_kind = (good == 0.33) == (kinds == "A"), (bad == 0.0) == (kinds == "A")
        if name == "reversed":
            with_kind = not with_kind[0], not with_kind[1]
        shares = [(own if each else other) if name != "uncorrelated" else 0.5 for each in with_kind]
        expected[kinds, good, bad] = 0.5 * shares[0] * shares[1]
    assert joint(domain, *names) == pytest.approx(expected)
    rng = np.random.default_rng(3)
    contexts = [domain.sample(rng) for _ in range(20_000)]
    counts = Counter(tuple(context[each] for each in names) for context in contexts)
    assert not differs(counts, expected)
    others = {each: joint(task.domain(each), *names) for each in ("source", "uncorrelated", "reversed") if each != name}  # type: ignore[arg-type]
    assert all(differs(counts, probabilities) for probabilities in others.values()), "the test can tell them apart"


def test_episodes_and_the_factors_of_frames_have_it_too(tmp_path: Path) -> None:
    domain = tasks.get("correlated").source
    assert isinstance(domain, Domain)
    expected = joint(domain, "object_set", "good_tint")
    env = make(domain)
    contexts = [env.reset(seed=seed)[1]["context"] for seed in range(60)]
    env.close()
    assert not differs(Counter((context["object_set"], context["good_tint"]) for context in contexts), expected)
    frames = FrameSet(collect(CollectConfig(frames=60, shard_size=30), tmp_path / "frames", domain=domain))
    rows = list(zip(frames.contexts["object_set"].tolist(), frames.contexts["good_tint"].tolist(), strict=True))
    assert len(rows) == 60
    assert not differs(Counter(rows), expected)
    assert differs(Counter(rows), dict.fromkeys(expected, 0.25)), "the test can tell"
    assert domain_from_dict(frames.domain) == domain, "the frames say how they were drawn"


def test_several_values_ranges_and_numbers_can_go_together() -> None:
    part = {
        "wall_hue": Choice((0.1, 0.4, 0.7)),
        "floor_hue": Given("wall_hue", ((0.1, Uniform(0.0, 0.1)), (0.4, 0.5), (0.7, Choice((0.8, 0.9)))), 0.7),
    }
    domain = room_domain("d", (part,))
    rng = np.random.default_rng(0)

    def case(hue: float) -> str:
        return "range" if hue <= 0.1 else "value" if hue == 0.5 else "choice"

    counts = Counter((context["wall_hue"], case(float(context["floor_hue"])))
                     for context in (domain.sample(rng) for _ in range(9_000)))  # fmt: skip
    own = {0.1: "range", 0.4: "value", 0.7: "choice"}
    expected = {(hue, name): (0.7 * (own[hue] == name) + 0.1) / 3 for hue in own for name in own.values()}
    assert not differs(counts, expected)


def level(unlabeled: Any, source: Any, target: Any) -> str:
    domains = [room_domain(name, parts) for name, parts in (("u", unlabeled), ("s", source), ("t", target))]
    return leak_level(TransferTask("test", domains[0], domains[1], domains[1], {"t": domains[2]}), "t")


FREE = {"object_set": KINDS, "good_tint": HUES}
RARE = {"object_set": "A", "good_tint": 0.0}
USUAL = {"object_set": "A", "good_tint": 0.33}


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        (tinted(0.9), tinted(0.9), "full"),
        (tinted(0.9), tinted(1.0), "full"),
        (tinted(0.9), USUAL, "full"),
        (tinted(0.9), tinted(0.8), "correlation"),
        (tinted(0.9), FREE, "correlation"),
        (tinted(0.9), tinted(0.9, 0.0, 0.33), "correlation"),
        (tinted(0.9), RARE, "correlation"),
        (tinted(1.0), FREE, "conjunction"),
        (tinted(1.0), tinted(1.0, 0.0, 0.33), "conjunction"),
        (tinted(1.0), USUAL, "full"),
        (tinted(1.0), RARE, "conjunction"),
        (FREE, tinted(1.0), "full"),
        (tinted(0.0), FREE, "full"),
        (FREE, tinted(0.0), "full"),
        (tinted(0.9), {"object_set": "A", "good_tint": 0.6}, "visual"),
        (tinted(0.9), {**FREE, "wall_hue": 0.9}, "none"),
    ],
)
def test_leak_levels_see_dependences(source: Any, target: Any, expected: str) -> None:
    assert level(({"good_tint": Uniform(0.5, 0.7)},), (source,), (target,)) == expected


def test_a_mixture_of_a_strict_and_a_free_part_is_a_weaker_dependence() -> None:
    source = (tinted(1.0), FREE)
    assert level(({},), source, (FREE,)) == "full", "one of its components"
    assert level(({},), source, (tinted(0.5),)) == "full"
    assert level(({},), source, (tinted(0.4),)) == "correlation"


@pytest.mark.parametrize("cases", [(("A", 0.33), ("B", Uniform(0.6, 0.8))), (("A", 0.33), ("B", Choice((0.1, 0.2))))])
def test_dependences_survive_json_and_pickle(cases: Any) -> None:
    for strength in (1.0, 0.4):
        part = {"object_set": KINDS, "good_tint": Given("object_set", cases, strength)}
        numbers = {"wall_hue": Choice((0.1, 0.6)), "floor_hue": Given("wall_hue", ((0.1, 0.3), (0.6, 0.9)), strength)}
        domain = room_domain("d", (part, numbers))
        assert domain_from_dict(json.loads(json.dumps(domain.to_dict()))) == domain
        assert pickle.loads(pickle.dumps(domain)) == domain
        assert hash(pickle.loads(pickle.dumps(domain))) == hash(domain)


def test_the_component_of_a_context_is_one_that_allows_the_combination() -> None:
    domain = room_domain("d", (tinted(1.0), {"object_set": KINDS, "good_tint": 0.0}))
    number = {
        (kinds, hue): domain.component_of(SEEK_AVOID.space.context({"object_set": kinds, "good_tint": hue}))
        for kinds, hue in (("A", 0.33), ("B", 0.0), ("A", 0.0))
    }
    assert number == {("A", 0.33): 0, ("B", 0.0): 0, ("A", 0.0): 1}
    with pytest.raises(InputError, match="no component that allows"):
        domain.component_of(SEEK_AVOID.space.context({"object_set": "B", "good_tint": 0.33}))


def test_pairs_of_one_state_keep_what_goes_with_the_content() -> None:
    strict, free = room_domain("source", (tinted(1.0),)), room_domain("target", (FREE,))
    pairs = [contexts_of_one_state(strict, free, 0, number) for number in range(40)]
    assert {(own["object_set"], own["good_tint"]) for own, _ in pairs} == {("A", 0.33), ("B", 0.0)}
    assert all(own["object_set"] == other["object_set"] for own, other in pairs)
    weak = room_domain("source", (tinted(0.9),))
    counts = Counter(
        (own["object_set"], own["good_tint"])
        for own, _ in (contexts_of_one_state(weak, free, 0, number) for number in range(4_000))
    )
    assert not differs(counts, joint(weak, "object_set", "good_tint"))


def test_looks_keep_what_goes_together() -> None:
    looks = room_domain("d", ({**tinted(1.0), "wall_hue": Uniform(0.0, 1.0)},)).with_looks(30, np.random.default_rng(0))
    drawn = {(part["object_set"], part["good_tint"]) for part in looks.components}
    assert drawn == {("A", 0.33), ("B", 0.0)}


def test_nothing_can_vary_alone_that_goes_together() -> None:
    domain = room_domain("d", (tinted(0.9),))
    with pytest.raises(InputError, match="'good_tint' goes together with 'object_set'; groups need a domain without"):
        group_plan(domain, 4, (), 10)
    source = room_domain("d", ({"wall_texture": "brick", **tinted(0.9), "object_set": "A", "tint_strength": 0.2},))
    with pytest.raises(InputError, match="'object_set' cannot leave the source's values alone, since 'good_tint'"):
        axes_task(SEEK_AVOID, source)
    task = axes_task(SEEK_AVOID, source, factors=["wall_hue", "good_tint"])
    assert leak_level(task, "good_tint") == "visual"


def test_a_report_says_what_goes_together() -> None:
    assert describe_domain(room_domain("d", (tinted(0.9),)).to_dict()) == (
        "good tint (0.33 with object set A; 0 with object set B; strength 0.9), object set A or B"
    )


def data(**changes: Any) -> dict[str, Any]:
    given = {"given": "object_set", "cases": {"A": 0.33, "B": 0.0}, "strength": 0.9, **changes}
    part = {"object_set": {"choice": ["A", "B"]}, "good_tint": given}
    source = {"components": [part]}
    return {"name": "t", "world": "seek_avoid", "unlabeled": source, "source": source, "targets": {"t": source}}


def test_a_task_file_states_a_dependence() -> None:
    task = task_from_dict(data())
    assert task.source.dependences == (("good_tint", Given("object_set", (("A", 0.33), ("B", 0.0)), 0.9)),)  # type: ignore[union-attr]
    assert leak_level(task, "t") == "full"
    pairs = task_from_dict(data(cases=[["A", {"uniform": [0.2, 0.3]}], ["B", {"choice": [0.0, 0.9]}]]))
    assert joint(pairs.source, "object_set")["A",] == pytest.approx(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"given": "object_se"}, "unknown factor 'object_se'; did you mean 'object_set'"),
        ({"given": 3}, "'given' is the name of a factor"),
        ({"given": "good_tint"}, "factor 'good_tint' depends on itself"),
        ({"cases": 3}, "is not a dependence"),
        ({"cases": {}}, "has no case"),
        ({"cases": [["A"]]}, "is not a dependence"),
        ({"cases": {"A": 0.33}}, "factor 'good_tint' has no case for object_set 'B', which the component has"),
        ({"cases": {"A": 0.33, "B": 0.0, "C": 0.1}}, "unknown value of factor 'object_set': 'C'"),
        ({"cases": [["A", 0.1], ["B", 0.2], ["A", 0.3]]}, "two cases for object_set 'A'"),
        ({"cases": {"A": "red", "B": 0.0}}, "factor 'good_tint' is 'red', but must be a finite number"),
        ({"cases": {"A": {"uniform": [0.3, 0.1]}, "B": 0.0}}, "low must be below high"),
        ({"cases": {"A": {"given": "wall_hue", "cases": []}, "B": 0.0}}, "a case that is a dependence"),
        ({"strength": 1.5}, "strength 1.5, but it must be from 0 to 1"),
        ({"strength": "much"}, "its strength must be a number from 0 to 1"),
        ({"strenght": 0.5}, "did you mean 'strength'"),
    ],
)
def test_mistakes_in_dependences_are_named(changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        task_from_dict(data(**changes))


def test_what_others_depend_on_has_values_to_choose_from() -> None:
    follows = Given("wall_hue", ((0.1, 0.2),))
    with pytest.raises(InputError, match="depends on 'wall_hue', which is a range, but must be a value or a choice"):
        room_domain("d", ({"wall_hue": Uniform(0.0, 0.5), "floor_hue": follows},))
    with pytest.raises(InputError, match="depends on 'wall_hue', which is a dependence of its own"):
        room_domain("d", ({"wall_hue": Given("object_set", (("A", 0.1),)), "floor_hue": follows},))
