import numpy as np
import pytest

from darla.common import InputError
from darla.vision import probe


def make(count: int = 1500, seed: int = 0):
    rng = np.random.default_rng(seed)
    state = {
        "kind": rng.integers(0, 4, count),
        "bearing": rng.uniform(-1, 1, count),
        "distance": rng.uniform(0.5, 4, count),
        "visible": np.ones(count, dtype=bool),
    }
    return rng, state


def test_codes_that_hold_the_state_are_read_almost_perfectly():
    _, state = make()
    codes = np.column_stack([np.eye(4)[state["kind"]], state["bearing"], state["distance"]])
    report = probe(codes, state, seed=0, steps=500)
    for target in ("kind", "bearing", "distance"):
        assert report[target]["linear"] > 0.99
        assert report[target]["nonlinear"] > 0.95


def test_codes_of_noise_score_chance():
    rng, state = make()
    report = probe(rng.normal(size=(1500, 6)), state, seed=0, steps=100)
    assert report["kind"]["chance"] == 0.25
    assert report["kind"]["linear"] == pytest.approx(0.25, abs=0.08)
    assert report["bearing"]["linear"] < 0.05
    assert report["distance"]["nonlinear"] < 0.1


def test_what_is_held_non_linearly_is_read_by_the_network_alone():
    rng, state = make()
    signs = rng.choice([-1.0, 1.0], size=(1500, 2))
    state["kind"] = (signs[:, 0] * signs[:, 1] > 0).astype(int)
    report = probe(signs + 0.1 * rng.normal(size=signs.shape), state, seed=0, steps=500)
    assert report["kind"]["linear"] < 0.6
    assert report["kind"]["nonlinear"] > 0.95


def test_a_rare_kind_counts_as_much_as_a_frequent_one():
    rng, state = make()
    state["kind"] = (rng.random(1500) < 0.1).astype(int)
    report = probe(rng.normal(size=(1500, 3)), state, seed=0, steps=100)
    assert report["kind"]["linear"] == pytest.approx(0.5, abs=0.1)  # plain accuracy would be 0.9


def test_an_unused_latent_is_not_scaled_up():
    rng, state = make()
    useful = state["bearing"][:, None] + 0.01 * rng.normal(size=(1500, 1))
    noise = 1e-6 * rng.normal(size=(1500, 20))
    report = probe(np.column_stack([useful, noise]), state, seed=0, steps=300)
    assert report["bearing"]["nonlinear"] > 0.98


def test_what_a_collapsed_posterior_holds_in_its_last_digits_does_not_count():
    _, state = make()
    report = probe(np.column_stack([state["bearing"], state["distance"]]) * 1e-6, state, seed=0, steps=300)
    assert report["bearing"]["linear"] < 0.05
    assert report["bearing"]["nonlinear"] < 0.05


def test_images_without_an_object_in_view_are_left_out():
    rng, state = make()
    state["kind"][:500] = -1
    state["visible"][500:700] = False
    report = probe(rng.normal(size=(1500, 3)), state, seed=0, steps=10, held_out=np.arange(1500) % 2 == 0)
    assert (report["images_fitted"], report["images_scored"]) == (400, 400)


def test_scores_are_of_held_out_images():
    _, state = make()
    held_out = np.arange(1500) >= 1000
    codes = np.column_stack([state["bearing"]] * 2)
    codes[held_out] = 0.0  # nothing to read where it counts
    assert probe(codes, state, seed=0, steps=100, held_out=held_out)["bearing"]["linear"] < 0.05


def test_the_same_seed_gives_the_same_numbers():
    rng, state = make(600)
    codes = rng.normal(size=(600, 3)) + state["bearing"][:, None]
    assert probe(codes, state, seed=3, steps=50) == probe(codes, state, seed=3, steps=50)


def test_without_state_or_with_too_few_images_nothing_is_said():
    rng, state = make(60)
    codes = rng.normal(size=(60, 3))
    assert set(probe(codes, {}, seed=0)) == {"images_fitted", "images_scored", "latents"}
    assert set(probe(codes, state, seed=0)) == {"images_fitted", "images_scored", "latents"}


def test_other_lengths_and_numbers_that_are_not_finite_are_refused():
    rng, state = make(100)
    with pytest.raises(InputError, match="has 100 rows for 90 codes"):
        probe(rng.normal(size=(90, 3)), state, seed=0)
    with pytest.raises(InputError, match="finite"):
        probe(np.full((100, 3), np.nan), state, seed=0)
