"""Training images per second: this toolkit's loop against the same network in plain float32 PyTorch.

    python -m benchmarks.vae_training [--model pixel|perceptual|features|dae] [--threads 1] [--repeats 7]

The sides take turns within one process, a chunk of steps each, so that whatever else the machine does hits them
alike; the table gives medians over the chunks. Each side does a whole training step: it gathers the batch from uint8
frames, computes the loss, its gradient and an Adam step. `plain float32` is the loop of a tutorial; `plain bfloat16`
adds autocast and channels_last to it, which shows what the toolkit's own work on top of those is worth.

`dae` is the denoising autoencoder of the preset `darla`, in its batches of 32. It changes the hues of its images and
masks a part of each; the plain sides mask alone.

`features` is the preset `darla`. There the toolkit computes J(x) of each image once and the plain sides in every batch;
the time it takes for that is measured by itself and spread over the preset's passes through its frames.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from darla.common import limit_threads
from darla.vision import (
    DAE,
    BetaVAE,
    BetaVAEConfig,
    DAEConfig,
    FeatureSpace,
    PerceptualConfig,
    SeeConfig,
    train_model,
)
from darla.vision.presets import ENCODERS
from darla.vision.training.devices import DevicePrecision, cpu_has_bfloat16, place
from darla.vision.training.fused_conv import fuse_for_cpu
from darla.vision.training.known_features import known_features

BATCH = 64
FRAMES = 40_000
"""Of the demonstration, which trains the preset."""
WARM_UP = 3
"""Steps of each side before anything is timed: oneDNN compiles its kernels in the first."""


def convolutions(active: Callable[[], nn.Module]) -> list[nn.Module]:
    """Return the layers from an image to 1024 features."""
    return [
        nn.Conv2d(3, 32, 4, 2, 1), active(), nn.Conv2d(32, 32, 4, 2, 1), active(),
        nn.Conv2d(32, 64, 4, 2, 1), active(), nn.Conv2d(64, 64, 4, 2, 1), active(), nn.Flatten(),
    ]  # fmt: skip


def deconvolutions(active: Callable[[], nn.Module]) -> list[nn.Module]:
    """Return the layers from 1024 features to an image."""
    return [
        nn.Unflatten(1, (64, 4, 4)), nn.ConvTranspose2d(64, 64, 4, 2, 1), active(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), active(), nn.ConvTranspose2d(32, 32, 4, 2, 1), active(),
        nn.ConvTranspose2d(32, 3, 4, 2, 1),
    ]  # fmt: skip


class PlainVAE(nn.Module):
    """DARLA's beta-VAE as one writes it down: no layer of the toolkit in it."""

    def __init__(self) -> None:
        super().__init__()
        relu = nn.ReLU
        self.encoder = nn.Sequential(
            *convolutions(relu), nn.Linear(1024, 256), relu(), nn.Linear(256, 64),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(32, 256), relu(), nn.Linear(256, 1024), relu(), *deconvolutions(relu)
        )  # fmt: skip

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, and mean and log-variance of the posterior."""
        mean, log_variance = self.encoder(images).float().chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(z).float(), mean, log_variance


class PlainFeatures(nn.Module):
    """J as one writes it down: a DAE's first three convolutions, before the last one's activation."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, 32, 4, 2, 1),
            nn.ELU(),
            nn.Conv2d(32, 32, 4, 2, 1),
            nn.ELU(),
            nn.Conv2d(32, 64, 4, 2, 1),
        )
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the features, in float32."""
        features: Tensor = self.layers(images)
        return features.float()


class PlainFeatureVAE(PlainVAE):
    """The same with a decoder to the 128 features of a bottleneck."""

    def __init__(self) -> None:
        super().__init__()
        relu = nn.ReLU
        self.decoder = nn.Sequential(
            nn.Linear(32, 256), relu(), nn.Linear(256, 256), relu(), nn.Linear(256, 128)
        )  # fmt: skip


class PlainBottleneck(nn.Module):
    """J as one writes it down where it is a DAE's bottleneck: four convolutions, a linear layer, whitening."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(*convolutions(nn.ELU), nn.Linear(1024, 128))
        self.register_buffer("mean", torch.zeros(128))
        self.register_buffer("transform", torch.eye(128))
        self.requires_grad_(False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the whitened features, in float32."""
        features: Tensor = (self.layers(images).float() - self.mean) @ self.transform
        return features


def plain_side(frames: np.ndarray[Any, Any], loss: str, reduced: bool) -> Callable[[], None]:
    """Return a function that takes one plain training step."""
    model = PlainFeatureVAE() if loss == "features" else PlainVAE()
    features = PlainBottleneck() if loss == "features" else PlainFeatures()
    if reduced:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        features.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    rng = np.random.default_rng(0)

    def step() -> None:
        batch = torch.from_numpy(frames[rng.integers(0, len(frames), BATCH)])
        images = batch.permute(0, 3, 1, 2).float() / 255
        if not reduced:
            images = images.contiguous()
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            outputs, mean, log_variance = model(images)
            if loss == "pixel":
                distance = functional.binary_cross_entropy_with_logits(outputs, images, reduction="sum") / BATCH
            else:
                with torch.no_grad():
                    target = features(images)
                predicted = outputs if loss == "features" else features(outputs.sigmoid())
                distance = 0.5 * (predicted - target).square().sum() / BATCH
        kl = 0.5 * (mean.square() + log_variance.exp() - log_variance - 1).sum() / BATCH
        (distance + kl).backward()
        optimizer.step()

    return step


def plain_denoiser(frames: np.ndarray[Any, Any], reduced: bool) -> Callable[[], None]:
    """Return a function that takes one plain training step of a denoising autoencoder of DARLA's size."""
    elu = nn.ELU
    model = nn.Sequential(*convolutions(elu), nn.Linear(1024, 128), nn.Linear(128, 1024), elu(), *deconvolutions(elu))
    if reduced:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    size = batch_size("dae")
    rng = np.random.default_rng(0)

    def step() -> None:
        batch = torch.from_numpy(frames[rng.integers(0, len(frames), size)])
        images = batch.permute(0, 3, 1, 2).float() / 255
        if not reduced:
            images = images.contiguous()
        masked = images.clone()
        for image, (top, left, height, width) in zip(masked, rng.integers(1, 32, (size, 4)), strict=True):
            image[:, top : top + height, left : left + width] = 0
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=reduced):
            outputs = model(masked)
        (0.5 * (outputs.float().sigmoid() - images).square().sum() / size).backward()
        optimizer.step()

    return step


