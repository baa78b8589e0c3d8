import math

import pytest
import torch
from torch.nn import functional

from darla.vision.models.factor_vae import Discriminator, FactorVAE, FactorVAEConfig, permute_latents

SHAPE = (16, 16, 3)


def build(**config) -> FactorVAE:
    torch.manual_seed(0)
    return FactorVAE(FactorVAEConfig(latent_dim=4, discriminator_width=16, **config), None, SHAPE)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_permuting_keeps_what_each_latent_holds_and_breaks_what_joins_them():
    shared = torch.randn(2000, 1).expand(-1, 3).clone()
    permuted = permute_latents(shared, generator())
    torch.testing.assert_close(permuted.sort(0).values, shared.sort(0).values)
    assert torch.corrcoef(permuted.T)[0, 1].abs() < 0.1


def test_a_discriminator_that_knows_nothing_finds_no_correlation(images):
    model = build()
    torch.nn.init.zeros_(model.discriminator.head.weight)
    torch.nn.init.zeros_(model.discriminator.head.bias)
    terms = model.loss(images, generator())
    assert terms["total_correlation"] == 0
    assert terms["discriminator"].item() == pytest.approx(math.log(2))


def gradients(model: FactorVAE, images: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    model.loss(images, generator())["loss"].backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


def test_the_discriminator_learns_from_its_own_loss_alone(images):
    strong, weak = gradients(build(gamma=50.0), images), gradients(build(gamma=0.0), images)
    for name in strong:
        if name.startswith("discriminator"):
            torch.testing.assert_close(strong[name], weak[name])
    assert not torch.equal(strong["encoder.head.weight"], weak["encoder.head.weight"])


def test_the_encoder_does_not_help_the_discriminator(images):
    model, judged = build(gamma=0.0), build(gamma=0.0).eval()  # the held-out loss is without the discriminator's
    ours, theirs = gradients(model, images), None
    judged.zero_grad()
    judged.loss(images, generator())["loss"].backward()
    theirs = {name: part.grad for name, part in judged.named_parameters() if part.grad is not None}
    torch.testing.assert_close(ours["encoder.head.weight"], theirs["encoder.head.weight"])


def test_a_trained_discriminator_estimates_the_total_correlation_of_a_gaussian():
    torch.manual_seed(0)
    correlation, judge = 0.8, Discriminator(2, 64, 3)
    optimizer = torch.optim.Adam(judge.parameters(), lr=2e-3, betas=(0.5, 0.9))

    def draw(count: int) -> torch.Tensor:
        first, second = torch.randn(2, count)
        return torch.stack([first, correlation * first + math.sqrt(1 - correlation**2) * second], 1)

    for _ in range(1200):
        joint, permuted = draw(256), permute_latents(draw(256))
        truth = torch.arange(2).repeat_interleave(256)
        optimizer.zero_grad()
        functional.cross_entropy(judge(torch.cat([joint, permuted])), truth).backward()
        optimizer.step()
    with torch.inference_mode():
        logits = judge(draw(20_000))
    estimate = (logits[:, 0] - logits[:, 1]).mean().item()
    assert estimate == pytest.approx(-0.5 * math.log(1 - correlation**2), abs=0.08)


def test_the_discriminator_has_its_own_momentum_and_rate():
    rest, judge = build(discriminator_rate=0.1).parameter_groups()
    assert judge["betas"] == (0.5, 0.9)
    assert judge["lr_scale"] == 0.1
    assert len(rest["params"]) + len(judge["params"]) == len(list(build().parameters()))
