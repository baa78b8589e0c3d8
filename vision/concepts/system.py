"""A trained system of concepts, whichever the method: from symbols to images, from images to symbols, and operators."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.envs.domains.value_codes import ANY, any_but, excludes
from darla.envs.image_data.ground_truth import Images
from darla.vision.concepts.exclusion import sample_without
from darla.vision.concepts.joint_vae import JointVAE
from darla.vision.concepts.operators import EXCEPT, Instruction
from darla.vision.concepts.recombination import Recombinator
from darla.vision.concepts.scan import SCAN
from darla.vision.concepts.space import Concepts, ConceptSpace
from darla.vision.encoders.encode import decode_codes
from darla.vision.models.base import Posterior, VisionModel


@dataclass(frozen=True)
class ConceptSystem:
    """An encoder, the networks of symbols and the operators, in eval mode, none requiring a gradient."""

    space: ConceptSpace
    vision: VisionModel
    symbols: SCAN | JointVAE
    operators: Recombinator | None
    """None if none were trained."""

    def posterior_of(self, concepts: Concepts) -> Posterior:
        """Return q(z|y) of concepts, int64 (N, A).

        Values that they exclude have no symbol: the operator EXCEPT takes them, one after the other, from q(z|y) of
        what is specified.

        Raises:
            InputError: a value is excluded, and EXCEPT was not trained.
        """
        concepts = self.space.checked(concepts)
        excluding = excludes(concepts)
        posterior = encode_concepts(self.symbols, self.space, np.where(excluding, ANY, concepts))
        for column in np.flatnonzero(excluding.any(axis=0)):
            rows = np.flatnonzero(excluding[:, column])
            without = np.full((len(rows), concepts.shape[1]), ANY, np.int64)
            without[:, column] = any_but(concepts[rows, column])
            some = torch.from_numpy(rows).to(self.vision.device)
            left = self.recombine(EXCEPT, posterior.rows(some), encode_concepts(self.symbols, self.space, without))
            with torch.inference_mode():
                posterior = Posterior(
                    posterior.mean.index_copy(0, some, left.mean),
                    posterior.log_variance.index_copy(0, some, left.log_variance),
                )
        return posterior

    def recombine(self, operator: str, first: Posterior, second: Posterior) -> Posterior:
        """Return what an operator makes of the posteriors of concepts, (N, D) each.

        Raises:
            InputError: the operator is not there, or was not trained.
        """
        if self.operators is None:
            raise InputError(f"these concepts know no {operator}: no operators were trained")
        numbers = torch.full((len(first.mean),), self.operators.number_of(operator), device=self.vision.device)
        with torch.inference_mode():
            posterior: Posterior = self.operators(numbers, first, second)
        return posterior

    def follow(self, instruction: Instruction) -> Posterior:
        """Return the posterior that an instruction comes to, (1, D); operators are computed by their network.

        Raises:
            InputError: the instruction has no meaning, or an operator that was not trained.
        """
        instruction.meaning(self.space)  # refuses what contradicts itself
        return instruction.fold(lambda concept: self.posterior_of(concept[None]), self.recombine)

    def imagine(self, posterior: Posterior, count: int, seed: int, meaning: Concepts | None = None) -> Images:
        """Return images of a posterior: sym2img, each of another sample z.

        Args:
            posterior: (1, D), of `posterior_of` or `follow`.
            count: how many images.
            seed: of the samples.
            meaning: the concept that it is of, int64 (A,). Samples that show a value that it excludes are drawn anew
                (`exclusion`); None excludes nothing.

        Returns:
            uint8 (count, H, W, C).
        """
        if count < 1:
            raise InputError(f"images to imagine must be at least 1, not {count}")
        noise = _noise(self.vision.device, seed)
        if meaning is None or not excludes(meaning).any():
            return decode_codes(self.vision, posterior.repeated(count).sample(noise).cpu().numpy())

        def shown(z: Tensor) -> Tensor:
            """Return the probability that z shows any of the excluded values, (N,); 1 where one is the likeliest."""
            symbols = self.space.parts(self.symbols.symbol_decoder(z).sigmoid())
            none = torch.ones(len(z), device=z.device)
            for column in np.flatnonzero(excludes(meaning)):
                value = symbols[column][:, any_but(meaning[column])]
                likeliest = value == symbols[column].amax(dim=1)
                none = none * torch.where(likeliest, 0.0, 1 - value / symbols[column].sum(dim=1))
            return 1 - none

        with torch.inference_mode():
            z = sample_without(posterior, count, shown, noise)
        return decode_codes(self.vision, z.cpu().numpy())

    def sym2img(self, instruction: Instruction, count: int, seed: int) -> Images:
        """Return images of an instruction, each of another sample z; uint8 (count, H, W, C).

        Raises:
            InputError: the instruction has no meaning, or an operator that was not trained.
        """
        return self.imagine(self.follow(instruction), count, seed, instruction.meaning(self.space))

    def describe(self, images: Images, samples: int, seed: int) -> list[np.ndarray[Any, Any]]:
        """Return the probability of each value of each attribute in images: img2sym.

        Args:
            images: uint8 (N, H, W, C).
            samples: of z for each image, over which probabilities are averaged.
            seed: of the samples.

        Returns:
            For each attribute float32 (N, values). They need not sum to 1: a symbol may leave an attribute open.
        """
        if samples < 1:
            raise InputError(f"samples must be at least 1, not {samples}")
        noise = _noise(self.vision.device, seed)
        with torch.inference_mode():
            seen = self.vision.encode(self.vision.to_input(images))
            total: Tensor | float = 0.0
            for _ in range(samples):
                total = total + self.symbols.symbol_decoder(seen.sample(noise)).sigmoid()
            assert isinstance(total, Tensor)
            probabilities = (total / samples).cpu().numpy()
        return self.space.parts(probabilities)


def encode_concepts(model: SCAN | JointVAE, space: ConceptSpace, concepts: Concepts) -> Posterior:
    """Return q(z|y) of concepts, int64 (N, A), as the network of symbols computes it.

    Raises:
        InputError: a concept excludes a value. No symbol in training says so, so the network knows nothing of it.
    """
    excluding = np.flatnonzero(excludes(space.checked(concepts)).any(axis=1))
    if len(excluding):
        raise InputError(
            f"{space.text(concepts[excluding[0]])!r} excludes a value, which no symbol says; the operator EXCEPT makes "
            "such concepts"
        )
    symbols = torch.from_numpy(space.symbols(concepts)).to(model.device)
    with torch.inference_mode():
        posterior: Posterior = model.symbol_encoder(symbols)
    return posterior


def _noise(device: torch.device, seed: int) -> torch.Generator:
    if not 0 <= seed < 2**63:
        raise InputError(f"seed is {seed}, but must be a whole number from 0 to 2^63 - 1")
    return torch.Generator(device).manual_seed(seed)
