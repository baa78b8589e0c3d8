"""E. Bengio et al., Independently Controllable Features, RLDM 2017, arXiv 1703.07718; Thomas et al., arXiv 1708.01289.

Idea: a factor is what some policy can change without changing the rest, so each latent is learned with such policies.
Train: darla see FRAMES --out RUN --preset icf    (FRAMES: darla collect --sampling random_policy --unit transition)
"""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from darla.common import InputError
from darla.vision.models.base import LatentModel
from darla.vision.models.config import LatentModelConfig, require_non_negative
from darla.vision.models.image_model import Given
from darla.vision.models.networks import Float32Linear, architecture
from darla.vision.models.registry import Supervision, register_model

_LEAST = 1e-3
"""Added to the selectivity in the logarithm, as Thomas et al. add it in their reward: a move into a wall changes
nothing."""
_UNEVEN, _DEVIATIONS = 0.5, 5.0
"""Actions are not of a uniformly random policy if one is this share rarer or more frequent than the others, and by so
many standard deviations of its count."""


@dataclass(frozen=True)
class ICFConfig(LatentModelConfig):
    """An autoencoder whose latents are controlled by policies: its networks and its objective."""

    selectivity_weight: float = 10.0
    """λ, weight of the expected log selectivity."""
    directed: bool = True
    """Two policies for each latent, one that raises it and one that lowers it; otherwise one that changes it."""
    n_controlled: int = 0
    """Latents that have policies, the first ones; the others are free to encode what no action changes. 0 is all, as in
    the papers."""
    selectivity_eps: float = 1e-3
    """Added to the sum of all latents' changes, in units of the codes; it bounds the selectivity's gradient by 1 / eps.
    At the start an action changes a code by some 1e-3. With 1e-4, as in the authors' code, the states with the least
    change outweigh the others; with 1e-2 latents do not compete, and two of them may take the same factor."""
    policy_rate: float = 3.0
    """Learning rate of the policies in units of the model's: they should follow the codes, since the codes of uniform
    policies are driven to change as little as possible."""
    n_actions: int = 0
    """Actions that the policies choose from; 0 is those of the frames."""

    def __post_init__(self) -> None:
        """Refuse invalid values."""
        super().__post_init__()
        require_non_negative(self, "selectivity_weight", "n_actions")
        for name in ("selectivity_eps", "policy_rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.n_controlled <= self.latent_dim:
            raise InputError(
                f"n_controlled must be at most the number of latents, {self.latent_dim}, not {self.n_controlled}"
            )

    def for_frames(self, frames: object) -> Self:
        """Return the configuration with the number of actions of the frames.

        Args:
            frames: transitions with `actions`, (T,).

        Raises:
            InputError: the actions are no integers from 0 on, `n_actions` is too small for them, or they are not of a
                uniformly random policy.
        """
        actions = np.asarray(getattr(frames, "actions", ()))
        if actions.ndim != 1 or not np.issubdtype(actions.dtype, np.integer) or not len(actions) or actions.min() < 0:
            raise InputError(
                f"model 'icf' needs discrete actions, numbers from 0 on, not {actions.dtype} of shape {actions.shape}"
            )
        count = int(actions.max()) + 1
        if self.n_actions and self.n_actions < count:
            raise InputError(f"n_actions is {self.n_actions}, but the frames have the action {count - 1}")
        config = replace(self, n_actions=self.n_actions or count)
        share, size = 1 / config.n_actions, len(actions)
        deviation = np.abs(np.bincount(actions, minlength=config.n_actions) - size * share)
        uneven = (deviation > _UNEVEN * size * share) & (deviation > _DEVIATIONS * math.sqrt(size * share))
        if uneven.any():
            action = int(uneven.argmax())
            raise InputError(
                f"model 'icf' needs transitions of a uniformly random policy, but of {size} actions {action} has "
                f"{int((actions == action).sum())} where {size * share:.0f} are expected"
            )
        return config


def selectivity(change: Tensor, eps: float, n_controlled: int, directed: bool) -> Tensor:
    """Return by how much each latent changes, as a share of the change of all latents (equation 1 of Bengio et al.).

    Args:
        change: f(s') - f(s), (N, D).
        eps: added to the sum of all changes.
        n_controlled: of the first so many latents, K.
        directed: whether the sign counts.

    Returns:
        (N, K) in [0, 1]; directed (N, 2 K) in [-1, 1]: the selectivity of raising each latent, then of lowering each.
    """
    total = eps + change.abs().sum(dim=1, keepdim=True)
    controlled = change[:, :n_controlled]
    numerator = torch.cat([controlled, -controlled], dim=1) if directed else controlled.abs()
    return numerator / total


def log_selectivity(values: Tensor, directed: bool) -> Tensor:
    """Return the logarithm of selectivities, (N, P), shifted and scaled so that it is 0 at 1 and finite everywhere.

    Of a directed one, s in [-1, 1], it is log (1 + s) / 2: Bengio et al. replace log s by log (1 + s).
    """
    share = (1 + values) / 2 if directed else values
    return ((share + _LEAST) / (1 + _LEAST)).log()


@register_model(
    "icf",
    label="ICF",
    symbol="λ",
    weight="selectivity_weight",
    needs=Supervision(actions=True),
    # A square of the grid world has two factors. With 64 transitions in a batch instead of 256, the estimate's noise
    # left both latents with the same factor for some seeds.
    presets={"icf": {"latent_dim": 2, "vae__activation": "elu", "training__batch_size": 512}},
)
class ICF(LatentModel):
    """L = reconstruction - lambda E_s sum_k sum_a pi_k(a|s) log sel(s, a, k), minimized (equation 2 of Bengio et al.).

    sel(s, a, k) = |f_k(s') - f_k(s)| / (eps + sum_k' |f_k'(s') - f_k'(s)|), s' the state after action a. Encoder f
    and decoder g are those of every latent model: the decoder reads the codes f(s) and nothing else. The policies are a
    linear layer on the encoder's last hidden layer.

    The transitions are those of a uniformly random policy over A actions, so each state is seen with one action. The
    sum over actions is estimated by importance weights, pi_k(a|s) / (1/A) at the action taken. Its expectation is
    that sum, and so is that of its gradient, in f and in pi: no REINFORCE is needed. A baseline makes the policies'
    gradient less noisy.

    Directed: every latent has two policies, and the numerator is f_k(s') - f_k(s) for the one and its negative for the
    other. Bengio et al. have one policy, which raises its latent, so that four moves of a square need four latents,
    two of which change with each move: no selectivity is then above 1/2.
    """

    Config = ICFConfig
    config: ICFConfig

    def setup(self) -> None:
        """Add the policies."""
        config = self.config
        if config.n_actions < 1:
            raise InputError("n_actions is 0, which stands for those of the frames, but there are no frames here")
        self.n_controlled = config.n_controlled or config.latent_dim
        self.n_policies = self.n_controlled * (2 if config.directed else 1)
        width = architecture(config.network, config.width).hidden[-1]
        self.policy_head = Float32Linear(width, self.n_policies * config.n_actions)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Return the model's parameters, and the policies' with a learning rate of their own."""
        (group,) = super().parameter_groups()
        policies = list(self.policy_head.parameters())
        of_policies = {id(parameter) for parameter in policies}
        others = [parameter for parameter in group["params"] if id(parameter) not in of_policies]
        return [{**group, "params": others}, {"params": policies, "lr_scale": self.config.policy_rate}]

    def _hidden(self, images: Tensor) -> Tensor:
        hidden: Tensor = self.encoder.hidden(self.encoder.convolutions(images).flatten(1))
        return hidden

    def _policies(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.policy_head(hidden)
        return logits.view(-1, self.n_policies, self.config.n_actions).softmax(-1)

    def policies(self, images: Tensor) -> Tensor:
        """Return the probability of each action under each policy, (N, P, A).

        P is K, the number of controlled latents; or 2 K if directed, first those that raise each latent, then those
        that lower it.

        Args:
            images: float32 (N, C, H, W) in [0, 1].
        """
        return self._policies(self._hidden(images))

    def loss(
        self, images: Tensor, generator: torch.Generator | None = None, supervision: Given | None = None
    ) -> dict[str, Tensor]:
        """Return the loss and its terms.

        `selectivity` is the mean of E_pi sel over states and policies, which is 1 where every policy changes nothing
        but its latent; `log_selectivity` is the sum over policies that the loss contains; `pixel`, `perceptual`.

        Args:
            images: images before an action and after it, by turns.
            generator: not used.
            supervision: `actions`, int64 (U,).
        """
        assert supervision is not None
        hidden = self._hidden(images)
        codes = self.encoder.head(hidden)
        reconstruction, terms = self.reconstruction(self.decoder(codes), images)

        actions = supervision["actions"][:, None, None].expand(-1, self.n_policies, 1)
        weights = self.config.n_actions * self._policies(hidden[0::2]).gather(2, actions)[..., 0]  # pi_k(a|s) / (1/A)
        change = codes[1::2] - codes[0::2]
        values = selectivity(change, self.config.selectivity_eps, self.n_controlled, self.config.directed)  # (U, P)
        gain = weights * log_selectivity(values, self.config.directed)
        expected_log = gain.sum(dim=1).mean()
        # A policy's weights have mean 1 whatever it is, so a constant times them has no gradient on average. The mean
        # gain of the other transitions is taken off each: the same gradient on average, with less noise.
        gain = gain.detach()
        baseline = (gain.sum(dim=0) - gain) / max(1, len(gain) - 1)
        control = ((weights - weights.detach()) * baseline).sum(dim=1).mean()  # is 0, its gradient is not
        return {
            "loss": reconstruction - self.config.selectivity_weight * (expected_log - control),
            "selectivity": (weights * values).mean(),
            "log_selectivity": expected_log,
            **terms,
        }
