"""InfoMEC (Hsu et al. 2023, "Disentanglement via Latent Quantization"), in units of information.

With N_jk = I(z_j; v_k) / H(v_k) over A active latents:

    InfoM = (mean_j max_k N_jk / sum_k N_jk - 1/K) / (1 - 1/K)
    InfoC = (mean_k max_j N_jk / sum_j N_jk - 1/A) / (1 - 1/A)
    InfoE = mean_k (H(v_k) - H(v_k | z)) / H(v_k)    by a linear probe
"""

import math

import torch
from torch import Tensor

from darla.vision.metrics.core.information import column_entropy, ratio
from darla.vision.metrics.core.logistic import fit_logistic
from darla.vision.metrics.core.neighbors import with_classes, with_numbers
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample, SampleSplit

RANGE = 1 / 20
"""Share of the largest range that a latent's range must exceed to be active in the paper's code."""
JITTER = 1e-10
"""Noise that keeps equal values apart for nearest neighbors, in standard deviations, as in scikit-learn."""


@metric("modularity", order=60, chance="permuted")
def infomec(sample: Sample) -> Scores:
    """Measure whether latents hold one factor (M), factors are in one latent (C), and a line reads them (E).

    With N_jk = I(z_j; v_k) / H(v_k) over active latents, of which there are A:
    InfoM = (mean_j (max_k N_jk / sum_k N_jk) - 1/K) / (1 - 1/K);
    InfoC = (mean_k (max_j N_jk / sum_j N_jk) - 1/A) / (1 - 1/A);
    InfoE = mean_k (H(v_k) - H(v_k | z)) / H(v_k), entropies as far as a linear probe finds them (V-information).

    Source: Hsu et al. 2023, "Disentanglement via Latent Quantization", section 4.
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows. Cost: robust, shared with
    `mig`, and one probe for each factor; dlib, ten passes over N rows for each factor as well.
    Presets: dlib follows the authors' code: a latent is active if its range exceeds a twentieth of the largest,
    information is by nearest neighbors (Ross; Kraskov where the factor is continuous), and the probe is scored on the
    rows that it was fitted on. An active latent without information makes InfoM 0/0, which is refused; a factor without
    information, or a single active latent, makes InfoC 0/0, which is left out. robust takes the latents that hold
    information for active, mutual information corrected for chance, held-out rows for E; a factor without information
    counts 0 for C, one factor or one active latent that hold information count 1, and E is 0 where a probe is worse
    than none.
    Failure modes: a share of little information counts as much as one of all. E asks for a line: a factor held
    in a curve is worth less.

    Values: `infomec` and `infom` (the same), `infoc`, `infoe`. Per factor: `compactness`, `explicitness`. Per latent:
    `modularity`, `informative`. Matrix: N_jk.
    """
    if sample.preset == "dlib":
        relation, held = _by_neighbors(sample)
    else:
        relation = sample.information.normalized
        held = relation.amax(dim=1) > 0
    kept = relation[held]
    explicit = torch.stack([_explicitness(sample, k) for k in range(sample.factor_count)])
    each = torch.zeros_like(relation[:, 0])
    each[held] = _share(kept, sample.preset)
    columns = _share(kept.T, sample.preset) if len(kept) else torch.zeros_like(relation[0])
    modularity = each[held].mean() if len(kept) else (float("nan") if sample.preset == "dlib" else 0.0)
    return Scores(
        score=modularity,
        values={"infom": modularity, "infoc": columns.mean(), "infoe": explicit.mean()},
        per_factor={"compactness": columns, "explicitness": explicit},
        per_latent={"modularity": each, "informative": held},
        matrix=relation,
    )


def _share(relation: Tensor, preset: str) -> Tensor:
    """Return the largest entry's share of each row, 0 for an even row and 1 for a single entry."""
    total, count = relation.sum(dim=1), relation.shape[1]
    if preset == "dlib":
        return (relation.amax(dim=1) / total - 1 / count) / (1 - 1 / count if count > 1 else float("nan"))
    if count == 1:
        return (total > 0).to(relation.dtype)
    return torch.where(total > 0, (ratio(relation.amax(dim=1), total) - 1 / count) / (1 - 1 / count), 0.0)


def _by_neighbors(sample: Sample) -> tuple[Tensor, Tensor]:
    span = sample.codes.amax(dim=0) - sample.codes.amin(dim=0)
    held = span > RANGE * span.max()
    codes = _apart(sample, sample.standardized, "codes")
    columns = []
    for k in range(sample.factor_count):
        labels = sample.labels[:, k]
        if sample.continuous[k]:
            values = _apart(sample, sample.values[:, k : k + 1] / sample.values[:, k].std(), "factor", k)
            again = _apart(sample, sample.values[:, k : k + 1] / sample.values[:, k].std(), "copy", k)
            columns.append(with_numbers(codes, values[:, 0]) / with_numbers(again, values[:, 0]))
        else:
            columns.append(with_classes(codes, labels) / column_entropy(labels[:, None]))
    return torch.stack(columns, dim=1), held


def _apart(sample: Sample, columns: Tensor, *names: str | int) -> Tensor:
    noise = torch.from_numpy(sample.rng("infomec", *names).standard_normal(tuple(columns.shape))).to(columns)
    return columns + JITTER * columns.abs().mean(dim=0).clamp(min=1) * noise


def _explicitness(sample: Sample, k: int) -> Tensor:
    whole = SampleSplit(sample.codes, sample.labels, sample.values)
    train, test = (whole, whole) if sample.preset == "dlib" else sample.parts
    center, scale = train.codes.mean(dim=0), train.codes.std(dim=0, correction=0)
    still = (train.codes == train.codes[:1]).all(dim=0) | (scale == 0)
    inputs, asked = (torch.where(still, 0.0, ratio(part.codes - center, scale.expand_as(part.codes)))
                     for part in (train, test))  # fmt: skip
    if sample.continuous[k]:
        y, truth = train.values[:, k], test.values[:, k]
        left = torch.cat([inputs, torch.ones_like(inputs[:, :1])], dim=1)
        ridge = 1e-9 * len(left) * torch.eye(left.shape[1], dtype=left.dtype, device=left.device)
        unit = y.abs().max().clamp(min=torch.finfo(y.dtype).tiny)
        weights = torch.linalg.solve(left.T @ left + ridge, left.T @ (y / unit))
        miss = (truth / unit - torch.cat([asked, torch.ones_like(asked[:, :1])], dim=1) @ weights).square().sum()
        none = (truth / unit - (y / unit).mean()).square().sum()
    else:
        size = sample.sizes[k]
        labels, truth = train.labels[:, k], test.labels[:, k]
        logits = fit_logistic(inputs, labels, size).logits(asked)
        miss = torch.nn.functional.cross_entropy(logits, truth)
        if sample.preset == "dlib":
            none = torch.full_like(miss, math.log(size))  # of a probe of balanced classes that sees nothing
        else:
            counts = torch.bincount(labels, minlength=size).to(miss) + 0.5
            none = -(counts / counts.sum()).log()[truth].mean()
    return 1 - miss / none if sample.preset == "dlib" else (1 - ratio(miss, none)).clamp(min=0) * (none > 0)
