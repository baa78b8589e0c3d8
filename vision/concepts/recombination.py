"""The recombination operators of SCAN: a network that computes the posterior of `a AND b` from those of a and b.

Higgins et al. 2018, arXiv 1707.03389, section 3 and appendix: "a conditional convolutional module". For each latent by
itself the means and log-variances of both concepts, four numbers, pass through a layer of 1,024 units, the same for all
latents, to a mean and a log-variance for each operator; the operator selects one pair.

    L = KL(q(z|x) || q_r(z)), minimized, x an image of the concept that the operator comes to; SCAN stays as it is.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

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
    """

    def __init__(self, latents: int, units: int = UNITS) -> None:
        super().__init__(latents)
        self.layers = nn.Sequential(nn.Conv1d(4, units, 1), nn.ReLU(), nn.Conv1d(units, 2 * len(OPERATORS), 1))

    def forward(self, operators: Tensor, first: Posterior, second: Posterior) -> Posterior:
        """Return the posterior of recombined concepts.

        Args:
            operators: int64 (N,), numbers in `OPERATORS`.
            first: of the concepts before the operator, (N, D).
            second: of those behind it.
        """
        inputs = torch.stack([first.mean, second.mean, first.log_variance, second.log_variance], dim=1)
        outputs = self.layers(inputs).unflatten(1, (len(OPERATORS), 2))  # (N, operators, 2, D)
        chosen = functional.one_hot(operators, len(OPERATORS)).to(outputs.dtype)
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