def batch_size(loss: str) -> int:
    """Return the images of a step."""
    return ENCODERS["darla"].dae_training.batch_size if loss == "dae" else BATCH


def our_model(loss: str) -> DAE | BetaVAE:
    """Return the toolkit's model of the same size."""
    if loss == "dae":
        return DAE(ENCODERS["darla"].dae)
    if loss == "pixel":
        return BetaVAE(BetaVAEConfig())
    layer = "bottleneck" if loss == "features" else "conv3"
    config = BetaVAEConfig(loss=loss, perceptual=PerceptualConfig(layer=layer))
    return BetaVAE(config, FeatureSpace(DAE(DAEConfig()), config.perceptual))


def with_known_features(rates: Sequence[float], frames: np.ndarray[Any, Any], repeats: int) -> list[float]:
    """Return rates of steps as those of a whole training, J(x) of all images before it included."""
    preset = ENCODERS["darla"].training
    passes = preset.steps * preset.batch_size / FRAMES
    model, precision = our_model("features"), DevicePrecision.choose("auto", "cpu")
    fuse_for_cpu(model)
    place(model, precision.device)
    rows, seconds = np.arange(len(frames)), []
    for _ in range(repeats + 1):
        begun = time.perf_counter()
        known_features(model, frames, rows, 2 * len(rows), precision)[0].of(rows[:1])
        seconds.append((time.perf_counter() - begun) / len(rows))
    print(f"J(x) once: {1 / statistics.median(seconds[1:]):.0f} images/s; {passes:.1f} passes")
    return [1 / (1 / rate + statistics.median(seconds[1:]) / passes) for rate in rates]


def measure(loss: str, repeats: int, steps: int) -> dict[str, list[float]]:
    """Return images per second of each side, one number for each chunk of steps."""
    frames = np.random.default_rng(0).integers(0, 256, (1024, 64, 64, 3), dtype=np.uint8)
    size = batch_size(loss)

    def plain_step(reduced: bool) -> Callable[[], None]:
        return plain_denoiser(frames, reduced) if loss == "dae" else plain_side(frames, loss, reduced)

    plain = {"plain float32": plain_step(reduced=False)}
    if cpu_has_bfloat16():
        plain["plain bfloat16, channels_last"] = plain_step(reduced=True)
    for take_step in plain.values():
        for _ in range(WARM_UP):
            take_step()
    rates: dict[str, list[float]] = {"darla": [], **{name: [] for name in plain}}
    started = 0.0

    def take_turns(row: Mapping[str, float]) -> dict[str, float]:
        nonlocal started
        if started:
            rates["darla"].append(steps * size / (time.perf_counter() - started))
            for name, take_step in plain.items():
                begun = time.perf_counter()
                for _ in range(steps):
                    take_step()
                rates[name].append(steps * size / (time.perf_counter() - begun))
        started = time.perf_counter()
        return {}

    # The first chunk warms up; the checkpoint, which is written once a thousand steps in earnest, falls into none.
    total = steps * (repeats + 1)
    training = SeeConfig().change(
        training__steps=total, training__log_every=steps, training__checkpoint_every=total, training__batch_size=size
    ).training  # fmt: skip
    with tempfile.TemporaryDirectory() as out:
        train_model(our_model(loss), frames, training, Path(out), seed=0, observe=take_turns)
    if loss == "features":
        rates["darla"] = with_known_features(rates["darla"], frames, repeats)
    return rates


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    losses = ["pixel", "perceptual", "features", "dae"]
    parser.add_argument("--model", choices=losses, default="pixel", help="reconstruction term")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch threads; all sides use as many")
    parser.add_argument("--repeats", type=int, default=7, help="timed chunks of each side")
    parser.add_argument("--steps", type=int, default=20, help="steps in a chunk")
    parser.add_argument("--require", type=float, help="fail below this ratio to plain float32")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    rates = measure(arguments.model, arguments.repeats, arguments.steps)
    medians = {name: statistics.median(values) for name, values in rates.items()}
    slowest = medians["plain float32"]
    print(f"\n{arguments.model} loss, batch {batch_size(arguments.model)}, {arguments.threads} thread(s), "
          f"torch {torch.__version__}, bfloat16 in hardware: {'yes' if cpu_has_bfloat16() else 'no'}")  # fmt: skip
    print(f"{'side':32}{'images/s':>10}{'range':>16}{'ratio':>8}")
    for name, values in rates.items():
        spread = f"{min(values):.0f} to {max(values):.0f}"
        print(f"{name:32}{medians[name]:10.0f}{spread:>16}{medians[name] / slowest:8.2f}")
    ratio = medians["darla"] / slowest
    if arguments.require and ratio < arguments.require:
        print(f"below the required ratio {arguments.require}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
