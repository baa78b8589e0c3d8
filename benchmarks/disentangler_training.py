"""Training images per second of each disentangler: this toolkit against pythae, the same network in the same process.

    python -m pip install --no-deps pythae==0.1.2          # the peer; torch, pydantic and tqdm are there already
    python -m benchmarks.disentangler_training [--models beta_vae ...] [--repeats 5] [--steps 20] [--threads 1]

The network is that of the literature on dSprites (Locatello et al. 2019: 64 x 64 x 1, ten latents), the batch is 64
images, the likelihood Bernoulli, the optimizer Adam. Each side takes turns with the peer, a chunk of steps each.
pythae's models are stepped by the four lines of its trainers, forward, zero, backward, step, on batches gathered from
uint8 frames; its data loader, its callbacks and its copies of the model are left out, so it does nothing here that a
training could do without.

Models are those that both have. pythae's FactorVAE reconstructs one half of a batch and shuffles the codes of the
other half; darla's reconstructs all of it. DIP-VAE and QLAE have no counterpart there.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from darla.common import limit_threads
from darla.vision import MODELS, SeeConfig, train_model

BATCH, LATENTS = 64, 10
WARM_UP = 3
"""Steps of the peer before anything is timed: oneDNN compiles its kernels in the first."""
Step = Callable[[], None]


def peer_step(name: str, frames: np.ndarray[Any, Any]) -> Step:
    """Return a function that takes one training step of pythae's model.

    Args:
        name: of the model, as darla calls it.
        frames: uint8 (N, 64, 64, 1).
    """
    try:
        from pythae import models as peer
        from pythae.models.base.base_utils import ModelOutput
        from pythae.models.nn import BaseDecoder, BaseEncoder
    except ImportError as error:
        sys.exit(f"the peer is missing ({error}); pip install --no-deps pythae==0.1.2")

    class Encoder(BaseEncoder):  # type: ignore[misc, no-any-unimported]
        def __init__(self) -> None:
            super().__init__()
            relu = nn.ReLU
            self.body = nn.Sequential(
                nn.Conv2d(1, 32, 4, 2, 1), relu(), nn.Conv2d(32, 32, 4, 2, 1), relu(),
                nn.Conv2d(32, 64, 2, 2), relu(), nn.Conv2d(64, 64, 2, 2), relu(),
                nn.Flatten(), nn.Linear(1024, 256), relu(),
            )  # fmt: skip
            self.mean, self.log_variance = nn.Linear(256, LATENTS), nn.Linear(256, LATENTS)

        def forward(self, images: Tensor) -> Any:
            hidden = self.body(images)
            return ModelOutput(embedding=self.mean(hidden), log_covariance=self.log_variance(hidden))

    class Decoder(BaseDecoder):  # type: ignore[misc, no-any-unimported]
        def __init__(self) -> None:
            super().__init__()
            relu = nn.ReLU
            self.body = nn.Sequential(
                nn.Linear(LATENTS, 256), relu(), nn.Linear(256, 1024), relu(), nn.Unflatten(1, (64, 4, 4)),
                nn.ConvTranspose2d(64, 64, 4, 2, 1), relu(), nn.ConvTranspose2d(64, 32, 4, 2, 1), relu(),
                nn.ConvTranspose2d(32, 32, 4, 2, 1), relu(), nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid(),
            )  # fmt: skip

        def forward(self, codes: Tensor) -> Any:
            return ModelOutput(reconstruction=self.body(codes))

    settings = {"input_dim": (1, 64, 64), "latent_dim": LATENTS, "reconstruction_loss": "bce"}
    networks = {"encoder": Encoder(), "decoder": Decoder()}
    makers: Mapping[str, Callable[[], Any]] = {
        "beta_vae": lambda: peer.BetaVAE(peer.BetaVAEConfig(beta=4.0, **settings), **networks),
        "annealed_vae": lambda: peer.DisentangledBetaVAE(
            peer.DisentangledBetaVAEConfig(beta=100.0, C=25.0, **settings), **networks
        ),
        "factor_vae": lambda: peer.FactorVAE(peer.FactorVAEConfig(gamma=35.0, **settings), **networks),
        "beta_tc_vae": lambda: peer.BetaTCVAE(peer.BetaTCVAEConfig(beta=6.0, **settings), **networks),
        "info_vae": lambda: peer.INFOVAE_MMD(peer.INFOVAE_MMD_Config(**settings), **networks),
    }
    model = makers[name]().train()
    rng = np.random.default_rng(0)
    adversarial = name == "factor_vae"
    if adversarial:
        model.set_discriminator(_discriminator())
        pairs = [
            ("autoencoder_loss", torch.optim.Adam([*model.encoder.parameters(), *model.decoder.parameters()], lr=1e-4)),
            ("discriminator_loss", torch.optim.Adam(model.discriminator.parameters(), lr=1e-4)),
        ]
    else:
        pairs = [("loss", torch.optim.Adam(model.parameters(), lr=1e-4))]

    def step() -> None:
        batch = torch.from_numpy(frames[rng.integers(0, len(frames), BATCH)])
        images = (batch.permute(0, 3, 1, 2).float() / 255).contiguous()
        out = model({"data": images}, epoch=1, dataset_size=len(frames))
        for number, (loss, optimizer) in enumerate(pairs, start=1):
            optimizer.zero_grad()
            out[loss].backward(retain_graph=number < len(pairs))
        for _, optimizer in pairs:
            optimizer.step()

    return step


def _discriminator() -> Any:
    """Return pythae's discriminator with the paper's size, which is darla's: six layers of 1000 units."""
    from pythae.models.nn import BaseDiscriminator

    class Discriminator(BaseDiscriminator):  # type: ignore[misc, no-any-unimported]
        def __init__(self) -> None:
            super().__init__()
            sizes = [LATENTS, *[1000] * 6]
            layers = [part for a, b in pairwise(sizes) for part in (nn.Linear(a, b), nn.LeakyReLU(0.2))]
            self.body = nn.Sequential(*layers, nn.Linear(1000, 2))

        def forward(self, codes: Tensor) -> Any:
            return self.body(codes)

    return Discriminator()


