"""The codes of InfoGAN: what they are, how they are drawn, and the bound on their mutual information with the image."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_VARIANCE = 1 / 3
"""Of a continuous code, uniform in [-1, 1]."""
_CLASS_RANGE = 2.0
"""End of a traversal of a class. Above 1 the class is the most probable one, whatever the image."""


@dataclass(frozen=True)
class InfoCodes:
    """Codes c: continuous ones, uniform in [-1, 1], and categorical ones with equally probable classes; independent.

    In a row of latents the continuous codes come first, then the classes of each categorical code. Q(c|x) is normal
    with fixed standard deviation for continuous codes, and categorical for the others.
    """

    n_continuous: int
    n_categorical: int
    n_classes: int
    """Classes of each categorical code."""
    std: float
    """Standard deviation of Q for continuous codes."""

    @property
    def width(self) -> int:
        """Latents, and parameters of Q."""
        return self.n_continuous + self.n_categorical * self.n_classes

    def draw(self, count: int, generator: torch.Generator | None, device: torch.device) -> Tensor:
        """Draw codes, (count, width), the categorical ones as ones and zeros."""
        continuous = 2 * torch.rand(count, self.n_continuous, generator=generator, device=device) - 1
        classes = torch.randint(self.n_classes, (count, self.n_categorical), generator=generator, device=device)
        return self.join(continuous, classes)

    def join(self, continuous: Tensor, classes: Tensor) -> Tensor:
        """Return codes, (N, width), from continuous ones, (N, n_continuous), and classes, int64 (N, n_categorical)."""
        ones = classes[..., None] == torch.arange(self.n_classes, device=classes.device)
        return torch.cat([continuous, ones.flatten(1).to(continuous.dtype)], dim=1)

    def split(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Split latents or parameters, (N, width), into (N, n_continuous) and (N, n_categorical, n_classes)."""
        continuous, classes = rows[:, : self.n_continuous], rows[:, self.n_continuous :]
        return continuous, classes.reshape(len(rows), self.n_categorical, self.n_classes)

    def latents(self, parameters: Tensor) -> Tensor:
        """Return what a policy reads of Q, (N, width): means of continuous codes, probabilities of classes."""
        means, logits = self.split(parameters)
        return torch.cat([means, logits.softmax(-1).flatten(1)], dim=1)

    def nearest(self, latents: Tensor) -> Tensor:
        """Return the codes that could have been drawn nearest to latents, (N, width).

        Continuous ones are cut to [-1, 1], and of each categorical one the most probable class is taken: the generator
        has seen no other codes.
        """
        means, probabilities = self.split(latents)
        return self.join(means.clamp(-1, 1), probabilities.argmax(-1))

    def traversal_range(self) -> Tensor:
        """Return the values between which a traversal moves each latent, (2, width).

        Those of classes go beyond 1, so that in the upper half the class is the most probable one.
        """
        low = torch.cat([-torch.ones(self.n_continuous), torch.zeros(self.width - self.n_continuous)])
        high = torch.cat([torch.ones(self.n_continuous), torch.full_like(low[self.n_continuous :], _CLASS_RANGE)])
        return torch.stack([low, high])

    def entropies(self) -> tuple[float, float]:
        """Return H(c) in nats: that of the continuous codes (differential), and that of the categorical ones."""
        return self.n_continuous * math.log(2), self.n_categorical * math.log(self.n_classes)

    def largest_bounds(self) -> tuple[float, float]:
        """Return what a perfect Q reaches in `bounds`: log(2 / (std sqrt(2 pi))) a continuous code, and H(c)."""
        continuous, categorical = self.entropies()
        return continuous - self.n_continuous * self._log_normalizer(), categorical

    def bounds(self, parameters: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the lower bound E[log Q(c|x)] + H(c) on I(c; x) in nats, of continuous and of categorical codes.

        Equations 4 and 5 of the InfoGAN paper.

        Args:
            parameters: of Q, for generated images, (N, width).
            codes: from which they were generated.
        """
        means, logits = self.split(parameters)
        true_means, ones = self.split(codes)
        normal = 0.5 * (true_means - means).square() / self.std**2 + self._log_normalizer()
        cross_entropy = -(ones * logits.log_softmax(-1)).sum((1, 2))
        continuous, categorical = self.entropies()
        return continuous - normal.sum(1).mean(), categorical - cross_entropy.mean()

    def unexplained_variance(self, parameters: Tensor, codes: Tensor) -> Tensor:
        """Return the squared error of Q's means in units of the codes' variance, 1/3: 0 is right, 1 is the mean."""
        return (self.split(parameters)[0] - self.split(codes)[0]).square().mean() / _VARIANCE

    def _log_normalizer(self) -> float:
        return math.log(self.std) + 0.5 * math.log(2 * math.pi)
