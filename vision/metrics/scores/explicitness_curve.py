"""Explicitness of DCI-ES (Eastwood et al. 2023): how small a probe suffices?

With l(kappa) the least held-out loss of probes of capacity up to kappa, and l* the least of all:

    E_k = 1 - 2 int (l(kappa) - l*) dkappa / Z
"""

import numpy as np
import torch
from torch import Tensor

from darla.vision.metrics.core.logistic import fit_logistic
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample, SampleSplit

FEATURES = (0, 4, 16, 64, 256)
"""Random features of the probes, a step of capacity each; without any, the probe is linear."""
PROBES = ((1e-6, 1e-4), (1.0, 0.1))
"""Penalties, with the shrinkage that each starts from; the better one counts at each capacity."""
ROWS = 5000
"""Rows that are fitted, and that are scored, at most."""
KNOWN = 0.01
"""Share of the loss that must be gone for a factor to count as read at all in the robust preset."""


@metric("informativeness", order=220, chance=lambda sample: 0.0 if sample.preset == "robust" else 1.0)
def explicitness_curve(sample: Sample) -> Scores:
    """Score how early the loss falls as probes of a factor grow: 1 if the smallest probe reads all that any can.

    l(kappa) is the least held-out loss of probes of capacity up to kappa, l* the least of all, l_b that of a probe
    without codes. E_k = 1 - 2 int (l - l*) / Z, with Z the range of kappa times l_b - l*: the area of a loss that falls
    along a straight line. The score is the mean over factors.

    Source: Eastwood et al. 2023, "DCI-ES: An Extended Disentanglement Framework with Connections to Identifiability",
    section 4. Probes are multinomial logistic regressions of the latents and 0, 4, 16, 64 or 256 random Fourier
    features of them (Rahimi and Recht 2007), nested; their loss is cross-entropy; kappa counts the steps.
    Range: -1 to 1: 0 for a loss that falls along a straight line, below it for one that falls late. Chance: 0 in the
    robust preset. Cost: ten convex fits for each factor, on at most 5,000 rows.
    Presets: robust normalizes by l_b - l*, and gives a factor 0 of whose loss no probe takes a hundredth. dlib stands
    for the authors' code (disentanglement_lib has no such score), which divides by l_b: codes that no probe can read
    then have 1, and its chance level says so. A continuous factor counts by its twenty classes of equal counts.
    Failure modes: it does not say how much is read; `informativeness` beside it does. It depends on the kind of probe,
    so compare only what came from the same one.

    Values: `explicitness_curve`, `informativeness` (mean of 1 - l* / l_b), `linear` (that of the linear probe), `size`
    (K / D, the S of DCI-ES). Per factor: `explicitness`, `informativeness`, `linear`.
    """
    rng = sample.rng("explicitness curve")
    train, test = (_few(part, rng) for part in (sample.train, sample.test))
    inputs = _features(train.codes, test.codes, rng)
    # l[k, step], in units of l_b
    losses = torch.ones(sample.factor_count, len(FEATURES), dtype=torch.float64)
    for k, classes in enumerate(sample.sizes):
        labels, truth = train.labels[:, k], test.labels[:, k]
        # One row of each class is added, so that no class of the scored rows is impossible.
        prior = (torch.bincount(labels, minlength=classes) + 1.0) / (len(labels) + classes)
        usual = -prior.log()[truth].mean()
        for step, count in enumerate(FEATURES):
            width = train.codes.shape[1] + count
            fitted, scored = (each[:, :width] for each in inputs)
            for penalty, shrinkage in PROBES:
                probe = fit_logistic(
                    fitted, labels, classes, penalty=penalty, shrinkage=shrinkage, iterations=30, tolerance=1e-5
                )
                log_p = probe.logits(scored).log_softmax(dim=1)
                # A thousandth of the prior: a probe that is sure and wrong has a finite loss.
                mixed = torch.logaddexp(log_p + np.log(0.999), prior.log() + np.log(0.001))
                loss = -mixed.gather(1, truth[:, None]).mean()
                losses[k, step:] = losses[k, step:].clamp(max=float(loss / usual) if usual > 0 else 1.0)
    least = losses[:, -1]
    above = losses - least[:, None]
    area = torch.trapezoid(above, dim=1)
    known = 1.0 - least
    room = (len(FEATURES) - 1) * (known if sample.preset == "robust" else torch.ones_like(known))
    read = known > KNOWN if sample.preset == "robust" else torch.ones_like(known, dtype=torch.bool)
    explicitness = torch.where(read, 1.0 - 2.0 * area / torch.where(read, room, 1.0), 0.0)
    return Scores(
        score=explicitness.mean(),
        values={
            "informativeness": known.mean(),
            "linear": (1.0 - losses[:, 0]).mean(),
            "size": sample.factor_count / sample.latent_count,
        },
        per_factor={"explicitness": explicitness, "informativeness": known, "linear": 1.0 - losses[:, 0]},
    )


def _few(part: SampleSplit, rng: np.random.Generator) -> SampleSplit:
    if len(part) <= ROWS:
        return part
    return part.take(torch.from_numpy(rng.permutation(len(part))[:ROWS]).to(part.codes.device))


def _features(codes: Tensor, others: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return the standardized latents with random Fourier features of three widths behind them."""
    latents = codes.shape[1]
    mean, spread = codes.mean(dim=0), codes.std(dim=0, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)
    widths = np.array([1.0, 2.0, 4.0])[np.arange(FEATURES[-1]) % 3] / np.sqrt(latents)
    directions = torch.from_numpy(rng.standard_normal((latents, FEATURES[-1])) * widths).to(codes)
    phases = torch.from_numpy(rng.uniform(0, 2 * np.pi, FEATURES[-1])).to(codes)
    parts = []
    for each in (codes, others):
        unit = (each - mean) / spread
        parts.append(torch.cat([unit, torch.cos(unit @ directions + phases)], dim=1))
    return parts[0], parts[1]
