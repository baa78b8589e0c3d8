"""Probes: how well facts about the state behind an image can be predicted from its codes.

A linear probe shows what the codes encode linearly, a small network what they encode at all. Each is fitted on some
images and scored on others. Classes, such as the kind of the nearest object in SeekAvoid, are scored by balanced
accuracy, so that always predicting a frequent class scores at chance; numbers, such as its bearing and distance, by
R^2, which is 0 for always predicting the mean and negative for worse.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import balanced_accuracy_score, r2_score
from torch import nn
from torch.nn import functional

from darla.common import InputError, rng_for, seed_for
from darla.common.checked_config import checked_arguments
from darla.vision.training.batches import LabeledFrames
from darla.vision.training.loop import build_seeded

Array = np.ndarray[Any, Any]
FEWEST = 50
"""Images with an object in view that are needed for a score."""


@checked_arguments
def probe(
    codes: Array,
    state: Mapping[str, Array],
    seed: int,
    *,
    held_out: Array | None = None,
    steps: int = 2000,
    hidden: int = 128,
) -> dict[str, Any]:
    """Score how well facts about the state are read from codes.

    Args:
        codes: float (N, D), of deviations around 1 as those of a VAE are.
        state: facts by name, (N,) each: classes as integers, negative for none; numbers as floats; and masks as bools.
            Images where a mask is false or a class negative are left out.
        seed: of the split and of the network's weights and batches.
        held_out: bool (N,), the images to score on; a random 30 % if None. Probes are fitted on the others.
        steps: Adam steps of the non-linear probe.
        hidden: units in each of its two hidden layers.

    Returns:
        For each class and number of `state` that varies: `linear` and `nonlinear` scores, `chance`, `ceiling`, and
        `measure`; also `images_fitted`, `images_scored` and `latents`. No facts where too few images are left.

    Raises:
        InputError: codes and state are of different lengths, or the codes are not finite.
    """
    if codes.ndim != 2 or not np.isfinite(codes).all():
        raise InputError(f"codes must be finite numbers of shape (N, D), not of shape {codes.shape}")
    for name, values in state.items():
        if len(values) != len(codes):
            raise InputError(f"state {name!r} has {len(values)} rows for {len(codes)} codes")
    if held_out is None:
        held_out = rng_for(seed, "split").random(len(codes)) < 0.3
    usable = usable_rows(state, len(codes))
    fit, score = np.flatnonzero(usable & ~held_out), np.flatnonzero(usable & held_out)
    report: dict[str, Any] = {
        "images_fitted": len(fit),
        "images_scored": len(score),
        "latents": codes.shape[1],
    }
    if min(len(fit), len(score)) < FEWEST:
        return report
    # Codes of large deviations are scaled down by a common factor. Small ones are not scaled up, as they are not for a
    # policy: what a collapsed posterior encodes in the last digits of its mean does not count.
    scale = max(float(codes[fit].std(axis=0).max()), 1.0)
    inputs = ((codes - codes[fit].mean(axis=0)) / scale).astype(np.float64)
    for name, targets in state.items():
        if targets.dtype == np.bool_:
            continue
        if np.issubdtype(targets.dtype, np.integer):
            classes = np.unique(targets[fit])
            scored = score[np.isin(targets[score], classes)]
            if len(classes) < 2 or len(scored) < FEWEST:
                continue
            labels = np.searchsorted(classes, targets)
            report[name] = _classify(inputs, labels, fit, scored, len(classes), seed_for(seed, name), steps, hidden)
        else:
            if targets[fit].std() == 0 or targets[score].std() == 0:
                continue
            report[name] = _regress(inputs, targets.astype(np.float64), fit, score, seed_for(seed, name), steps, hidden)
    return report


def state_of(frames: LabeledFrames, rows: Array) -> dict[str, Array]:
    """Return the state behind the frames `rows`."""
    return {name: values[rows] for name, values in frames.state.items()}


def usable_rows(state: Mapping[str, Array], count: int) -> Array:
    """Return bool (N,): images where every mask is true and no class is negative."""
    usable = np.ones(count, dtype=bool)
    for values in state.values():
        if values.dtype == np.bool_:
            usable &= values
        elif np.issubdtype(values.dtype, np.integer):
            usable &= values >= 0
    return usable


def _classify(
    inputs: Array, labels: Array, fit: Array, score: Array, classes: int, seed: int, steps: int, hidden: int
) -> dict[str, Any]:
    linear = LogisticRegression(C=10.0, class_weight="balanced", max_iter=300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # 300 iterations are enough for a score
        linear.fit(inputs[fit], labels[fit])
    counts = np.bincount(labels[fit], minlength=classes)
    weights = torch.as_tensor(len(fit) / (classes * counts), dtype=torch.float32)
    outputs = _network(
        inputs, torch.as_tensor(labels), fit, score, classes, seed, steps, hidden,
        lambda logits, truth: functional.cross_entropy(logits, truth, weight=weights),
    )  # fmt: skip
    return {
        "measure": "balanced accuracy",
        "linear": float(balanced_accuracy_score(labels[score], linear.predict(inputs[score]))),
        "nonlinear": float(balanced_accuracy_score(labels[score], outputs.argmax(axis=1))),
        "chance": 1 / classes,
        "ceiling": 1.0,
    }


def _regress(
    inputs: Array, targets: Array, fit: Array, score: Array, seed: int, steps: int, hidden: int
) -> dict[str, Any]:
    linear = RidgeCV(alphas=np.logspace(-4, 4, 9)).fit(inputs[fit], targets[fit])
    mean, scale = targets[fit].mean(), targets[fit].std()
    truth = torch.as_tensor((targets - mean) / scale, dtype=torch.float32)[:, None]
    outputs = _network(inputs, truth, fit, score, 1, seed, steps, hidden, functional.mse_loss)
    return {
        "measure": "R2",
        "linear": float(r2_score(targets[score], linear.predict(inputs[score]))),
        "nonlinear": float(r2_score(targets[score], outputs[:, 0] * scale + mean)),
        "chance": 0.0,
        "ceiling": 1.0,
    }


def _network(
    inputs: Array,
    truth: torch.Tensor,
    fit: Array,
    score: Array,
    outputs: int,
    seed: int,
    steps: int,
    hidden: int,
    loss: Any,
) -> Array:
    """Fit a network with two hidden layers; return its outputs for the rows `score`."""
    x = torch.as_tensor(inputs, dtype=torch.float32)
    network = build_seeded(
        lambda: nn.Sequential(
            nn.Linear(x.shape[1], hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, outputs),
        ),
        seed,
    )
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    rng = rng_for(seed, "batches")
    for _ in range(steps):
        rows = torch.from_numpy(rng.choice(fit, 256))
        optimizer.zero_grad()
        loss(network(x[rows]), truth[rows]).backward()
        optimizer.step()
        schedule.step()
    with torch.inference_mode():
        predictions: Array = network(x[torch.from_numpy(score)]).numpy()
    return predictions
