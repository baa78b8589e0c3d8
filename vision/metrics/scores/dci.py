"""DCI (Eastwood and Williams 2018, "A Framework for the Quantitative Evaluation of Disentangled Representations").

With R_jk the importance of latent j for predicting factor k, and H_b the entropy to base b:

    D_j = 1 - H_K(R_j. / sum_k R_jk)    disentanglement, averaged with weights sum_k R_jk / sum R
    C_k = 1 - H_D(R_.k / sum_j R_jk)    completeness
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.ensemble import GradientBoostingClassifier

from darla.common import InputError
from darla.vision.metrics.core.forest import Forest
from darla.vision.metrics.core.permutation_importance import PermutationImportance
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.scores.explicitness import refuse_continuous
from darla.vision.metrics.scores.med import concentration

Array = np.ndarray[Any, Any]
PERMUTATIONS = 3
"""How often a latent is dealt out to other rows to see what is lost without it."""
ERRORS = 3.0
"""Standard errors that a loss must exceed to count."""


@metric("modularity", order=110)
def dci(sample: Sample) -> Scores:
    """Measure whether a latent matters to one factor only, a factor needs one latent only, and factors are predicted.

    For each factor a non-linear model predicts it from all latents; R_jk says how much latent j matters to it.
    D_j = 1 - H_K(R_j. / sum_k R_jk), disentanglement D = sum_j D_j sum_k R_jk / sum R;
    C_k = 1 - H_D(R_.k / sum_j R_jk), completeness C; H_b is entropy to base b. The score is D.
    Informativeness is how well the models predict, on the rows that were fitted and on others.

    Source: Eastwood and Williams 2018, "A Framework for the Quantitative Evaluation of Disentangled Representations",
    section 2; gradient-boosted classifiers as in Locatello et al. 2019.
    Range: 0 to 1. Chance: 0. Cost: robust, 50 trees for each factor and three predictions of the scored rows for each
    latent they use; dlib, 100 trees for each class, minutes at dSprites' sizes.
    Presets: robust fits extremely randomized trees (regression trees to a continuous factor) on ranks of the codes.
    R_jk is what the held-out squared error of the predicted class probabilities (of the value, for a continuous
    factor) grows by when latent j is dealt out to other rows (Breiman 2001); what is within three standard errors of
    nothing is 0, so latents that are noise get no weight at any sample size. Columns are scaled to the share of the
    factor that is predicted; so a factor that is not predicted has C_k = 0, gives no latent weight in D, and cannot
    pass unseen. C is the plain mean. Informativeness is rescaled: 0 for the most frequent value or the mean, 1 for all
    right. dlib fits GradientBoostingClassifier with its defaults, the same calls as disentanglement_lib's: R is
    impurity importance on fitted rows, so that noise latents get weight that shrinks with N (never compare scores of
    different N), each column sums to 1 whether the factor is predicted or not, informativeness is plain accuracy, and
    latents that do not move raise C by the base of its logarithm.
    Failure modes: duplicated latents share a factor's importance, and C falls. D does not look at informativeness in
    the dlib preset: a code that has lost a factor has D = 0.88. Trees predict sums of many latents poorly.

    Values: `dci`, `disentanglement`, `completeness`, `informativeness_train`, `informativeness_test`. Per factor:
    `completeness`, `informativeness_train`, `informativeness_test`. Per latent: `disentanglement`, `importance`
    (share). Matrix: R.
    """
    fits = [_boosted(sample, k) if sample.preset == "dlib" else _forest(sample, k) for k in range(sample.factor_count)]
    relation = np.stack([fit.importance for fit in fits], axis=1)
    seen, unseen = (np.array([getattr(fit, name) for fit in fits]) for name in ("train", "test"))
    per_latent, per_factor = (concentration(torch.from_numpy(each)).numpy() for each in (relation, relation.T))
    total = relation.sum()
    importance = relation.sum(axis=1) / total if total > 0 else np.full(len(relation), 1 / len(relation))
    disentanglement = float((importance * per_latent).sum())
    if sample.preset == "dlib" and total > 0:
        completeness = float((per_factor * relation.sum(axis=0)).sum() / total)
    else:
        completeness = float(per_factor.mean())
    return Scores(
        score=disentanglement,
        values={
            "disentanglement": disentanglement,
            "completeness": completeness,
            "informativeness_train": float(seen.mean()),
            "informativeness_test": float(unseen.mean()),
        },
        per_factor={"completeness": per_factor, "informativeness_train": seen, "informativeness_test": unseen},
        per_latent={"disentanglement": per_latent, "importance": importance},
        matrix=relation,
    )


@dataclass(frozen=True)
class _Fit:
    importance: Array
    """(D,)"""
    train: float
    test: float


def _boosted(sample: Sample, k: int) -> _Fit:
    refuse_continuous(sample, "dci")
    train, test = sample.train, sample.test
    labels, truth = train.labels[:, k].cpu().numpy(), test.labels[:, k].cpu().numpy()
    codes, others = train.codes.cpu().numpy(), test.codes.cpu().numpy()
    if labels.min() == labels.max():
        raise InputError(f"dci needs factors of at least two values in the dlib preset, and factor {k} has one")
    if max(np.abs(codes).max(), np.abs(others).max()) > np.finfo(np.float32).max:
        raise InputError("dci needs codes within single precision in the dlib preset")
    model = GradientBoostingClassifier(random_state=sample.seed % 2**32)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)
        model.fit(codes, labels)
    return _Fit(
        importance=np.abs(model.feature_importances_),
        train=float((model.predict(codes) == labels).mean()),
        test=float((model.predict(others) == truth).mean()),
    )


def _forest(sample: Sample, k: int) -> _Fit:
    forest = Forest(sample, k)
    read = PermutationImportance(forest)
    rows = len(forest.test_targets)
    rng = sample.rng("dci", "permutations", int(sample.measured[k]))
    orders = [rng.permutation(rows) for _ in range(PERMUTATIONS)]
    missed = read.errors()
    lost = np.zeros(sample.latent_count)
    for j in np.flatnonzero(forest.used):
        growth = read.errors_without(int(j), orders).mean(axis=0) - missed
        mean, error = float(growth.mean()), float(growth.std() / np.sqrt(rows))
        lost[j] = mean if mean > ERRORS * error else 0.0
    explained = max(0.0, 1.0 - float(missed.mean()) / forest.unknowing) if forest.unknowing > 0 else 0.0
    importance = lost * explained / lost.sum() if lost.sum() > 0 else lost
    return _Fit(importance, *forest.informativeness())
