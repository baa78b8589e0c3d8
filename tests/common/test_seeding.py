"""Streams of random numbers are found by name alone."""

import numpy as np
import pytest

from darla.common import InputError, rng_for, seed_for, unknown_name
from darla.common.errors import folded


def test_a_stream_depends_on_its_name_and_master_only() -> None:
    assert seed_for(0, "data") == seed_for(0, "data")
    seeds = [
        seed_for(master, *names)
        for master in range(3)
        for names in (("data",), ("policy",), ("data", 0), ("data", 1), ("data", "1"))
    ]
    assert len(set(seeds)) == len(seeds)


def test_the_values_never_change() -> None:
    """Published episode seeds would otherwise mean other episodes after an update."""
    assert seed_for(0, "evaluation", "source", 0) == 2213674388


def test_streams_are_independent() -> None:
    a, b = (rng_for(0, "frame", index).standard_normal(4000) for index in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 0.06


def test_the_closest_name_is_offered() -> None:
    assert (
        str(unknown_name("model", "beta_va", ["beta_vae", "dae"]))
        == "unknown model 'beta_va'; did you mean 'beta_vae'?"
    )
    assert str(unknown_name("model", "zzz", ["b", "a"])) == "unknown model 'zzz'; known: 'a', 'b'"


def test_a_family_of_names_is_listed_as_one() -> None:
    family = ["x/a/c", "x/a/d", "x/b/c", "x/b/d"]
    assert folded(["y", *family, "z/a"]) == ["y", "x/{a,b}/{c,d}", "z/a"]
    assert folded(family[:3]) == family[:3]  # x/b/d is missing
    assert folded(["x/a/c", "x/a/d"]) == ["x/a/{c,d}"]
    assert str(unknown_name("task", "zzzzzz", family)) == "unknown task 'zzzzzz'; known: 'x/{a,b}/{c,d}'"
    assert str(unknown_name("task", "x/a/cd", family)).startswith("unknown task 'x/a/cd'; did you mean 'x/a/")


@pytest.mark.parametrize("seed", [-1, 1.5, "7", None, True, float("nan")])
def test_what_is_no_seed_is_named(seed: object) -> None:
    for draw in (seed_for, rng_for):
        with pytest.raises(InputError, match=r"seed is .* but must be a whole number"):
            draw(seed, "stream")  # type: ignore[operator]
