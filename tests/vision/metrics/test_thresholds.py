import itertools

import numpy as np
import pytest
import torch

from darla.vision.metrics.core.thresholds import balanced_accuracy, best_thresholds, cells_of, cut_points


def by_brute_force(cells, labels, classes, count, pieces):
    """Try every way to put thresholds and every answer between them."""
    best = 0.0
    for used in range(1, pieces + 1):
        for edges in itertools.combinations(range(1, count), used - 1):
            bounds = (0, *edges, count)
            for answers in itertools.product(range(classes), repeat=used):
                table = np.repeat(answers, np.diff(bounds))
                right = table[cells] == labels
                best = max(best, np.mean([right[labels == c].mean() for c in range(classes)]))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_no_classifier_by_thresholds_is_better(seed):
    rng = np.random.default_rng(seed)
    classes, count, pieces = 3, 6, 2 + seed % 2
    labels = np.concatenate([np.arange(classes), rng.integers(0, classes, 30)])
    cells = rng.integers(0, count, (2, len(labels)))
    result = best_thresholds(torch.from_numpy(cells), torch.from_numpy(labels), classes, count, pieces)
    assert result.shape == (2, count)
    for row, answers in zip(cells, result, strict=True):
        accuracy, _ = balanced_accuracy(answers[torch.from_numpy(row)][None], torch.from_numpy(labels), classes)
        assert float(accuracy[0]) == pytest.approx(by_brute_force(row, labels, classes, count, pieces), abs=1e-6)
        assert int((answers[1:] != answers[:-1]).sum()) <= pieces - 1


def test_a_shuffled_order_of_values_is_told_apart_with_one_interval_each():
    values = torch.arange(12).repeat(20)
    codes = torch.tensor([3.0, -1, 7, 0, 9, 2, 11, 4, -5, 8, 1, 6], dtype=torch.float64)[values][:, None]
    cuts = cut_points(codes)
    answers = best_thresholds(cells_of(codes, cuts), values, 12, cuts.shape[1] + 1)
    accuracy, _ = balanced_accuracy(answers.gather(1, cells_of(codes, cuts)), values, 12)
    assert float(accuracy[0]) == 1.0


def test_few_values_are_cut_between_all_of_them_and_many_at_quantiles():
    few = torch.tensor([[0.0], [0.0], [1.0], [5.0]])
    np.testing.assert_allclose(cut_points(few), [[0.5, 3.0]])
    many = torch.linspace(0, 1, 1001, dtype=torch.float64)[:, None]
    cuts = cut_points(many, cells=10)
    assert cuts.shape == (1, 9)
    np.testing.assert_allclose(cuts[0], np.arange(1, 10) / 10, atol=2e-3)


def test_columns_with_fewer_values_are_filled_up_with_cuts_that_nothing_reaches():
    codes = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 2.0]])
    cuts = cut_points(codes)
    assert torch.isinf(cuts[0, 1])
    assert cells_of(codes, cuts).tolist() == [[0, 0, 1], [0, 1, 2]]


def test_guessing_errs_by_the_stated_deviation():
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.integers(0, 4, 400))
    answers = torch.from_numpy(rng.integers(0, 4, (2000, 400)))
    accuracy, error = balanced_accuracy(answers, labels, 4)
    assert float(accuracy.mean()) == pytest.approx(0.25, abs=0.003)
    assert float(accuracy.std()) == pytest.approx(float(error), rel=0.1)
