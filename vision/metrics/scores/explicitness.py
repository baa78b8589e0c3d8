"""Explicitness (Ridgeway and Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss").

With z_j the latents and v_k the factors:

    explicitness = mean over factors k and values v of the ROC AUC of a linear classifier of [v_k = v]
"""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.logistic import fit_logistic, roc_auc
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample


def _floor(sample: Sample) -> float:
    return 0.5 if sample.preset == "dlib" else 0.0


@metric("informativeness", order=150, chance=_floor)
def explicitness(sample: Sample) -> Scores:
    """Score how well a logistic regression of all latents tells each value of a factor from the others.

    explicitness_k is the area under the ROC curve of each value against the rest, by the classifier's probability of
    that value, averaged over the values of factor k; explicitness is the mean over factors. The score is that on
    rows that were not fitted.

    Source: Ridgeway and Mozer 2018, "Learning Deep Disentangled Embeddings with the F-Statistic Loss", section 2.
    Range and chance: robust 0 to 1 with chance 0 (2 AUC - 1, below chance counts as 0); dlib 0.5 to 1 with chance 0.5.
    Cost: one convex fit of (D + 1) x n_k weights for each factor.
    Presets: dlib fits scikit-learn's LogisticRegression with its penalty and 100 iterations, which do not suffice for
    forty ordered values (a perfect code at dSprites' sizes has 0.987), and has no value where a latent is constant or
    where fitted and scored rows do not hold the same values. robust starts from the linear discriminant, all but drops
    the penalty, and averages over the values that occur. A continuous factor counts by twenty classes of equal counts.
    Failure modes: it asks for a linear reading, so it says nothing of how many latents that takes: any rotation of a
    perfect code keeps it at 1. A factor on a circle or a bent line is readable and yet scores low.

    Values: `explicitness`, `train`, `test`. Per factor: `train`, `test`.
    """
    train, test = sample.train, sample.test
    aucs = torch.zeros(2, sample.factor_count, dtype=torch.float64)
    if sample.preset == "dlib":
        refuse_continuous(sample, "explicitness")
        spread = train.codes.std(dim=0, correction=0)
        if bool(((train.codes == train.codes[:1]).all(dim=0) | (spread == 0)).any()):
            raise InputError("explicitness has no value in the dlib preset where a latent is constant")
        inputs = [(part.codes - train.codes.mean(dim=0)) / spread for part in (train, test)]
    for k, classes in enumerate(sample.sizes):
        labels = train.labels[:, k], test.labels[:, k]
        if sample.preset == "dlib":
            aucs[:, k] = _by_scikit_learn(inputs, labels)
            continue
        probe = fit_logistic(train.codes, labels[0], classes)
        for row, (part, truth) in enumerate(zip((train, test), labels, strict=True)):
            areas, defined = roc_auc(probe.logits(part.codes).log_softmax(dim=1), truth, classes)
            area = areas[defined].mean() if bool(defined.any()) else areas.new_tensor(0.5)
            aucs[row, k] = (2 * area - 1).clamp(min=0)
    return Scores(
        score=aucs[1].mean(),
        values={"train": aucs[0].mean(), "test": aucs[1].mean()},
        per_factor={"train": aucs[0], "test": aucs[1]},
    )


def _by_scikit_learn(inputs: list[Tensor], labels: tuple[Tensor, Tensor]) -> Tensor:
    known = torch.unique(labels[0])
    if len(known) < 2 or not torch.equal(known, torch.unique(labels[1])):
        raise InputError(
            "explicitness has no value in the dlib preset where a factor has one value, or fitted and scored rows "
            "do not have the same ones"
        )
    x, x_test = (each.cpu().numpy() for each in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # disentanglement_lib does not look either
        model = LogisticRegression().fit(x, labels[0].cpu().numpy())
    areas = []
    for each, truth in zip((x, x_test), labels, strict=True):
        scores = torch.from_numpy(model.predict_proba(each))
        areas.append(roc_auc(scores, torch.searchsorted(known, truth.contiguous()).cpu(), len(known))[0].mean())
    return torch.stack(areas)


def refuse_continuous(sample: Sample, name: str) -> None:
    """Refuse a continuous factor, which disentanglement_lib's classifiers cannot fit.

    Raises:
        InputError: there is one.
    """
    if any(sample.continuous):
        column = sample.continuous.index(True)
        raise InputError(f"{name} needs factors of classes in the dlib preset, and factor {column} is continuous")
