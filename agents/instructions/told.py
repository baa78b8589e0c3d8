"""What a policy is told of an instruction, beside the code of what it sees.

- `concept`: the posterior q(z|y) of the instruction (SCAN, Higgins et al. 2018): how far each latent of the image lies
  from its mean in its own standard deviations, and how narrow it is there.
- `symbol`: the k-hot symbol of what the instruction comes to, with -1 for an excluded value.
- `nothing`: nothing. An agent that ignores its instruction does no better.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from darla.common import unknown_name
from darla.vision.concepts.operators import parse_instruction
from darla.vision.concepts.space import Concepts
from darla.vision.concepts.system import ConceptSystem

TOLD = ("concept", "symbol", "nothing")
_FARTHEST = 5.0
"""Standard deviations at which distances are cut off: beyond them an image is no example in any case."""

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Instructions:
    """Some instructions, and all that a policy could be told of them."""

    texts: tuple[str, ...]
    """As `darla concepts imagine` reads them."""
    concepts: Concepts
    """(I, A): what each comes to."""
    symbols: Array
    """(I, K): the same as k-hot symbols."""
    mean: Array
    """(I, D): of the posterior that the system of concepts computes for each, by operators where it has some."""
    log_variance: Array
    """(I, D)."""

    def __len__(self) -> int:
        return len(self.texts)


def read_instructions(system: ConceptSystem, texts: Sequence[str]) -> Instructions:
    """Return instructions by their texts.

    Raises:
        InputError: one cannot be read, has no meaning, or has an operator that the system does not know.
    """
    parsed = [parse_instruction(system.space, text) for text in texts]
    concepts = np.stack([each.meaning(system.space) for each in parsed])
    followed = [system.follow(each) for each in parsed]
    mean, log_variance = (
        np.concatenate([getattr(each, name).cpu().numpy() for each in followed]) for name in ("mean", "log_variance")
    )
    return Instructions(tuple(texts), concepts, system.space.symbols(concepts), mean, log_variance)


def input_size(told: str, latents: int, symbol_size: int) -> int:
    """Return how many numbers a policy observes.

    Raises:
        InputError: `told` is not in `TOLD`.
    """
    sizes = {"concept": 3 * latents, "symbol": latents + symbol_size, "nothing": latents}
    if told not in sizes:
        raise unknown_name("way to tell a policy", told, TOLD)
    return sizes[told]


def policy_input(told: str, codes: Array, instructions: Instructions, numbers: npt.NDArray[np.int64]) -> Array:
    """Return what a policy observes, float32 (N, `input_size`).

    Args:
        told: in `TOLD`.
        codes: of the images that are seen, (N, D).
        instructions: that there are.
        numbers: which of them holds for each image, (N,).
    """
    parts = [codes]
    if told == "symbol":
        parts.append(instructions.symbols[numbers])
    elif told == "concept":
        half = 0.5 * instructions.log_variance[numbers]
        distance = (codes - instructions.mean[numbers]) * np.exp(-half)
        parts += [distance.clip(-_FARTHEST, _FARTHEST), -half]
    observed: Array = np.concatenate(parts, axis=1).astype(np.float32)
    return observed
