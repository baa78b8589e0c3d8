"""Reed, Sohn, Zhang & Lee, Learning to Disentangle Factors of Variation with Manifold Interaction, ICML 2014.

Idea: two groups of hidden units multiply each other's effect on the image, and pairs say what one of them has to share.
Train: darla see FRAMES --out RUN --model disbm    (preset disbm; with pairs of images: disbm_pairs, preset disbm-pairs)
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import InputError, unknown_name
from darla.vision.models.base import DeterministicPosterior, Posterior, VisionModel
from darla.vision.models.config import VisionModelConfig
from darla.vision.models.feature_space import FeatureSpace
from darla.vision.models.image_model import Given
from darla.vision.models.registry import Supervision, register_model
from darla.vision.models.three_way_boltzmann import State, ThreeWayBoltzmann, draw

VISIBLES = ("bernoulli", "gaussian")
TRAINING = {"training__learning_rate": 6e-3, "training__batch_size": 128, "training__steps": 3000}
"""Of the presets; that for docs/disentanglers.md. Gradients of contrastive divergence are noisy."""
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class DisBMConfig(VisionModelConfig):
    """A disentangling Boltzmann machine: its units, its inference and its sampling. Defaults are ours."""

    latent_dim: int = 128
    """Hidden units of both groups; the code is their probabilities, those of m (pose) first, then those of h."""
    pose_units: int | None = None
    """How many of them are m; half of them if not given. The rest are h (identity)."""
    factors: int = 192
    """Terms of the three-way interaction of v, m and h; 0 leaves an RBM with hidden units [m; h]."""
    pool: int = 4
    """Side of the squares of pixels whose mean is a visible unit: 1, 2, 4, 8 or 16. 4 turns 64 x 64 into 16 x 16."""
    visible: str = "bernoulli"
    """`bernoulli` (pixels are the probabilities of binary units) or `gaussian`."""
    pixel_std: float | None = None
    """Standard deviation of `gaussian` visible units given the hidden ones, in units of the pixel range; 0.1 if not
    given."""
    pixel_mean: float = 0.5
    """Mean pixel before training, in (0, 1): where the visible biases start. About that of the images, it keeps
    persistent chains from a start in which all pixels are wrong."""
    std: float = 0.01
    """Standard deviation of the initial pairwise weights."""
    three_way_std: float = 0.1
    """Standard deviation of the initial weights to the factors. The interaction is a product of three of them: large
    ones make the posterior of m and h ambiguous from the start, and at 0 their gradient is 0."""
    mean_field_iterations: int = 5
    """Updates of both groups of hidden units in the positive phase and in `encode`."""
    damping: float = 0.0
    """Share of the mean-field probabilities that an update keeps, in [0, 1)."""
    gibbs_steps: int = 1
    """Gibbs sweeps over v, m and h in the negative phase of each step, k of CD-k or PCD-k."""
    chains: int = 0
    """Persistent Markov chains of the negative phase (PCD, Tieleman 2008); 0 starts at the data (CD, Hinton 2002)."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        if self.latent_dim < 2:
            raise InputError(f"latent_dim must be at least 2, one unit for each group, not {self.latent_dim}")
        if self.pose_units is not None and not 1 <= self.pose_units < self.latent_dim:
            raise InputError(f"pose_units must be from 1 to {self.latent_dim - 1}, not {self.pose_units}")
        for name, least in (("factors", 0), ("mean_field_iterations", 1), ("gibbs_steps", 1), ("chains", 0)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if self.pool not in (1, 2, 4, 8, 16):
            raise InputError(f"pool must be 1, 2, 4, 8 or 16, not {self.pool}")
        if self.visible not in VISIBLES:
            raise unknown_name("visible", self.visible, VISIBLES)
        if self.pixel_std is not None and self.visible != "gaussian":
            raise InputError(f"pixel_std {self.pixel_std} would be ignored: it belongs to visible 'gaussian' only")
        for name in ("pixel_std", "std", "three_way_std"):
            if getattr(self, name) is not None and not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 < self.pixel_mean < 1:
            raise InputError(f"pixel_mean must be above 0 and below 1, not {self.pixel_mean}")
        if not 0 <= self.damping < 1:
            raise InputError(f"damping must be a fraction in [0, 1), not {self.damping}")

    @property
    def n_pose(self) -> int:
        """Units of m."""
        return self.latent_dim // 2 if self.pose_units is None else self.pose_units


@register_model("disbm", label="disBM", presets={"disbm": TRAINING})
class DisBM(VisionModel):
    """E(v, m, h) of `ThreeWayBoltzmann`; -log p(v) is minimized, p(v) = sum_{m, h} exp(-E) / Z.

    Its gradient is <dE>_{m, h | v} - <dE>_model. The first mean is taken at the mean-field probabilities of m and h,
    the second at samples of block Gibbs sampling, v at its mean given the sampled m and h. The loss is E at the first
    states minus E at the second, neither of which it differentiates; so its gradient is that difference and its value
    is no likelihood. `reconstruction` is the cross-entropy of v with its mean given the mean-field m and h (half the
    squared error of Gaussian v), in nats an image.

    v are means over squares of pixels, and a decoded image has one value in each square. With `chains`, the states of
    the Markov chains are buffers. Several processes keep those of the first one.
    """

    Config: type[DisBMConfig] = DisBMConfig
    config: DisBMConfig
    has_prior = True  # probabilities have a scale of their own

    def __init__(
        self,
        config: DisBMConfig,
        feature_space: FeatureSpace | None = None,
        image_shape: tuple[int, int, int] = (64, 64, 3),
    ) -> None:
        super().__init__(config.latent_dim, image_shape)
        if feature_space is not None:
            raise InputError("model 'disbm' has no use for a DAE")
        self.config = config
        self.n_pose, n_identity = config.n_pose, config.latent_dim - config.n_pose
        height, width, channels = image_shape
        self.visible_shape = (channels, height // config.pool, width // config.pool)
        visible = channels * self.visible_shape[1] * self.visible_shape[2]
        gaussian = config.visible == "gaussian"
        self.unit = (config.pixel_std or 0.1) if gaussian else 1.0
        self.machine = ThreeWayBoltzmann(
            visible, self.n_pose, n_identity, config.factors, gaussian, config.std, config.three_way_std
        )
        mean = config.pixel_mean
        nn.init.constant_(self.machine.a, mean / self.unit if gaussian else math.log(mean / (1 - mean)))
        if config.chains:
            for images in self.images_per_unit():
                self.register_buffer(f"chains_m_{images}", torch.rand(config.chains, images, self.n_pose).round())
                self.register_buffer(f"chains_h_{images}", torch.rand(config.chains, 1, n_identity).round())

    def images_per_unit(self) -> tuple[int, ...]:
        """Return for each part of the loss how many images share h."""
        return (1,)

    def to_visible(self, images: Tensor) -> Tensor:
        """Return the visible units of images, (N, V), in units of their standard deviation if they are Gaussian."""
        # Two sums, rows first, take a fraction of the time of avg_pool2d on a CPU.
        count, side, (channels, height, width) = len(images), self.config.pool, self.visible_shape
        rows = images.reshape(count, channels, height, side, width * side).sum(3)
        sums = rows.reshape(count, channels, height, width, side).sum(4)
        return sums.flatten(1) / (side**2 * self.unit)

    def to_image(self, visible: Tensor) -> Tensor:
        """Return the images whose visible units these are, (N, C, H, W) in [0, 1]: one value in each square."""
        squares = (visible * self.unit).clamp(0, 1).reshape(-1, *self.visible_shape)
        side = self.config.pool
        return squares.repeat_interleave(side, 2).repeat_interleave(side, 3)

    def mean_field(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean-field probabilities of m and h for units of images, v (U, k, V)."""
        return self.machine.mean_field(v, self.config.mean_field_iterations, self.config.damping)

    def encode(self, images: Tensor) -> Posterior:
        """Return the mean-field probabilities [m, h] of images, float32 (N, C, H, W) in [0, 1]; m are the first."""
        with torch.autocast(images.device.type, enabled=False):
            m, h = self.mean_field(self.to_visible(images)[:, None])
        return DeterministicPosterior.at(torch.cat([m[:, 0], h[:, 0]], 1))

    def decode(self, latents: Tensor) -> Tensor:
        """Return the mean of p(v | m, h) as images, float32 (N, C, H, W) in [0, 1], for latents [m, h] (N, D)."""
        m, h = latents[:, None, : self.n_pose], latents[:, None, self.n_pose :]
        with torch.autocast(latents.device.type, enabled=False):
            return self.to_image(self.machine.visible_mean(self.machine.visible_input(m, h))[:, 0])

    def traversal_range(self) -> Tensor:
        """Return the probabilities 0 and 1 for each unit, (2, D)."""
        return torch.tensor([[0.0], [1.0]]).expand(2, self.latent_dim)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss, whose gradient is that of -log p(v) an image, and `reconstruction`."""
        with torch.autocast(images.device.type, enabled=False):  # differences of energies need all their digits
            loss, reconstruction = self.contrast(self.to_visible(images)[:, None], generator)
        return {"loss": loss, "reconstruction": reconstruction}

    def contrast(self, v: Tensor, generator: torch.Generator | None) -> tuple[Tensor, Tensor]:
        """Return E at the data minus E at samples, and the reconstruction error, both an image.

        Args:
            v: units of k images that share h, (U, k, V).
            generator: source of the samples.
        """
        with torch.no_grad():
            m, h = self.mean_field(v)
        samples = self.negative_phase(m, h, generator)
        energies = self.machine.energy(*(torch.cat(both) for both in zip((v, m, h), samples, strict=True)))
        loss = energies[: len(v)].mean() - energies[len(v) :].mean()
        return loss / v.shape[1], self.reconstruction(v, m, h)

    @torch.no_grad()
    def negative_phase(self, m: Tensor, h: Tensor, generator: torch.Generator | None) -> State:
        """Return samples of the model after `gibbs_steps` sweeps: from the persistent chains, or from draws of m and h.

        Chains move in training alone, so that held-out losses do not change them.
        """
        images = m.shape[1]
        if self.config.chains:
            buffers = self.get_buffer(f"chains_m_{images}"), self.get_buffer(f"chains_h_{images}")
            m, h = self.machine.gibbs(*buffers, self.config.gibbs_steps, generator)
            if self.training:
                for buffer, value in zip(buffers, (m, h), strict=True):
                    buffer.copy_(value)
        else:
            m, h = self.machine.gibbs(draw(m, generator), draw(h, generator), self.config.gibbs_steps, generator)
        # Given m and h, v is at its mean instead of a sample: the same expectation with less noise.
        return self.machine.visible_mean(self.machine.visible_input(m, h)), m, h

    @torch.no_grad()
    def reconstruction(self, v: Tensor, m: Tensor, h: Tensor) -> Tensor:
        """Return minus the log-likelihood of v given m and h in nats an image, without constants."""
        inputs = self.machine.visible_input(m, h)
        if self.config.visible == "gaussian":
            return 0.5 * (v - inputs).square().sum(-1).mean()
        return (functional.softplus(inputs) - v * inputs).sum(-1).mean()

    @torch.no_grad()
    def sample(self, count: int, steps: int, generator: torch.Generator | None, images: Tensor | None = None) -> Array:
        """Draw images from the model, uint8 (count, H, W, C): the means of v given the m and h that were drawn.

        A model of pairs draws pairs: images 2 u and 2 u + 1 have the same h.

        Args:
            count: images.
            steps: Gibbs sweeps.
            generator: source of the random numbers, on the model's device.
            images: float32 (count, C, H, W) in [0, 1]; where the Markov chains start. If None, at random m and h, from
                where only a model that was trained with persistent chains can be expected to come to images.

        Raises:
            InputError: there are not `count` images to start at, or they are no pairs.
        """
        size = self.images_per_unit()[-1]
        if count % size:
            raise InputError(f"{count} samples are no whole number of pairs")
        if images is None:
            m = torch.full((count // size, size, self.n_pose), 0.5, device=self.device)
            h = torch.full((count // size, 1, self.latent_dim - self.n_pose), 0.5, device=self.device)
        elif len(images) == count:
            m, h = self.mean_field(self.to_visible(images).reshape(count // size, size, -1))
        else:
            raise InputError(f"{count} samples cannot start at {len(images)} images")
        m, h = self.machine.gibbs(draw(m, generator), draw(h, generator), steps, generator)
        v = self.machine.visible_mean(self.machine.visible_input(m, h))
        return self._to_uint8(self.to_image(v.flatten(0, 1)))

    @torch.no_grad()
    def swap(self, images: Tensor) -> Array:
        """Return the pose of image i with the identity of image j, uint8 (N, N, H, W, C).

        Args:
            images: float32 (N, C, H, W) in [0, 1].
        """
        count, codes = len(images), self.encode(images).mean
        m = codes[:, None, : self.n_pose].expand(-1, count, -1)
        h = codes[None, :, self.n_pose :].expand(count, -1, -1)
        swapped = self._to_uint8(self.decode(torch.cat([m, h], -1).flatten(0, 1)))
        return swapped.reshape(count, count, *swapped.shape[1:])

    @staticmethod
    def _to_uint8(images: Tensor) -> Array:
        pixels: Array = images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return pixels


@dataclass(frozen=True)
class DisBMPairsConfig(DisBMConfig):
    """A disentangling Boltzmann machine that is trained on pairs of images."""

    pair_weight: float = 1.0
    """w in (0, 1]: share of the pairs' likelihood in the loss; the rest is that of single images. 1 is clamping alone,
    as in the paper."""

    def __post_init__(self) -> None:
        """Refuse invalid values and options that would be ignored."""
        super().__post_init__()
        if not 0 < self.pair_weight <= 1:
            raise InputError(f"pair_weight must be in (0, 1], not {self.pair_weight}; model 'disbm' needs no pairs")


@register_model(
    "disbm_pairs",
    label="disBM (pairs)",
    symbol="w",
    weight="pair_weight",
    needs=Supervision(pairs=True),
    presets={"disbm-pairs": TRAINING},
)
class DisBMPairs(DisBM):
    """(1 - w) (-log p(v)) + w (-log p(v1, v2)) / 2, minimized.

    p(v1, v2) = sum_{m1, m2, h} exp(-E(v1, m1, h) - E(v2, m2, h)) / Z_2: one h for both images of a pair (clamping, the
    correspondence of the paper). h receives the inputs from both images; m1 and m2 are free, so that what differs
    within a pair has to be in m. The negative phase of a pair samples pairs.
    """

    Config = DisBMPairsConfig
    config: DisBMPairsConfig

    def images_per_unit(self) -> tuple[int, ...]:
        """Return for each part of the loss how many images share h."""
        return (1, 2) if self.config.pair_weight < 1 else (2,)

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss; its parts an image, `single` (if w < 1) and `pair`; and `reconstruction` with a shared h.

        Args:
            images: (2 U, C, H, W); 2 u and 2 u + 1 are a pair that shares the identity.
            generator: source of the samples.
            supervision: nothing is read from it.
        """
        with torch.autocast(images.device.type, enabled=False):
            v = self.to_visible(images)
            pair, reconstruction = self.contrast(v.reshape(-1, 2, v.shape[1]), generator)
            if self.config.pair_weight == 1:
                return {"loss": pair, "pair": pair, "reconstruction": reconstruction}
            single, _ = self.contrast(v[:, None], generator)
        loss = (1 - self.config.pair_weight) * single + self.config.pair_weight * pair
        return {"loss": loss, "single": single, "pair": pair, "reconstruction": reconstruction}