def measure(name: str, repeats: int, steps: int) -> dict[str, list[float]]:
    """Return images per second of each side, one number for each chunk of steps."""
    # Sprites are few white pixels; what a pixel is does not change the work.
    frames = (np.random.default_rng(0).random((4096, 64, 64, 1)) < 0.05).astype(np.uint8) * 255
    step = peer_step(name, frames)
    for _ in range(WARM_UP):
        step()
    rates: dict[str, list[float]] = {"pythae": []}

    def ours(side: str, precision: str) -> None:
        rates[side], started = [], 0.0

        def take_turns(row: Mapping[str, float]) -> dict[str, float]:
            nonlocal started
            if started:
                rates[side].append(steps * BATCH / (time.perf_counter() - started))
                begun = time.perf_counter()
                for _ in range(steps):
                    step()
                rates["pythae"].append(steps * BATCH / (time.perf_counter() - begun))
            started = time.perf_counter()
            return {}

        total = steps * (repeats + 1)  # the first chunk warms up
        see = SeeConfig().with_model(name).change(
            latent_dim=LATENTS, vae__network="locatello", training__precision=precision, training__batch_size=BATCH,
            training__steps=total, training__log_every=steps, training__checkpoint_every=total,
        )  # fmt: skip
        torch.manual_seed(0)
        model = MODELS[name](see.vae, image_shape=(64, 64, 1))
        with tempfile.TemporaryDirectory() as out:
            train_model(model, frames, see.training, Path(out), seed=0, observe=take_turns)

    ours("darla", "auto")
    ours("darla, float32", "float32")
    return rates


def main() -> int:
    known = ("beta_vae", "annealed_vae", "factor_vae", "beta_tc_vae", "info_vae")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=known, default=known, help="which models")
    parser.add_argument("--threads", type=int, default=1, help="PyTorch threads; all sides use as many")
    parser.add_argument("--repeats", type=int, default=5, help="timed chunks of each side")
    parser.add_argument("--steps", type=int, default=20, help="steps in a chunk")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    lines = []
    for name in arguments.models:
        rates = measure(name, arguments.repeats, arguments.steps)
        medians = {side: statistics.median(values) for side, values in rates.items()}
        ours, single, peer = (medians[side] for side in ("darla", "darla, float32", "pythae"))
        lines.append(f"| `{name}` | {ours:.0f} | {single:.0f} | {peer:.0f} | {ours / peer:.2f} |")
    conditions = f"batch {BATCH}, {LATENTS} latents, {arguments.threads} thread(s), torch {torch.__version__}"
    print(f"\nimages/s, medians; {conditions}")
    print("| model | darla | darla, float32 | pythae | ratio |\n|---|---:|---:|---:|---:|")
    print("\n".join(lines))
    return 0


if __name__ == "__main__":
    sys.exit(main())
