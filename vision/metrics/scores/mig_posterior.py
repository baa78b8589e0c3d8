"""MIG of posteriors (Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs"), the paper's own estimator.

With z_j the latents and v_k the factors:

    I(z_j; v_k) = E [log q(z_j | v_k) - log q(z_j)],    q(z_j) = (1/N) sum_n q(z_j | x_n)
    MIG = mean_k (I(z_(1); v_k) - I(z_(2); v_k)) / H(v_k)
"""

import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.arrays import is_whole
from darla.vision.metrics.core.information import column_entropy, ratio
from darla.vision.metrics.core.registry import Requirements, metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.scores.mig import gap

WIDEST = 40.0
"""Log-variances are held within plus and minus this: a deviation of e^20 is endless, and one of e^-20 a point."""
_CELLS = 2**22
"""Densities held at once."""


@metric("compactness", order=30, chance="permuted", needs=Requirements(rows=("log_variances",)))
def mig_posterior(sample: Sample, *, samples: int = 2000) -> Scores:
    """Measure the gap of `mig` with the mutual information of what the encoder emits, noise included.

    q(z_j) = (1/N) sum_n q(z_j | x_n); q(z_j | v) = the same mean over the N_v images with v_k = v;
    I(z_j; v_k) = E log q(z_j | v_k) - log q(z_j), over images drawn and one z_j drawn from the posterior of each;
    score = mean_k (I_(1)k - I_(2)k) / H(v_k). Codes are the posteriors' means; all rows are in every mean.

    Source: Chen et al. 2018, "Isolating Sources of Disentanglement in VAEs", section 4.1 and appendix B. Public copies
    of the estimator reshape samples where they should be transposed, and come out near 0.
    Range: 0 to 1. Chance: measured, by dealing the factors out to other rows. Cost: `samples` x N densities
    for each latent, and about as many again for the factors; twice more in the robust preset.
    Presets: dlib is the paper's. As an image is in the mean that it is compared with, narrow posteriors of noise look
    as if they held every factor when rows are few for each value. robust removes what the same posteriors
    yield with the factors dealt out, as `information` does for classes, and leaves out latents that do not move.
    Failure modes: those of `mig`; on part of a data set it is the score of that part.

    Options:
        samples: draws of an image and a code; the paper takes 10,000. No more than N are used.

    Values: `mig_posterior`. Per factor: `gap`. Matrix: I / H.

    Raises:
        InputError: log_variances are not of the codes' shape, or samples is not a whole number from 1 up.
    """
    if not is_whole(samples) or samples < 1:
        raise InputError(f"samples must be a whole number from 1 up, not {samples!r}")
    spread = sample.rows["log_variances"]
    if spread.ndim != 2 or int(sample.latents.max()) >= spread.shape[1]:
        raise InputError(f"log_variances must be of the shape of codes, not {tuple(spread.shape)}")
    spread = spread[:, sample.latents.to(spread.device)].clamp(-WIDEST, WIDEST)
    rng = sample.rng("mig_posterior")
    n = len(sample)
    rows = torch.from_numpy(rng.permutation(n)[:samples]).to(sample.device)
    noise = torch.from_numpy(rng.standard_normal((len(rows), sample.latent_count))).to(sample.codes)
    drawn = sample.codes[rows] + noise * (spread[rows] / 2).exp()
    labels = [sample.labels]
    if sample.preset == "robust":
        orders = [torch.from_numpy(rng.permutation(n)).to(sample.device) for _ in range(2)]
        labels += [sample.labels[order] for order in orders]
    estimates = [torch.stack([_information(drawn[:, j], rows, sample.codes[:, j], spread[:, j], marks)
                          for j in range(sample.latent_count)]) for marks in labels]  # fmt: skip
    entropies = column_entropy(sample.labels)
    mutual = estimates[0]
    if sample.preset == "robust":
        by_chance = torch.stack(estimates[1:]).mean(dim=0).clamp(min=0)
        room = entropies - by_chance
        mutual = torch.where(room > 1e-9, (mutual - by_chance) * entropies / room.clamp(min=1e-9), 0.0)
        mutual = torch.minimum(mutual.clamp(min=0), entropies.expand_as(mutual))
    gaps = gap(sample, mutual)
    scores = gaps / entropies if sample.preset == "dlib" else ratio(gaps, entropies)
    return Scores(score=scores.mean(), per_factor={"gap": scores}, matrix=ratio(mutual, entropies.expand_as(mutual)))


def _information(drawn: Tensor, rows: Tensor, means: Tensor, spread: Tensor, labels: Tensor) -> Tensor:
    """Return I(z; v_k) of one latent from draws (S,) made at `rows`, (K,)."""
    whole = _log_density(drawn, means, spread)
    estimates = []
    for k in range(labels.shape[1]):
        own = labels[rows, k]
        inside = torch.empty_like(whole)
        for value in torch.unique(own).tolist():
            images, draws = labels[:, k] == value, own == value
            inside[draws] = _log_density(drawn[draws], means[images], spread[images])
        estimates.append((inside - whole).mean())
    return torch.stack(estimates)


def _log_density(drawn: Tensor, means: Tensor, spread: Tensor) -> Tensor:
    """Return the log-density of draws (S,) under the mean of Gaussians (M,), without its constant, (S,)."""
    precision = (-spread).exp()
    parts = []
    for some in torch.split(drawn, max(1, _CELLS // len(means))):
        logs = (some[:, None] - means).square_().mul_(precision).add_(spread).mul_(-0.5)
        parts.append(torch.logsumexp(logs, dim=1))
    return torch.cat(parts) - torch.tensor(float(len(means))).log()
