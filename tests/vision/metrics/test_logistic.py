import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from darla.vision.metrics.core.logistic import fit_logistic, roc_auc


def clouds(rows=600, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, rows)
    codes = rng.standard_normal((classes, 3))[labels] + 0.7 * rng.standard_normal((rows, 3))
    return torch.from_numpy(codes), torch.from_numpy(labels)


def test_the_optimum_is_that_of_scikit_learn():
    codes, labels = clouds()
    probe = fit_logistic(codes, labels, 4, penalty=1.0, iterations=200, tolerance=1e-9)
    unit = ((codes - codes.mean(dim=0)) / codes.std(dim=0, correction=0)).numpy()
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=2000).fit(unit, labels.numpy())
    ours = probe.logits(codes).softmax(dim=1).numpy()
    np.testing.assert_allclose(ours, model.predict_proba(unit), atol=1e-4)


def test_forty_ordered_values_on_a_line_are_told_apart():
    labels = torch.arange(40).repeat(50)
    codes = torch.stack([labels.double(), torch.randn(2000, generator=torch.Generator().manual_seed(0)).double()], 1)
    probe = fit_logistic(codes, labels, 40)
    assert bool((probe.predict(codes) == labels).all())


def test_units_and_offsets_of_latents_change_nothing():
    codes, labels = clouds()
    moved = codes * torch.tensor([1e-6, 1.0, 1e4]) + torch.tensor([5.0, -3.0, 1e5])
    first, second = (fit_logistic(each, labels, 4).logits(each).softmax(dim=1) for each in (codes, moved))
    np.testing.assert_allclose(first, second, atol=1e-3)


def test_constant_latents_absent_classes_and_a_single_row_are_fitted():
    codes, labels = clouds(classes=3)
    padded = torch.cat([codes, torch.full((len(codes), 1), 7.0, dtype=codes.dtype)], dim=1)
    probe = fit_logistic(padded, labels, 5)
    assert bool(torch.isfinite(probe.logits(padded)).all())
    assert int(probe.predict(padded).max()) < 3
    lone = fit_logistic(codes[:1], labels[:1], 3)
    assert bool((lone.predict(codes) == labels[0]).all())


@pytest.mark.parametrize("rounded", [False, True], ids=["distinct", "ties"])
def test_areas_are_those_of_scikit_learn(rounded):
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 200)
    scores = rng.standard_normal((200, 3)) + np.eye(3)[labels]
    scores = scores.round() if rounded else scores
    areas, defined = roc_auc(torch.from_numpy(scores), torch.from_numpy(labels), 3)
    assert bool(defined.all())
    for c in range(3):
        assert float(areas[c]) == pytest.approx(roc_auc_score(labels == c, scores[:, c]), abs=1e-12)


def test_the_area_of_a_class_that_no_row_has_is_not_defined():
    areas, defined = roc_auc(torch.randn(5, 3), torch.tensor([0, 0, 1, 1, 1]), 3)
    assert defined.tolist() == [True, True, False]
    assert float(areas[2]) == 0.5
