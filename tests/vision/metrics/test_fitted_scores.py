"""What the scores that fit something or draw samples say of codes whose worth is known, in the robust preset."""

from functools import cache

import numpy as np
import pytest
import torch

from darla.vision import metrics

SIZES = np.array([3, 6, 8, 8])
SCORES = (
    "beta_vae_score",
    "factor_vae_score",
    "dci",
    "sap",
    "explicitness",
    "explicitness_curve",
    "snc_nk",
    "downstream_accuracy",
)
OPTIONS = {
    "beta_vae_score": {"train_votes": 1000, "test_votes": 500},
    "factor_vae_score": {"train_votes": 1000, "test_votes": 500},
    "downstream_accuracy": {"sizes": (10, 1000), "shifts": 1},
}
"""Fewer votes and fits than by default, for tests' sake."""


def world(rows=3000, sizes=SIZES, seed=0):
    rng = np.random.default_rng(seed)
    factors = np.stack([rng.integers(size, size=rows) for size in sizes], axis=1)
    return (factors - (sizes - 1) / 2) / np.sqrt((sizes**2 - 1) / 12), factors, rng


def score(name, codes, factors, **options):
    return metrics.METRICS[name](codes, factors, **{**OPTIONS.get(name, {}), **options})


@cache
def of_perfect_codes(name):
    codes, factors, _ = world()
    return score(name, codes, factors)


@pytest.mark.parametrize("name", SCORES)
def test_a_perfect_code_scores_1_and_nothing_is_better(name):
    result = of_perfect_codes(name)
    assert result.score == pytest.approx(1.0, abs=0.01)
    assert result.score <= result.ceiling == 1.0
    if name == "dci":
        for part in ("disentanglement", "completeness", "informativeness_train", "informativeness_test"):
            assert result.values[part] == pytest.approx(1.0, abs=0.01), part


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORES)
def test_a_perfect_code_scores_1_at_the_sizes_of_dsprites(name):
    codes, factors, _ = world(15_000, np.array([3, 6, 40, 32, 32]))
    result = metrics.METRICS[name](
        codes[:10_000], factors[:10_000], test_codes=codes[10_000:], test_factors=factors[10_000:]
    )
    assert result.score == pytest.approx(1.0, abs=0.01)
    if name == "dci":
        assert min(result.values.values()) > 0.99


@pytest.mark.parametrize("name", SCORES)
def test_dead_latents_change_nothing(name):
    codes, factors, rng = world()
    dead = np.concatenate([codes, np.full((len(codes), 1), 3.0), 1e-4 * rng.standard_normal((len(codes), 1))], axis=1)
    result = score(name, dead, factors)
    assert result.score == pytest.approx(of_perfect_codes(name).score, abs=1e-9)
    assert result.per_latent["active"].tolist() == [1, 1, 1, 1, 0, 0]


@pytest.mark.parametrize("name", SCORES)
def test_codes_of_noise_score_the_chance_level(name):
    _, factors, rng = world(6000)
    result = score(name, rng.standard_normal((len(factors), 5)), factors)
    # Votes follow what few rows of a value happen to have in common.
    assert result.score == pytest.approx(result.chance, abs=0.15 if "vae" in name else 0.01)


@pytest.mark.parametrize("name", ["dci", "sap", "snc_nk"])
def test_scores_of_order_do_not_see_a_monotone_map(name):
    codes, factors, rng = world()
    noisy = codes + 0.3 * rng.standard_normal(codes.shape)
    bent = np.stack([noisy[:, 0] ** 3, np.exp(noisy[:, 1]), np.tanh(noisy[:, 2]), 10 * noisy[:, 3]], axis=1)
    assert score(name, bent, factors).score == pytest.approx(score(name, noisy, factors).score, abs=0.02)


def rotated():
    codes, factors, _ = world()
    turn = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    return np.concatenate([codes[:, :2] @ turn, codes[:, 2:] @ turn], axis=1), factors


def test_pairs_of_latents_turned_by_45_degrees_are_read_and_not_disentangled():
    codes, factors = rotated()
    assert score("sap", codes, factors).score < 0.1
    dci = score("dci", codes, factors).values
    assert dci["disentanglement"] == pytest.approx(0.5, abs=0.02)
    assert dci["completeness"] == pytest.approx(0.5, abs=0.02)
    assert dci["informativeness_test"] > 0.99
    assert score("snc_nk", codes, factors).score < 0.5
    assert score("factor_vae_score", codes, factors).score < 0.65
    assert score("explicitness", codes, factors).score > 0.99


