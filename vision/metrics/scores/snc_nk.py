"""SNC and NK (Mahon et al. 2024, "Correcting Flaws in Common Disentanglement Metrics").

With j(k) the latent that is matched to factor k:

    SNC = mean_k accuracy(v_k | z_j(k))
    NK  = mean_k accuracy(v_k | z) - accuracy(v_k | z without z_j(k))
"""

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.arrays import wide
from darla.vision.metrics.core.forest import Forest
from darla.vision.metrics.core.information import measure
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample
from darla.vision.metrics.scores.sap import threshold_scores

HIDDEN, EPOCHS, BATCH, RATE = 256, 20, 128, 1e-3
"""The network of the dlib preset: units, passes over the fitted rows, rows a step, Adam's learning rate."""


@metric("both", order=230)
def snc_nk(sample: Sample) -> Scores:
    """Score how well each factor is read from its own latent alone, and how badly without it.

    Factors and latents are matched one to one so that mutual information is largest. SNC (single-neuron
    classification) is the accuracy of predicting a factor from its latent alone; NK (neuron knockout) is by how much
    the accuracy of a non-linear reader of all latents falls when that latent is taken away. The score is SNC.

    Source: Mahon et al. 2024, "Correcting Flaws in Common Disentanglement Metrics".
    Range: 0 to 1. Chance: 0 in the robust preset, the mean of 1 / n_k in the other. Cost: that of `sap`, and two fits
    of a reader for each factor.
    Presets: robust reads a factor from its latent with the best n_k - 1 thresholds, and from all latents with the trees
    of `dci`; both are scored on rows that were not fitted and rescaled, so that guessing has 0. A factor that is left
    without a latent has SNC 0 and NK 0. dlib stands for the authors' code (disentanglement_lib has no such score):
    n_k bins of equal counts, each of which stands for another class, scored on all rows, and a network with 256 hidden
    units. Bins of equal counts cut through a class when classes are not equally frequent. Fewer latents than
    factors are refused.
    Failure modes: a factor of n_k values on a circle or in a bent order needs more thresholds than it gets. NK is 0
    where a factor is held twice: read `dci` completeness beside it.

    Values: `snc_nk`, `snc`, `nk`. Per factor: `snc`, `nk`, `latent` (the matched column, -1 for none). Matrix: how well
    each latent alone predicts each factor (robust).
    """
    if sample.preset == "dlib":
        if sample.latent_count < sample.factor_count:
            raise InputError(
                f"snc_nk needs a latent for each of {sample.factor_count} factors in the dlib preset, "
                f"not {sample.latent_count}"
            )
        return _by_bins(sample)
    relation = threshold_scores(sample)
    latents, factors = linear_sum_assignment(-sample.information.mutual.cpu().numpy())
    matched = {int(k): int(j) for j, k in zip(latents, factors, strict=True)}
    snc, nk = (torch.zeros(sample.factor_count, dtype=torch.float64) for _ in range(2))
    column = torch.full((sample.factor_count,), -1.0, dtype=torch.float64)
    for k, j in matched.items():
        column[k] = float(sample.latents[j])
        snc[k] = relation[j, k]
        others = [other for other in range(sample.latent_count) if other != j]
        known = Forest(sample, k).informativeness()[1]
        without = Forest(sample, k, others).informativeness()[1] if others else 0.0
        nk[k] = max(0.0, known - without)
    return Scores(
        score=snc.mean(),
        values={"snc": snc.mean(), "nk": nk.mean()},
        per_factor={"snc": snc, "nk": nk, "latent": column},
        matrix=relation,
        chance=0.0,
    )


def _by_bins(sample: Sample) -> Scores:
    k_count = sample.factor_count
    bins = [_equal_counts(sample.codes, size) for size in sample.sizes]
    mutual = torch.cat([measure(b, sample.labels[:, k : k + 1]).mutual for k, b in enumerate(bins)], dim=1)
    latents, factors = linear_sum_assignment(-mutual.cpu().numpy())
    matched = np.empty(k_count, dtype=np.int64)
    matched[factors] = latents
    snc = torch.zeros(k_count, dtype=torch.float64)
    for k, size in enumerate(sample.sizes):
        pairs = bins[k][:, int(matched[k])] * size + sample.labels[:, k]
        table = torch.bincount(pairs, minlength=size * size).view(size, size).cpu()
        rows, columns = linear_sum_assignment(-table.numpy())
        snc[k] = float(table[rows, columns].sum()) / len(sample)
    nk = _knocked_out(sample, matched)
    return Scores(
        score=snc.mean(),
        values={"snc": snc.mean(), "nk": nk.mean()},
        per_factor={"snc": snc, "nk": nk, "latent": torch.from_numpy(matched).to(torch.float64)},
        chance=float(np.mean([1 / size for size in sample.sizes])),
    )


def _equal_counts(codes: Tensor, count: int) -> Tensor:
    """Return bins with edges at the quantiles of each column, int64 (N, D)."""
    ordered = codes.T.sort(dim=1).values
    places = torch.arange(1, count, device=codes.device) * len(codes) // count
    return torch.searchsorted(ordered[:, places].contiguous(), codes.T.contiguous(), right=True).T


def _knocked_out(sample: Sample, matched: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Tensor:
    """Return how much accuracy a network loses without the matched latent, (K,); all networks are fitted at once."""
    train, test = sample.train, sample.test
    networks, inputs, outputs = 2 * sample.factor_count, sample.latent_count, max(sample.sizes)
    kept = torch.ones(networks, 1, inputs, dtype=torch.float32, device=sample.device)
    for k, j in enumerate(matched):
        kept[sample.factor_count + k, 0, int(j)] = 0.0
    mean, spread = train.codes.mean(dim=0), train.codes.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)
    x, x_test = (((part.codes - mean) / spread).to(torch.float32) for part in (train, test))
    y, y_test = (part.labels.T.repeat(2, 1) for part in (train, test))
    rng = sample.rng("snc-nk")

    def drawn(*shape: int, fan: int) -> Tensor:
        bound = fan**-0.5
        return torch.from_numpy(rng.uniform(-bound, bound, shape)).to(x).requires_grad_()

    weights = [
        drawn(networks, inputs, HIDDEN, fan=inputs),
        drawn(networks, 1, HIDDEN, fan=inputs),
        drawn(networks, HIDDEN, outputs, fan=HIDDEN),
        drawn(networks, 1, outputs, fan=HIDDEN),
    ]
    optimizer = torch.optim.Adam(weights, lr=RATE)
    sizes = torch.tensor(sample.sizes * 2, device=sample.device)
    absent = torch.arange(outputs, device=sample.device)[None, None, :] >= sizes[:, None, None]

    def answer(rows: Tensor) -> Tensor:
        hidden = torch.baddbmm(weights[1], rows * kept, weights[0]).relu()
        return torch.baddbmm(weights[3], hidden, weights[2]).masked_fill(absent, -torch.inf)

    for _ in range(EPOCHS):
        for rows in torch.split(torch.from_numpy(rng.permutation(len(x))).to(sample.device), BATCH):
            optimizer.zero_grad()
            logits = answer(x[rows].expand(networks, -1, -1))
            chosen = logits.log_softmax(dim=2).gather(2, y[:, rows, None])
            (-chosen.mean(dim=1).sum()).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        right = (answer(x_test.expand(networks, -1, -1)).argmax(dim=2) == y_test).to(wide(y_test.device)).mean(dim=1)
    return right[: sample.factor_count] - right[sample.factor_count :]
