"""Xing et al., Domain Adaptation in RL via Latent Unified State Representation, AAAI 2021, arXiv 2102.05714.

Idea: a code of what all domains share, for the policy, beside a code of the domain; cycle consistency parts them.
Train: darla collect TASK --looks 8 --out FRAMES    (a task whose D_U has several parts needs no --looks)
       darla see FRAMES --out RUN --preset lusr
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import VAE, Posterior
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.image_model import Given
from darla.vision.models.networks import Encoder, architecture
from darla.vision.models.reconstruction import Terms
from darla.vision.models.registry import Supervision, register_model

_MOMENTUM = 0.01
"""Weight of a batch in the running mean of domain codes."""


@dataclass(frozen=True)
class LUSRConfig(LatentModelConfig):
    """A cycle-consistent VAE: its networks and its objective."""

    latent_dim: int = 16
    """Latents that all domains share, the only ones that policies read; 16 in the authors' code."""
    domain_dim: int = 8
    """Numbers in the code of the domain; 8 in the authors' code."""
    beta: float = 5.0
    """Weight of the KL divergence beside half a squared error; 5 is what the authors' weight of 10 amounts to."""
    cycle_weight: float = 1.0
    """Weight of the cycle-consistency loss, in the authors' unit: beside the mean squared error of a pixel."""
    likelihood: str = "gaussian"
    """Pixel term; squared errors as in the authors' code."""
    pixel_std: float = 1.0
    """Standard deviation of the pixels; with 1 the term is half the squared error."""
    domains: int = 0
    """Number of domains. Set by the frames; not given by hand."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        super().__post_init__()
        require_non_negative(self, "beta", "cycle_weight")
        if self.domain_dim < 1:
            raise InputError(f"domain_dim must be at least 1, not {self.domain_dim}")
        if self.domains < 0 or self.domains == 1:
            raise InputError(f"domains is {self.domains}, but at least 2 are needed")

    def for_frames(self, frames: object) -> Self:
        """Return the configuration with the number of domains of the frames.

        Raises:
            InputError: they are of one domain, or of another number than was given.
        """
        domains = len(np.unique(getattr(frames, "domain_ids", ())))
        if domains < 2 or self.domains not in (0, domains):
            raise InputError(f"model 'lusr' needs {self.domains or 'two or more'} domains; these frames have {domains}")
        return replace(self, domains=domains)


@register_model(
    "lusr",
    label="LUSR",
    symbol="β",
    weight="beta",
    needs=Supervision(domain_ids=True),
    presets={"lusr": {}},
)
class LUSR(VAE):
    """L = (rec(x, z, d) + rec(x, z, d')) / 2 + beta KL(q(z|x) || N(0, I)) + cycle, minimized.

    The encoder gives q(z|x) and the domain code d(x). The first term decodes z with the image's own d and with that of
    another image of the same domain (forward cycle). The second cycle decodes one random z with the codes of two
    domains and encodes both images again: cycle = w P/4 mean |z_1 - z_2|, for P pixels times channels. The decoder gets
    no gradient from it. (The authors' code adds means over pixels: twice this loss divided by P/2.)

    `encode` returns q(z|x) alone; `decode` draws z with the mean domain code of the training.
    """

    Config = LUSRConfig
    config: LUSRConfig
    domain_mean: Tensor

    def setup(self) -> None:
        """Make room for the domain code in both networks."""
        config = self.config
        shape, both = architecture(config.network, config.width), config.latent_dim + config.domain_dim
        outputs = 2 * config.latent_dim + config.domain_dim
        self.encoder = Encoder(shape, self.image_shape, outputs, config.activation)
        self.decoder = self.reconstruction.build_decoder(replace(config, latent_dim=both), self.image_shape)
        self.register_buffer("domain_mean", torch.zeros(config.domain_dim))

    def encode_all(self, images: Tensor) -> tuple[Posterior, Tensor]:
        """Return q(z|x) and the domain codes, (N, domain_dim), of images, float32 (N, C, H, W) in [0, 1]."""
        latents = self.config.latent_dim
        outputs = self.encoder(images)
        return Posterior(outputs[:, :latents], outputs[:, latents : 2 * latents]), outputs[:, 2 * latents :]

    def encode(self, images: Tensor) -> Posterior:
        """Return q(z|x) for images, float32 (N, C, H, W) in [0, 1]."""
        return self.encode_all(images)[0]

    def domain_code(self, images: Tensor) -> Tensor:
        """Return the domain codes of images, float32 (N, domain_dim)."""
        return self.encode_all(images)[1]

    def decode(self, latents: Tensor) -> Tensor:
        """Return images of latents (N, D) in the mean look of the training, float32 (N, C, H, W) in [0, 1]."""
        return self.decode_all(latents, self.domain_mean.expand(len(latents), -1))

    def decode_all(self, latents: Tensor, domains: Tensor) -> Tensor:
        """Return images of latents (N, D) in the looks of domain codes (N, domain_dim)."""
        return self.reconstruction.to_image(self.decoder(torch.cat([latents, domains], dim=1)))

    def penalty(self, posterior: Posterior, latents: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Terms]:
        """Return beta KL, and `kl` before beta."""
        kl = posterior.kl()
        return self.config.beta * kl, {"kl": kl}

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms; image j of each unit is of domain j.

        `pixel` (or `perceptual`) is the mean of both reconstructions, `cycle` the mean absolute difference.
        """
        posterior, codes = self.encode_all(images)
        latents = posterior.sample(generator)
        penalty, penalty_terms = self.penalty(posterior, latents, generator)

        shuffled = shuffle_within(codes, self.config.domains, generator)
        forward, forward_terms = self.reconstruction(
            self.decoder(torch.cat([latents.repeat(2, 1), torch.cat([codes, shuffled])], dim=1)),
            images.repeat(2, 1, 1, 1),
        )
        cycle = self.cycle(codes, generator)
        height, width, channels = self.image_shape
        weight = self.config.cycle_weight * height * width * channels / 4
        if self.training:
            with torch.no_grad():
                self.domain_mean.lerp_(codes.float().mean(dim=0), _MOMENTUM)
        loss = forward + penalty + weight * cycle
        return {"loss": loss, **penalty_terms, **forward_terms, "cycle": cycle}

    def cycle(self, codes: Tensor, generator: torch.Generator | None) -> Tensor:
        """Return the mean absolute difference of z when one z is drawn in two domains and both images are encoded.

        Args:
            codes: domain codes of the batch, (N, domain_dim), image j of each unit of domain j.
            generator: of z, of the noise and of the pairs of domains.
        """
        domains, units = self.config.domains, len(codes) // self.config.domains
        on: dict[str, Any] = {"generator": generator, "device": codes.device}
        z = torch.randn((units, self.latent_dim), **on)
        first = torch.randint(domains, (units,), **on)
        second = (first + torch.randint(1, domains, (units,), **on)) % domains
        rows = torch.arange(units, device=codes.device) * domains
        with torch.no_grad():
            images = self.decode_all(z.repeat(2, 1), torch.cat([codes[rows + first], codes[rows + second]]))
        again = self.encode(images).sample(generator)
        return (again[:units] - again[units:]).abs().mean()


def shuffle_within(codes: Tensor, domains: int, generator: torch.Generator | None = None) -> Tensor:
    """Permute codes, (N, D), among the images of each domain independently; code j of each unit is of domain j."""
    units = codes.reshape(-1, domains, codes.shape[1])
    order = torch.rand(units.shape[:2], generator=generator, device=codes.device).argsort(0)
    shuffled: Tensor = units.gather(0, order[..., None].expand_as(units)).flatten(0, 1)
    return shuffled
