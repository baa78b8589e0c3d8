"""Small encoders and short trainings, so that agents can be tested in seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from toy_images import SIZE, Columns

from darla.agents import A2CSettings, ActConfig, DQNSettings, MFECSettings, PPOSettings
from darla.common import complete_artefact, start_artefact
from darla.common.files import save_tensors
from darla.vision import SeeConfig, VisionModel, encode_images
from darla.vision.encoders.encode import fit_normalizer
from darla.vision.encoders.load import build_model
from darla.vision.models.base import Posterior


class BatchNormalized(VisionModel):
    """An encoder with what drifts when a model is not in evaluation mode; counts how often it is asked."""

    def __init__(self, latent_dim: int = 6) -> None:
        super().__init__(latent_dim, (SIZE, SIZE, 3))
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.convolution = nn.Conv2d(3, 8, SIZE // 4, stride=SIZE // 4)
            self.normalization = nn.BatchNorm2d(8)
            self.line = nn.Linear(8 * 16, 2 * latent_dim)
        self.codes_std.fill_(0.2)
        self.batches: list[int] = []

    def encode(self, images: Tensor) -> Posterior:
        self.batches.append(len(images))
        features = torch.relu(self.normalization(self.convolution(images)))
        mean, log_variance = self.line(features.flatten(1)).float().chunk(2, dim=1)
        return Posterior(mean, log_variance)

    def decode(self, latents: Tensor) -> Tensor:
        raise NotImplementedError

    def loss(self, images: Tensor, generator: torch.Generator | None = None) -> dict[str, Tensor]:
        raise NotImplementedError


def frames(count: int, size: int = SIZE) -> np.ndarray:
    """Return images that `Columns` shows, uint8 (count, size, size, 3)."""
    env = Columns(size)
    first, _ = env.reset(seed=1)
    return np.stack([first, *(env.step(0)[0] for _ in range(count - 1))])


def write_encoder(folder: Path, seed: int, size: int = SIZE) -> Path:
    """Write an encoder artefact: a beta-VAE with fresh weights and the normalizer of its codes."""
    config = SeeConfig().change(latent_dim=6)
    record = {"see": config.to_dict(), "image_shape": [size, size, 3]}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = build_model(config, (size, size, 3))
    fit_normalizer(model, encode_images(model, frames(64, size)))
    start_artefact(folder, "encoder", record)
    save_tensors(folder / "model.safetensors", model.state_dict())
    complete_artefact(folder, "encoder", record, seed=seed, inputs={}, wall_seconds=0.0)
    return folder


SHORT = {
    "ppo": PPOSettings(n_envs=4, n_steps=16, batch_size=32),
    "a2c": A2CSettings(n_envs=4, n_steps=8),
    "dqn": DQNSettings(n_envs=4, train_freq=1, batch_size=16, buffer_size=400, learning_starts=50),
    "mfec": MFECSettings(n_envs=4, neighbors=5, capacity=100, projection=16),
}
"""Settings for runs of a few seconds."""


def short(algorithm: str = "ppo", **changes: Any) -> ActConfig:
    """Return a configuration of a few seconds, in three segments."""
    settings = SHORT[algorithm]
    return ActConfig(
        **{
            "algorithm": algorithm,
            "env_steps": 900,
            "settings": settings,
            "checkpoint_interval": 300,
            "log_window": 200,
            "snapshots": 3,
            "precision": "auto",
            **changes,
        }
    )
