"""The recombination operators of SCAN: a network that computes the posterior of `a AND b` from those of a and b.

Higgins et al. 2018, arXiv 1707.03389, section 3 and appendix: "a conditional convolutional module". For each latent by
itself the means and log-variances of both concepts, four numbers, pass through a layer of 1,024 units, the same for all
latents, to a mean and a log-variance for each operator; the operator selects one pair.

    L = KL(q(z|x) || q_r(z)), minimized, x an image of the concept that the operator comes to; SCAN stays as it is.

EXCEPT, which the paper has not, is one more pair of outputs and is trained in the same way: x is an image of a that has
another value than the one that b specifies. No symbol says so; what the latents of "anything but a key" are like is
known to this network alone. The best that a Gaussian can do is the mean and the variance of the mixture of those
images, so it cannot avoid a value that lies between others.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import InputError, unknown_name
from darla.vision.concepts.divergence import kl_between
from darla.vision.concepts.operators import OPERATORS
from darla.vision.concepts.posterior_model import PosteriorModel
from darla.vision.concepts.symbol_networks import unpack
from darla.vision.models.base import Posterior
from darla.vision.models.image_model import Given

UNITS = 1024
"""Of the layer between; as in a reimplementation of the paper."""


class Recombinator(PosteriorModel):
    """Computes the posterior of a recombined concept; see the module.

    Args:
        latents: D.
        units: of the layer between.
        operators: the first of `OPERATORS`, those that it computes.

    Raises:
        InputError: the operators are others, or in another order.
    """

    def __init__(self, latents: int, units: int = UNITS, operators: Sequence[str] = OPERATORS) -> None:
        super().__init__(latents)
        self.operators = tuple(operators)
        if not self.operators or self.operators != OPERATORS[: len(self.operators)]:
            raise InputError(f"operators must be {', '.join(OPERATORS)}, or the first of them, not {self.operators}")
        self.layers = nn.Sequential(nn.Conv1d(4, units, 1), nn.ReLU(), nn.Conv1d(units, 2 * len(self.operators), 1))

    def number_of(self, operator: str) -> int:
        """Return the number of an operator.

        Raises:
            InputError: there is no such operator, or it was not trained.
        """
        if operator not in OPERATORS:
            raise unknown_name("operator", operator, OPERATORS)
        if operator not in self.operators:
            raise InputError(
                f"these concepts know no {operator}: their operators are {', '.join(self.operators)}; train them again "
                "with `darla concepts train`"
            )
        return OPERATORS.index(operator)

    def forward(self, operators: Tensor, first: Posterior, second: Posterior) -> Posterior:
        """Return the posterior of recombined concepts.

        Args:
            operators: int64 (N,), numbers in `OPERATORS`.
            first: of the concepts before the operator, (N, D).
            second: of those behind it.
        """
        inputs = torch.stack([first.mean, second.mean, first.log_variance, second.log_variance], dim=1)
        outputs = self.layers(inputs).unflatten(1, (len(self.operators), 2))  # (N, operators, 2, D)
        chosen = functional.one_hot(operators, len(self.operators)).to(outputs.dtype)
        mean, log_variance = torch.einsum("no,nopd->pnd", chosen, outputs)
        return Posterior(mean, log_variance)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss, KL(q(z|x) || q_r(z)) in nats.

        Args:
            images: posteriors of images that show what the operators come to, (N, 2 D).
            generator: not used: nothing is random.
            supervision: `operators`, int64 (N,); `first` and `second`, the posteriors of both concepts, (N, 2 D).
        """
        assert supervision is not None, "operators are trained on pairs of concepts"
        first, second = unpack(supervision["first"]), unpack(supervision["second"])
        return {"loss": kl_between(unpack(images), self(supervision["operators"], first, second))}
