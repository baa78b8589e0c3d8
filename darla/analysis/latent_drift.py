"""Latent drift: how far a code moves when a state keeps everything but the appearance of its domain.

A policy on a frozen code can transfer only as far as a state has the same code in the target as in the source. Drift
measures by how much the codes differ, over the whole code and for each latent, without any policy.

The same states are rendered in the appearance of source and target (`darla.envs.paired_rendering`) and
encoded as the policy sees them. With a_i and b_i the codes of state i:

    relative  sqrt(mean_i |a_i - b_i|^2 / mean_{i != k} |a_i - b_k|^2): 0 if the code does not change, 1 if the same
              state is as far away as a random other state
    shift     root mean square over states of the change of each latent, in units of its standard deviation over D_U
              (for the features of a network, over the states themselves)

For one latent, `1 - relative^2` is Lin's concordance correlation between the two domains (Lin 1989, A concordance
correlation coefficient to evaluate reproducibility), with the pairs i = k left out of its denominator.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from darla.agents import ALGORITHMS, Agent
from darla.common import Artefact, InputError
from darla.envs import TransferTask
from darla.envs.domains.task_files import find_task
from darla.envs.paired_rendering import Images, PairedRendering, render_pairs
from darla.vision import VisionModel, load
from darla.vision.encoders.encode import encode_images

Codes = npt.NDArray[Any]


@dataclass(frozen=True)
class Drift:
    """How far the codes of N states move between two domains."""

    relative: float
    """Of the whole code: 0 if it is unchanged; 1 if the same state is as far away as a random other state."""
    shift: float
    """Root mean square of the shifts of the latents."""
    per_latent_relative: tuple[float, ...]
    """The same ratio for each of D latents; 0 for a constant one."""
    per_latent_shift: tuple[float, ...]
    """Root mean square change of each latent, in units of its spread."""
    states: int
    """N."""


def drift(source: Codes, target: Codes, spread: Codes | None = None) -> Drift:
    """Compare codes of the same states in two domains.

    Args:
        source: (N, D), N >= 2.
        target: (N, D), row i of the same state.
        spread: (D,), the unit of each latent's shift; its standard deviation over both sides if None.

    Raises:
        InputError: the codes do not fit together, are fewer than two, or not finite.
    """
    a, b = np.asarray(source, np.float64), np.asarray(target, np.float64)
    if a.ndim != 2 or a.shape != b.shape or len(a) < 2:
        raise InputError(f"codes must have one shape (states >= 2, latents), not {a.shape} and {b.shape}")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("codes must be finite")
    center = (a.mean(axis=0) + b.mean(axis=0)) / 2
    a, b = a - center, b - center  # differences are unchanged, and rounding errors smaller
    count = len(a)
    moved = np.square(a - b).mean(axis=0)
    # Mean over all pairs i, k of (a_i - b_k)^2, less the pairs i = k.
    all_pairs = np.square(a).mean(axis=0) + np.square(b).mean(axis=0) - 2 * a.mean(axis=0) * b.mean(axis=0)
    unrelated = (count * all_pairs - moved) / (count - 1)
    unit = np.concatenate([a, b]).std(axis=0) if spread is None else np.asarray(spread, np.float64)
    shifts = np.sqrt(_ratio(moved, np.square(unit)))
    return Drift(
        relative=float(np.sqrt(_ratio(moved.sum(), unrelated.sum()))),
        shift=float(np.sqrt(np.square(shifts).mean())),
        per_latent_relative=tuple(map(float, np.sqrt(_ratio(moved, unrelated)))),
        per_latent_shift=tuple(map(float, shifts)),
        states=count,
    )


def latent_drift(
    encoder: VisionModel | Artefact | Path | str, task: TransferTask | Path | str, *, states: int = 256, seed: int = 0
) -> dict[str, Drift]:
    """Measure how far an encoder's codes move from the source of a task to each of its targets.

    Args:
        encoder: a model, or an encoder artefact.
        task: a task of a paired world (`World.paired`), its name, or a JSON file.
        states: states for each target.
        seed: seed of the states; compare encoders on the same states.

    Returns:
        By the name of the target.

    Raises:
        InputError: a damaged encoder, one that reads other images, or a task of an environment without factors.
    """
    model = encoder if isinstance(encoder, VisionModel) else load(folder_of(encoder))
    ones = np.ones(model.latent_dim)  # the normalizer has divided by the standard deviation over D_U

    def compare(pairs: PairedRendering) -> Drift:
        source, target = (encode_images(model, images, normalize=True) for images in (pairs.source, pairs.target))
        return drift(source, target, ones)

    return {name: compare(pairs) for name, pairs in _pairs(task, states, seed)}


def feature_drift(
    agent: Agent | Artefact | Path | str, task: TransferTask | Path | str, *, states: int = 256, seed: int = 0
) -> dict[str, Drift]:
    """Measure the same on the features of an agent on pixels: the output of its last convolution.

    An agent with a frame stack gets the same frame several times. See `latent_drift` for the arguments; for an agent on
    codes call that with its encoder.

    Raises:
        InputError: the agent does not act on pixels, or its policy has no features.
    """
    loaded = agent if isinstance(agent, Agent) else Agent.load(folder_of(agent))
    if loaded.description.observation != "pixels":
        raise InputError(
            f"an agent on {loaded.description.observation} has no features of its own; measure its encoder"
        )

    def compare(pairs: PairedRendering) -> Drift:
        return drift(_features(loaded, pairs.source), _features(loaded, pairs.target))

    return {name: compare(pairs) for name, pairs in _pairs(task, states, seed)}


def mean_relative(drifts: Mapping[str, Drift]) -> float:
    """Return the mean over targets of the relative drift: one number for an encoder."""
    return float(np.mean([drift.relative for drift in drifts.values()]))


def _pairs(task: TransferTask | Path | str, states: int, seed: int) -> Sequence[tuple[str, PairedRendering]]:
    task = find_task(task)
    return [(name, render_pairs(task.source, target, states, seed)) for name, target in task.targets.items()]


@torch.inference_mode()
def _features(agent: Agent, images: Images, batch_size: int = 256) -> Codes:
    """Return the output of an agent's convolutions, (N, F)."""
    policy: Any = agent.policy
    network = ALGORITHMS[agent.description.algorithm].network(policy)
    extractor = getattr(network, "features_extractor", None)
    if extractor is None:
        raise InputError(f"a policy of {agent.description.algorithm} has no features to measure")
    parts = []
    for start in range(0, len(images), batch_size):
        stacked = np.concatenate([images[start : start + batch_size]] * agent.description.frame_stack, axis=-1)
        tensor, _ = policy.obs_to_tensor(stacked)
        parts.append(network.extract_features(tensor, extractor).float().cpu().numpy())
    return np.concatenate(parts)


def folder_of(given: Artefact | Path | str) -> Path:
    """Return the folder of an artefact, or the folder itself."""
    return given.folder if isinstance(given, Artefact) else Path(given)


def _ratio(part: Any, whole: Any) -> Any:
    """Return part / whole, 0 where both are 0."""
    part, whole = np.asarray(part), np.asarray(whole)
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole > 0)
