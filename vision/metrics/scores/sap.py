"""SAP (Kumar et al. 2018, "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations").

With z_j the latents and v_k the factors:

    SAP = mean_k (S_(1)k - S_(2)k),    S_jk how well latent j alone predicts factor k
"""

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.core.thresholds import ERRORS, balanced_accuracy, best_thresholds, cells_of, cut_points
from darla.vision.metrics.scores.mig import gap


@metric("compactness", order=120)
def sap(sample: Sample) -> Scores:
    """Measure by how much the latent that predicts a factor best is ahead of the next one.

    SAP = mean_k (S_(1)k - S_(2)k), where S_jk says how well latent j alone predicts factor k.

    Source: Kumar et al. 2018, "Variational Inference of Disentangled Latent Concepts from Unlabeled Observations",
    section 3: thresholds on the latent with the least balanced error for a factor of classes, the squared correlation
    for a continuous one.
    Range: 0 to 1. Chance: 0. Cost: robust, D n_k^2 operations at each of at most 1,024 positions for each factor; dlib,
    D K support vector machines.
    Presets: robust is the paper's: S_jk is the balanced accuracy, on rows that were not fitted, of the best classifier
    with n_k - 1 thresholds, computed exactly, rescaled so that guessing has 0; what is not three standard errors
    above guessing is 0. A continuous factor counts by its twenty classes of equal counts. One latent's gap is to 0.
    dlib: S_jk is the accuracy of scikit-learn's LinearSVC(C=0.01, class_weight="balanced"). A line cannot single out
    an inner class, so a perfect code has 0.48 for factor sizes [3, 6, 8, 8] and 0.25 at dSprites'; the score depends
    on the codes' scale, and differs by 0.02 from seed to seed. Where a factor is continuous, and for `sap_continuous`
    in any case, it is the squared correlation over all fitted rows. One latent is refused.
    Failure modes: a factor held twice has gap 0, though nothing is entangled; a latent may be first for two factors.
    A factor that is not monotone along its latent, such as an angle in its sine, needs more thresholds than it gets.

    Values: `sap`; in the dlib preset `sap_continuous`. Per factor: `gap`, `best` (column of the latent). Matrix: S.
    """
    if sample.preset == "dlib":
        by_correlation = _squared_correlations(sample)
        relation = by_correlation.clone()
        for k, continuous in enumerate(sample.continuous):
            if not continuous:
                relation[:, k] = _by_support_vectors(sample, k)
        values = {"sap_continuous": gap(sample, by_correlation).mean()}
    else:
        relation, values = threshold_scores(sample), {}
    gaps = gap(sample, relation)
    best = sample.latents[relation.argmax(dim=0).cpu()].to(torch.float64)
    return Scores(score=gaps.mean(), values=values, per_factor={"gap": gaps, "best": best}, matrix=relation)


def threshold_scores(sample: Sample) -> Tensor:
    """Return how well the best thresholds on each latent alone predict each factor, (D, K); guessing has 0."""
    train, test = sample.train, sample.test
    cuts = cut_points(train.codes)
    fitted, scored = cells_of(train.codes, cuts), cells_of(test.codes, cuts)
    columns = []
    for k, classes in enumerate(sample.sizes):
        answers = best_thresholds(fitted, train.labels[:, k], classes, cuts.shape[1] + 1)
        accuracy, error = balanced_accuracy(answers.gather(1, scored), test.labels[:, k], classes)
        ahead = accuracy - 1 / classes
        columns.append(torch.where(ahead > ERRORS * error, ahead / (1 - 1 / classes), 0.0))
    return torch.stack(columns, dim=1)


def _by_support_vectors(sample: Sample, k: int) -> Tensor:
    train, test = sample.train, sample.test
    labels, truth = train.labels[:, k].cpu().numpy(), test.labels[:, k].cpu().numpy()
    if labels.min() == labels.max():
        raise InputError(f"sap needs factors of at least two values in the dlib preset, and factor {k} has one")
    accuracies = []
    for j in range(sample.latent_count):
        model = LinearSVC(C=0.01, class_weight="balanced", random_state=sample.seed % 2**32)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # disentanglement_lib does not look either
            model.fit(train.codes[:, j : j + 1].cpu().numpy(), labels)
        accuracies.append(float((model.predict(test.codes[:, j : j + 1].cpu().numpy()) == truth).mean()))
    return sample.codes.new_tensor(accuracies)


def _squared_correlations(sample: Sample) -> Tensor:
    train = sample.train
    codes, values = (each - each.mean(dim=0) for each in (train.codes, train.values))
    shared = (codes.T @ values).square() / max(len(train) - 1, 1) ** 2
    of_codes, of_values = codes.var(dim=0), values.var(dim=0)
    if len(train) < 2 or bool((of_values == 0).any()):
        raise InputError("sap needs two rows to fit and factors of at least two values in the dlib preset")
    below = of_codes[:, None] * of_values
    return torch.where((of_codes > 1e-12)[:, None], shared / torch.where(below > 0, below, 1.0), 0.0)
