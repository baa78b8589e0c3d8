"""Training images a second of JMVAE here and in multivae 1.0.3, with the same networks, weights and images.

    pip install --no-deps multivae==1.0.3 pythae==0.1.2     # and what they import: torchvision, pydantic, nltk
    python -m benchmarks.joint_training [--steps 30] [--batch 64]

Both sides do a training step with Adam in float32 and on one thread: the loss, its gradient, the update. Sides take
turns so that other work on the machine meets both; the median step counts. `darla` is also timed as it trains
(bfloat16, fused convolutions), which multivae has no option for.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from darla.common import limit_threads
from darla.vision.concepts.jmvae import JMVAE, JMVAEConfig
from darla.vision.models.beta_vae import BetaVAE, BetaVAEConfig
from darla.vision.training.fused_conv import fuse_for_cpu

SYMBOL = 51


def model() -> JMVAE:
    """Return a JMVAE on Locatello's network with 16 latents, for images of 64 x 64."""
    torch.manual_seed(0)
    vision = BetaVAE(BetaVAEConfig(network="locatello", latent_dim=16), None, (64, 64, 3))
    return JMVAE(JMVAEConfig(), vision, SYMBOL)


def stepper(network: torch.nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], float]:
    """Return a function that takes a training step and returns its seconds."""
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4, fused=True)

    def step() -> float:
        started = time.perf_counter()
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        return time.perf_counter() - started

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--batch", type=int, default=64)
    options = parser.parse_args()
    limit_threads(1)
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(options.batch, 3, 64, 64, generator=generator).round()
    symbols = (torch.rand(options.batch, SYMBOL, generator=generator) < 4 / SYMBOL).float()
    plain, trained = model(), fuse_for_cpu(model()).to(memory_format=torch.channels_last)
    channels_last = images.to(memory_format=torch.channels_last)

    def as_trained() -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return trained.objective(channels_last, symbols, None)["loss"]

    sides = {
        "darla, float32": stepper(plain, lambda: plain.objective(images, symbols, None)["loss"]),
        "darla, as it trains": stepper(trained, as_trained),
    }
    try:
        from jmvae_of_multivae import to_multivae

        theirs, data = to_multivae(model(), images, symbols)
        sides["multivae"] = stepper(theirs, lambda: theirs(data, epoch=1).loss)
    except ImportError as error:
        print(f"multivae is not there, so ours is timed alone: {error}")
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(options.steps + 3):
        for name, step in sides.items():
            taken = step()
            if number >= 3:
                seconds[name].append(taken)
    for name, each in seconds.items():
        print(f"{name}: {options.batch / statistics.median(each):.0f} images a second")


if __name__ == "__main__":
    main()
