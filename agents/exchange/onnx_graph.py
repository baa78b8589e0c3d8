"""An agent as one ONNX graph, from images to actions, checked in onnxruntime before it is written.

Inputs: `observation`, uint8 (n, H, W, C) with the frames of a stack beside each other in the last axis, or of a policy
on the state float32 (n, D). Outputs: `action`, int64 (n,) or float32 (n, A), the deterministic one; and of discrete
actions `logits`, or of a value-based algorithm `values`, float32 (n, A).
"""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from darla.agents.algorithms.registry import ALGORITHMS
from darla.agents.policy_io import PolicyDescription
from darla.common import InputError, user_code_error
from darla.common.files import write_bytes

if TYPE_CHECKING:
    from stable_baselines3.common.policies import BasePolicy

TOLERANCE = 1e-4
"""Largest difference between the graph in onnxruntime and the agent in PyTorch, in units of the largest output (at
least 1)."""


class ActingGraph(nn.Module):
    """From observations to actions.

    Args:
        description: of the policy.
        policy: on images or on the state.
    """

    def __init__(self, description: PolicyDescription, policy: "BasePolicy") -> None:
        super().__init__()
        self.policy, self.algorithm = policy, ALGORITHMS[description.algorithm]
        self.on_images = description.observation == "pixels"
        self.bounds = description.action_bounds

    def forward(self, observation: Tensor) -> tuple[Tensor, ...]:
        """Return the actions, and the logits or values of discrete ones."""
        inputs = observation
        if self.on_images:
            inputs = observation.permute(0, 3, 1, 2).contiguous()
        if self.algorithm.value_based:
            values = self.algorithm.action_values(self.policy, inputs)
            return values.argmax(dim=1), values
        if self.algorithm.by_prediction:
            chosen: Tensor = self.policy._predict(inputs, deterministic=True)
            return (chosen,) if self.bounds is None else (self._within_bounds(chosen),)
        drawn_from: Any = self.algorithm.distribution(self.policy, inputs, None)
        if self.bounds is None:
            return drawn_from.logits.argmax(dim=1), drawn_from.logits
        mean: Tensor = drawn_from.mean
        return (self._within_bounds(torch.tanh(mean) if self.policy.squash_output else mean),)

    def _within_bounds(self, actions: Tensor) -> Tensor:
        assert self.bounds is not None
        low, high = (torch.tensor(end, dtype=torch.float32) for end in self.bounds)
        if self.policy.squash_output:
            actions = low + 0.5 * (actions + 1.0) * (high - low)
        return torch.minimum(torch.maximum(actions, low), high)


def write_onnx(path: Path, description: PolicyDescription, policy: "BasePolicy") -> float:
    """Write a policy as ONNX, if onnxruntime gives what PyTorch gives.

    Args:
        path: the file.
        description: of the policy.
        policy: on images or on the state; see `whole_policy`.

    Returns:
        The largest difference from PyTorch, in units of the largest output (at least 1).

    Raises:
        InputError: packages are missing, the policy has a memory or layers that ONNX does not have, or the graph
            differs by more than 1e-4.
    """
    algorithm = ALGORITHMS[description.algorithm]
    if algorithm.is_recurrent:
        raise InputError(
            f"an agent of {algorithm.name!r} remembers earlier images, which one graph cannot; write a zip"
        )
    if not algorithm.uses_gradients:
        raise InputError(f"an agent of {algorithm.name!r} looks actions up in a table, which ONNX has no layer for")
    runtime = _package("onnxruntime")
    for name in ("onnx", "onnxscript"):
        _package(name)
    graph = ActingGraph(description, policy).eval()
    names = ["action"]
    if description.action_bounds is None and not algorithm.by_prediction:
        names.append("values" if algorithm.value_based else "logits")
    first, others = (_observations(description, count, seed) for count, seed in ((2, 0), (7, 1)))
    with _quiet():
        try:
            exported: Any = torch.onnx.export(
                graph,
                (torch.from_numpy(first),),
                input_names=["observation"],
                output_names=names,
                dynamic_shapes=({0: torch.export.Dim("n", min=1)},),
                dynamo=True,
                verbose=False,
            )
        except Exception as error:  # of PyTorch's exporter, or of a user's network inside it
            raise user_code_error(
                f"this agent cannot be written as ONNX by PyTorch {torch.__version__}", error
            ) from error
    data = io.BytesIO()
    exported.save(data)
    try:
        session = runtime.InferenceSession(data.getvalue(), providers=["CPUExecutionProvider"])
        difference = max(_difference(session, graph, shown) for shown in (first, others))
    except Exception as error:  # of onnxruntime, which has its own kinds; a network may fix the number of images
        raise user_code_error("this agent's ONNX graph cannot be run by onnxruntime", error) from error
    if not difference <= TOLERANCE:
        raise InputError(
            f"the ONNX graph differs from the agent by {difference:.2g}, more than {TOLERANCE:g}; it was not written"
        )
    write_bytes(path, data.getvalue())
    return difference


def _difference(session: Any, graph: ActingGraph, shown: np.ndarray[Any, Any]) -> float:
    with torch.inference_mode():
        expected = [output.numpy() for output in graph(torch.from_numpy(shown))]
    outputs = session.run(None, {"observation": shown})
    scale = max(1.0, float(np.abs(expected[-1]).max()))
    return float(np.abs(outputs[-1] - expected[-1]).max()) / scale


def _observations(description: PolicyDescription, count: int, seed: int) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    if description.observation != "pixels":
        assert description.latent_dim is not None, "a policy on the state has its size there"
        return rng.normal(size=(count, description.latent_dim * description.frame_stack)).astype(np.float32)
    height, width, channels = description.image_shape
    return rng.integers(0, 256, (count, height, width, channels * description.frame_stack), dtype=np.uint8)


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise InputError(f"ONNX needs the package {error.name}; install it with: pip install 'darla[onnx]'") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress and warnings to itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    validated = torch.distributions.Distribution._validate_args
    logger.setLevel(logging.ERROR)
    torch.distributions.Distribution.set_default_validate_args(False)  # it branches on values
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        torch.distributions.Distribution.set_default_validate_args(validated)