def test_a_latent_of_two_factors_costs_disentanglement_and_not_completeness():
    codes, factors, _ = world()
    merged = np.stack([6 * factors[:, 0] + factors[:, 1], codes[:, 2], codes[:, 3]], axis=1)
    result = score("dci", merged, factors)
    assert result.per_latent["disentanglement"] == pytest.approx([0.5, 1, 1], abs=0.01)
    assert result.values["disentanglement"] == pytest.approx(0.75, abs=0.01)
    assert result.values["completeness"] == pytest.approx(1.0, abs=0.01)
    assert score("factor_vae_score", merged, factors).score == pytest.approx(0.75, abs=0.05)


def test_a_factor_held_twice_costs_compactness_and_not_disentanglement():
    codes, factors, _ = world()
    twice = np.repeat(codes, 2, axis=1)
    dci = score("dci", twice, factors).values
    assert dci["disentanglement"] == pytest.approx(1.0, abs=0.01)
    assert dci["completeness"] == pytest.approx(1 - np.log(2) / np.log(8), abs=0.02)
    assert score("sap", twice, factors).score == 0.0
    snc = score("snc_nk", twice, factors).values
    assert snc["snc"] == pytest.approx(1.0, abs=0.01)
    assert snc["nk"] == pytest.approx(0.0, abs=0.01)


def test_a_lost_factor_is_seen_in_every_score_of_reading():
    codes, factors, rng = world()
    codes[:, 1] = rng.standard_normal(len(codes))
    dci = score("dci", codes, factors)
    assert dci.per_factor["completeness"] == pytest.approx([1, 0, 1, 1], abs=0.01)
    assert dci.per_factor["informativeness_test"] == pytest.approx([1, 0, 1, 1], abs=0.05)
    assert dci.per_latent["importance"][1] == 0
    for name in ("sap", "explicitness", "snc_nk", "downstream_accuracy"):
        assert score(name, codes, factors).score == pytest.approx(0.75, abs=0.03), name


def test_noise_gets_no_importance_at_any_number_of_rows():
    for rows in (600, 3000):
        codes, factors, rng = world(rows)
        noisy = np.concatenate([codes + 0.3 * rng.standard_normal(codes.shape), rng.standard_normal((rows, 3))], axis=1)
        assert score("dci", noisy, factors).score > 0.95


def test_continuous_factors_are_scored():
    rng = np.random.default_rng(0)
    factors = rng.uniform(-1, 1, (3000, 2))
    for name in SCORES:
        assert score(name, np.exp(factors), factors).score > 0.9, name
        assert score(name, rng.standard_normal((3000, 2)), factors).score < 0.65, name


def test_a_curve_that_falls_late_is_below_one_that_falls_at_once():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (3000, 1))
    angle = (factors[:, 0] + rng.uniform(0.1, 0.9, 3000)) * np.pi / 4
    plain = score("explicitness_curve", angle[:, None], factors)
    wound = score("explicitness_curve", np.stack([np.cos(12 * angle), np.sin(12 * angle), angle % 0.5], 1), factors)
    assert plain.score > 0.95
    assert wound.score < plain.score - 0.3


def test_a_shift_of_a_factor_costs_a_leaking_code_more_than_a_perfect_one():
    codes, factors, rng = world(4000)
    noisy = codes + 0.2 * rng.standard_normal(codes.shape)
    leaking = noisy + 0.5 * np.roll(noisy, 1, axis=1)
    gaps = [score("downstream_accuracy", each, factors, shifts=3).values["shift_gap"] for each in (codes, leaking)]
    assert gaps[0] == pytest.approx(0.0, abs=0.02)
    assert gaps[1] > gaps[0] + 0.1


@pytest.mark.parametrize("name", SCORES)
def test_the_same_seed_gives_the_same_score(name):
    codes, factors, rng = world(400)
    noisy = codes + 0.5 * rng.standard_normal(codes.shape)
    first, second = (score(name, noisy, factors, seed=7) for _ in range(2))
    assert first.to_dict() == second.to_dict()


@pytest.mark.gpu
@pytest.mark.parametrize("name", SCORES)
def test_cpu_and_gpu_agree(name):
    codes, factors, rng = world()
    noisy = torch.from_numpy(codes + 0.3 * rng.standard_normal(codes.shape))
    here = score(name, noisy, torch.from_numpy(factors))
    there = score(name, noisy.cuda(), torch.from_numpy(factors).cuda())
    assert there.score == pytest.approx(here.score, abs=1e-4)
    for figure, value in here.values.items():
        assert there.values[figure] == pytest.approx(value, abs=1e-4), figure
