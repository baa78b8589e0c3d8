"""An RBM, which is disBM without its three-way term, against the package rbms: log-likelihood and updates per second.

    python -m pip install --no-deps rbms==0.5.0; python -m pip install h5py     # the peer; it imports h5py
    python -m benchmarks.boltzmann_machines [--updates 4000] [--steps 1] [--repeats 5] [--seed 0]

Sprites as 16 x 16 binary pixels (means over squares of 4 x 4, white above a half), 128 hidden units, 128 images a step,
PCD with 128 chains. Both sides are stepped on the same images, chunk by chunk in turn: darla by its loss, backward pass
and AdamW as its training loop does, rbms by `fit_batch_pcd` and SGD as its trainer does, which logs to an HDF5 file
after each update besides. rbms centers and normalizes its gradient and starts with the visible biases of the data,
darla with that of their mean pixel.
Each side's learning rate is constant, the better of two. Log-likelihoods are free energies of held-out images minus
log Z by annealed importance sampling, by darla's estimator for both, and by rbms' own for its model as a check of it.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from darla.common import limit_threads
from darla.envs.image_data.sprites import Sprites
from darla.vision.models.disbm import DisBM, DisBMConfig
from darla.vision.models.three_way_boltzmann import ThreeWayBoltzmann

HIDDEN, BATCH, CHAINS, HELD_OUT = 128, 128, 128, 2000
RATES = {"darla": (1e-3, 2e-3), "rbms": (1e-2, 3e-2)}
Step = Callable[[Tensor], None]


def binary_sprites(count: int, seed: int) -> Tensor:
    """Return sprites as 0 and 1, float32 (count, 1, 16, 16)."""
    data = Sprites()
    noise = torch.Generator().manual_seed(seed)
    sizes = data.factor_sizes
    factors = torch.stack([torch.randint(0, size, (count,), generator=noise) for size in sizes], 1)
    images = torch.from_numpy(data.render(factors.numpy())).permute(0, 3, 1, 2).float() / 255
    return (functional.avg_pool2d(images, 4) > 0.5).float()


def darla_side(rate: float, steps: int, seed: int, images: Tensor) -> tuple[Step, Callable[[], ThreeWayBoltzmann]]:
    """Return a function that takes a step of darla's RBM, and one that returns its machine."""
    torch.manual_seed(seed)
    config = DisBMConfig(
        latent_dim=HIDDEN,
        factors=0,
        pool=1,
        chains=CHAINS,
        gibbs_steps=steps,
        mean_field_iterations=1,
        pixel_mean=float(images.mean()),
    )
    model = DisBM(config, image_shape=(16, 16, 1)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.0, fused=True)
    noise = torch.Generator().manual_seed(seed)

    def step(images: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        model.loss(images, noise)["loss"].backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step, lambda: model.machine


def peer_side(rate: float, steps: int, seed: int, images: Tensor) -> tuple[Step, Callable[[], Any]]:
    """Return a function that takes a step of rbms' RBM, and one that returns it."""
    try:
        from rbms.bernoulli_bernoulli.classes import BBRBM
        from rbms.training.pcd import fit_batch_pcd
    except ImportError as error:
        sys.exit(f"the peer is missing ({error}); pip install --no-deps rbms==0.5.0 and h5py")
    torch.manual_seed(seed)
    frequency = images.flatten(1).mean(0).clamp(1e-4, 1 - 1e-4)
    model = BBRBM(1e-2 * torch.randn(256, HIDDEN), frequency.logit(), torch.zeros(HIDDEN))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, maximize=True)
    chains = model.init_chains(CHAINS)
    weights = torch.ones(BATCH)

    @torch.no_grad()
    def step(batch: Tensor) -> None:
        nonlocal chains
        optimizer.zero_grad(set_to_none=False)
        chains, _ = fit_batch_pcd((batch.flatten(1), weights), chains, model, steps, 1.0)
        optimizer.step()

    return step, lambda: model


def as_machine(rbm: Any) -> ThreeWayBoltzmann:
    """Return rbms' RBM as darla's machine."""
    half = HIDDEN // 2
    machine = ThreeWayBoltzmann(256, half, half, 0)
    tensors = {"a": rbm.vbias, "b": rbm.hbias[:half], "c": rbm.hbias[half:]}
    tensors |= {"P": rbm.weight_matrix[:, :half], "Q": rbm.weight_matrix[:, half:]}
    machine.load_state_dict(tensors, strict=False)
    return machine


@torch.no_grad()
def log_likelihood(machine: ThreeWayBoltzmann, images: Tensor, log_z: float) -> float:
    """Return the mean log-likelihood of binary images in nats."""
    v = images.flatten(1)[:, None]
    return float(machine.log_evidence(v, *machine.mean_field(v, 1)).mean()) - log_z


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--updates", type=int, default=4000, help="updates of each side")
    parser.add_argument("--steps", type=int, default=1, help="Gibbs sweeps an update")
    parser.add_argument("--repeats", type=int, default=5, help="chunks in which the sides take turns")
    parser.add_argument("--temperatures", type=int, default=2000, help="of annealed importance sampling")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    limit_threads(1)
    images = binary_sprites(20_000 + HELD_OUT, arguments.seed)
    fitted, held_out = images[:-HELD_OUT], images[-HELD_OUT:]
    sides: dict[tuple[str, float], tuple[Step, Callable[[], Any]]] = {}
    for rate in RATES["darla"]:
        sides["darla", rate] = darla_side(rate, arguments.steps, arguments.seed, fitted)
    for rate in RATES["rbms"]:
        sides["rbms", rate] = peer_side(rate, arguments.steps, arguments.seed, fitted)
    speeds: dict[tuple[str, float], list[float]] = {side: [] for side in sides}
    order = torch.Generator().manual_seed(arguments.seed)
    chunk = arguments.updates // arguments.repeats
    for _ in range(arguments.repeats):
        batches = torch.randint(0, len(fitted), (chunk, BATCH), generator=order)
        for side, (step, _) in sides.items():
            begun = time.perf_counter()
            for rows in batches:
                step(fitted[rows])
            speeds[side].append(chunk / (time.perf_counter() - begun))
    print(f"\n{arguments.updates} updates, PCD-{arguments.steps}, one thread, torch {torch.__version__}")
    columns = ("side", "learning rate", "updates/s", "log-likelihood, nats", "log Z", "log Z by rbms")
    print(f"| {' | '.join(columns)} |\n|---{'|---:' * (len(columns) - 1)}|")
    noise = torch.Generator().manual_seed(arguments.seed)
    for (side, rate), (_, result) in sides.items():
        machine = result() if side == "darla" else as_machine(result())
        log_z = float(machine.log_partition(noise, 200, arguments.temperatures))
        theirs = "–"
        if side == "rbms":
            from rbms.partition_function.ais import compute_partition_function_ais

            with torch.no_grad():
                theirs = f"{compute_partition_function_ais(200, arguments.temperatures, result()):.1f}"
        score = log_likelihood(machine, held_out, log_z)
        speed = statistics.median(speeds[side, rate])
        print(f"| {side} | {rate:g} | {speed:.0f} | {score:.1f} | {log_z:.1f} | {theirs} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
