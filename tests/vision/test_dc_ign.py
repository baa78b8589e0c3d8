"""DC-IGN: what the clamp lets through, and what the gradient of a clamped latent is."""

import pytest
import torch
from squares import KnownFrames

from darla.common import InputError
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.dc_ign import clamp
from darla.vision.training.loop import build_seeded

SHAPE = (16, 16, 3)
SIZE, GROUPS, LATENTS, STRENGTH = 4, 3, 5, 0.3


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


class PapersClamp(torch.autograd.Function):
    """The paper's form: a forward pass with the group's mean, a backward pass with c (z - mean)."""

    @staticmethod
    def forward(ctx, z, active):
        mean = z.reshape(GROUPS, SIZE, LATENTS).mean(1, keepdim=True).expand(-1, SIZE, -1).reshape(z.shape)
        ctx.save_for_backward(z - mean, active)
        return torch.where(active, z, mean)

    @staticmethod
    def backward(ctx, gradient):
        difference, active = ctx.saved_tensors
        return torch.where(active, gradient, STRENGTH * difference / len(difference)), None


@pytest.fixture
def z() -> torch.Tensor:
    return torch.randn(GROUPS * SIZE, LATENTS, generator=generator(), dtype=torch.float64).requires_grad_()


@pytest.fixture
def active() -> torch.Tensor:
    one = torch.zeros(GROUPS, LATENTS, dtype=torch.bool)
    one[torch.arange(GROUPS), torch.tensor([0, 2, 4])] = True
    return one.repeat_interleave(SIZE, dim=0)


def some_loss(z: torch.Tensor) -> torch.Tensor:
    return (z.sin() * torch.arange(1, LATENTS + 1)).sum() / len(z)


def test_the_gradient_is_the_papers(z, active):
    (papers,) = torch.autograd.grad(some_loss(PapersClamp.apply(z, active)), z)
    clamped, pull = clamp(z, active, SIZE, STRENGTH)
    (ours,) = torch.autograd.grad(some_loss(clamped) + pull, z)
    torch.testing.assert_close(ours, papers)


def test_the_pull_points_to_the_mean(z, active):
    _, pull = clamp(z, active, SIZE, STRENGTH)
    (gradient,) = torch.autograd.grad(pull, z)
    moved = z.detach() - gradient  # a step of gradient descent

    def spread(values):
        return values.reshape(GROUPS, SIZE, LATENTS).var(1)[~active[::SIZE]]

    assert (spread(moved) < spread(z.detach())).all()


def test_inactive_latents_are_constant_in_a_group_and_active_ones_untouched(z, active):
    clamped, _ = clamp(z, active, SIZE, STRENGTH)
    assert torch.equal(clamped[active], z[active])
    groups = clamped.reshape(GROUPS, SIZE, LATENTS)
    assert torch.equal(groups, torch.where(active.reshape(groups.shape), groups, groups[:, :1]))
    torch.testing.assert_close(groups.mean(1), z.reshape(GROUPS, SIZE, LATENTS).mean(1))


def test_equal_images_are_not_pulled(z, active):
    same = z.detach()[::SIZE].repeat_interleave(SIZE, dim=0).requires_grad_()
    _, pull = clamp(same, active, SIZE, STRENGTH)
    assert pull == 0


def test_without_strength_inactive_latents_have_no_gradient(z, active):
    clamped, pull = clamp(z, active, SIZE, 0.0)
    (gradient,) = torch.autograd.grad(some_loss(clamped) + pull, z)
    assert (gradient[~active] == 0).all()
    assert (gradient[active] != 0).all()


def build(parts=("kind", "rest"), latent_dim=4, **changes):
    config = SeeConfig().change(model="dc_ign", latent_dim=latent_dim, parts=parts, **changes)
    return build_seeded(lambda: build_model(config, SHAPE), 0)


def test_the_named_latent_is_active_for_its_factor_and_all_others_for_the_rest():
    model = build(("kind", "bearing", "rest"))
    assert model.active.tolist() == [
        [True, False, False, False],
        [False, True, False, False],
        [False, False, True, True],
    ]


def test_with_everything_active_it_is_a_beta_vae(images):
    model = build(("rest",), beta=2.0)
    vae = build_seeded(lambda: build_model(SeeConfig().change(model="beta_vae", latent_dim=4, beta=2.0), SHAPE), 0)
    vae.load_state_dict(model.state_dict())
    ours = model.loss(images, generator(), {"varied": torch.zeros(2, dtype=torch.long)})
    theirs = vae.loss(images, generator())
    torch.testing.assert_close(ours["loss"], theirs["loss"])
    assert ours["pull"] == 0


def test_the_kl_sends_no_gradient_to_inactive_latents(images):
    model = build(("kind", "rest"), invariance=0.0)
    varied = torch.zeros(1, dtype=torch.long)  # one group of all images, in which the kind varies
    model.loss(images, generator(), {"varied": varied})["loss"].backward()
    heads = model.encoder.head.weight.grad.reshape(2, 4, -1).abs().sum(-1)  # of means and of log-variances
    assert (heads[:, 0] > 0).all()
    assert (heads[:, 1:] == 0).all()


def test_the_frames_name_the_parts():
    config = SeeConfig().change(model="dc_ign", latent_dim=4).vae
    assert config.for_frames(KnownFrames(8)).parts == ("kind", "rest")
    with pytest.raises(InputError, match="parts"):
        SeeConfig().change(model="dc_ign", parts=("size", "rest")).vae.for_frames(KnownFrames(8))


@pytest.mark.parametrize(("parts", "latents"), [(("a", "b", "rest"), 2), (("a", "b"), 4)])
def test_latents_that_do_not_fit_the_parts_are_refused(parts, latents):
    with pytest.raises(InputError, match=f"latent_dim is {latents}"):
        build(parts, latents)
