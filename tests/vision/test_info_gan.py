"""InfoGAN and InfoWGAN-GP: what their losses are in cases that can be computed by hand, and who learns from what."""

import math

import pytest
import torch
from squares import Frames
from torch import nn
from torch.nn import functional

from darla import vision
from darla.common import InputError
from darla.common.artefact import Artefact
from darla.vision import SeeConfig, TrainingConfig
from darla.vision.encoders.encode import encode_images
from darla.vision.models.info_codes import InfoCodes
from darla.vision.models.info_gan import InfoGAN, InfoGANConfig
from darla.vision.models.info_wgan_gp import InfoWGANGP, InfoWGANGPConfig
from darla.vision.training.fused_conv import fuse_for_cpu
from darla.vision.training.loop import build_seeded, train_model

SHAPE = (16, 16, 3)
SMALL = {"latent_dim": 5, "n_noise": 3, "channels": 4}
BOTH = pytest.mark.parametrize("kind", [InfoGAN, InfoWGANGP])


def build(kind: type[InfoGAN] = InfoGAN, **config) -> InfoGAN:
    return build_seeded(lambda: kind(kind.Config(**{**SMALL, **config}), None, SHAPE), 0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradients(model: InfoGAN, images: torch.Tensor) -> dict[str, torch.Tensor | None]:
    model.zero_grad()
    model.loss(images, generator())["loss"].backward()
    return {name: None if each.grad is None else each.grad.clone() for name, each in model.named_parameters()}


def same(ours: dict, theirs: dict, part: str) -> bool:
    return all(torch.allclose(ours[name], theirs[name], atol=1e-7) for name in ours if name.startswith(part))


# --- the codes and the bound ---


def test_a_perfect_q_reaches_the_entropy_of_the_classes_and_a_constant_for_continuous_codes():
    codes = InfoCodes(n_continuous=2, n_categorical=3, n_classes=4, std=0.5)
    drawn = codes.draw(50, generator(), torch.device("cpu"))
    means, ones = codes.split(drawn)
    sure = torch.cat([means, 100 * ones.flatten(1)], 1)
    continuous, categorical = codes.bounds(sure, drawn)
    assert categorical.item() == pytest.approx(3 * math.log(4)) == codes.entropies()[1]
    # H(c) - log of the normalizer: less than H(c) if the density of Q at its mean is below 1
    assert continuous.item() == pytest.approx(2 * (math.log(2) - math.log(0.5 * math.sqrt(2 * math.pi))))
    assert codes.largest_bounds() == pytest.approx((continuous.item(), categorical.item()))
    assert codes.unexplained_variance(sure, drawn) == 0


def test_a_q_that_ignores_the_image_has_no_information():
    codes = InfoCodes(n_continuous=1, n_categorical=2, n_classes=5, std=math.sqrt(1 / 3))
    drawn = codes.draw(200_000, generator(), torch.device("cpu"))
    continuous, categorical = codes.bounds(torch.zeros_like(drawn), drawn)
    assert categorical.item() == pytest.approx(0.0, abs=1e-5)
    # the normal distribution of a uniform code's variance has 0.18 nats more entropy than the code
    assert continuous.item() == pytest.approx(math.log(2) - 0.5 * math.log(2 * math.pi * math.e / 3), abs=1e-2)
    assert codes.unexplained_variance(torch.zeros_like(drawn), drawn).item() == pytest.approx(1.0, abs=1e-2)


def test_the_bound_is_the_mutual_information_of_a_channel_when_q_is_its_posterior():
    # one of two classes is seen rightly with probability 0.9: I = log 2 - H(0.9)
    codes = InfoCodes(n_continuous=0, n_categorical=1, n_classes=2, std=1.0)
    right, wrong = [math.log(0.9), math.log(0.1)], [math.log(0.1), math.log(0.9)]
    parameters = torch.tensor([right] * 9 + [wrong])
    drawn = torch.tensor([[1.0, 0.0]] * 10)
    _, bound = codes.bounds(parameters, drawn)
    assert bound.item() == pytest.approx(math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1))


def test_codes_are_uniform_and_their_classes_equally_probable():
    codes = InfoCodes(n_continuous=2, n_categorical=2, n_classes=3, std=1.0)
    means, ones = codes.split(codes.draw(20_000, generator(), torch.device("cpu")))
    assert (means.min() >= -1, means.max() <= 1) == (True, True)
    torch.testing.assert_close(means.var(0), torch.full((2,), 1 / 3), atol=0.01, rtol=0)
    assert (ones.sum(-1) == 1).all()
    torch.testing.assert_close(ones.mean(0), torch.full((2, 3), 1 / 3), atol=0.02, rtol=0)


def test_latents_are_means_and_probabilities_and_decode_takes_the_nearest_code():
    codes = InfoCodes(n_continuous=1, n_categorical=1, n_classes=3, std=1.0)
    latents = codes.latents(torch.tensor([[1.5, math.log(1.0), math.log(2.0), math.log(1.0)]]))
    torch.testing.assert_close(latents, torch.tensor([[1.5, 0.25, 0.5, 0.25]]))
    torch.testing.assert_close(codes.nearest(latents), torch.tensor([[1.0, 0.0, 1.0, 0.0]]))
    low, high = codes.traversal_range()
    assert (low.tolist(), high.tolist()) == ([-1, 0, 0, 0], [1, 2, 2, 2])


# --- InfoGAN ---


def test_without_its_term_infogan_is_a_gan(images):
    model = build(info_weight=0.0)
    terms = model.loss(images, generator())
    source = generator()
    codes = model.codes.draw(len(images), source, images.device)
    made = model.generate(codes, model.draw_noise(len(images), source))
    real, fake = (model.discriminator(each)[0] for each in (images, made))
    one, zero = torch.ones(len(images)), torch.zeros(len(images))
    entropy = functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(terms["discriminator"], entropy(real, one) + entropy(fake, zero))
    torch.testing.assert_close(terms["generator"], entropy(fake, one))
    torch.testing.assert_close(terms["loss"], terms["discriminator"] + terms["generator"])


def test_the_term_is_in_both_updates(images):
    with_term, without = (gradients(build(info_weight=weight), images) for weight in (3.0, 0.0))
    for part in ("generator.hidden.0", "generator.deconvolutions.9", "discriminator.convolutions.0"):
        assert not same(with_term, without, part), part
    assert all(without[name].abs().max() == 0 for name in without if "recognizer" in name)
    assert all(with_term[name].abs().max() > 0 for name in with_term if "recognizer" in name)
    assert same(with_term, without, "discriminator.judge")


@pytest.mark.parametrize(("kind", "batch_norm"), [(InfoGAN, False), (InfoGAN, True), (InfoWGANGP, False)])
def test_the_discriminator_does_not_learn_to_please_nor_the_generator_to_judge(kind, batch_norm, images):
    """Each part's gradient is that of its own half of the loss, computed apart."""
    model = build(kind, info_weight=0.7, batch_norm=batch_norm)
    ours = gradients(model, images)
    source = generator()
    codes = model.codes.draw(len(images), source, images.device)
    made = model.generate(codes, model.draw_noise(len(images), source))
    fake, parameters = model.discriminator(made)
    information = model.information(parameters, codes)[0]
    wasserstein = kind is InfoWGANGP
    for_generator = (-fake if wasserstein else functional.softplus(-fake)).mean() - 0.7 * information
    apart = torch.autograd.grad(for_generator, list(model.generator.parameters()), retain_graph=True)
    for (name, _), gradient in zip(model.generator.named_parameters(), apart, strict=True):
        torch.testing.assert_close(ours[f"generator.{name}"], gradient)
    real, _ = model.discriminator(images)
    if wasserstein:
        penalty = model.gradient_penalty(images, made.detach(), source)
        judgement = fake.mean() - real.mean() + 10 * penalty
    else:
        judgement = functional.softplus(-real).mean() + functional.softplus(fake).mean()
    apart = torch.autograd.grad(judgement - 0.7 * information, list(model.discriminator.parameters()))
    for (name, _), gradient in zip(model.discriminator.named_parameters(), apart, strict=True):
        torch.testing.assert_close(ours[f"discriminator.{name}"], gradient, atol=1e-6, rtol=1e-4)


def test_running_statistics_are_of_real_images_alone(images):
    model, twin = build(batch_norm=True), build(batch_norm=True)
    model.loss(images, generator())
    twin.discriminator(images)
    for (name, ours), (_, theirs) in zip(
        model.discriminator.named_buffers(), twin.discriminator.named_buffers(), strict=True
    ):
        assert torch.equal(ours, theirs), name


@pytest.mark.parametrize(("kind", "batch_norm"), [(InfoGAN, False), (InfoGAN, True), (InfoWGANGP, False)])
def test_a_code_depends_on_its_own_image_alone(kind, batch_norm, images):
    model = build(kind, batch_norm=batch_norm)
    for _ in range(3):
        model.loss(images, generator())  # moves the running statistics
    model.eval()
    alone = torch.cat([model.encode(image[None]).mean for image in images])
    torch.testing.assert_close(model.encode(images).mean, alone)
    assert torch.equal(model.encode(images).mean, model.encode(images).mean)


@BOTH
def test_decoding_has_no_noise_and_draws_images(kind, images):
    model = build(kind, latent_dim=6).eval()
    with torch.inference_mode():
        decoded = model.decode(model.encode(images).mean)
        assert decoded.shape == images.shape
        assert decoded.min() >= 0
        assert decoded.max() <= 1
        assert torch.equal(decoded, model.decode(model.encode(images).mean))


def test_a_class_decides_the_image_in_the_upper_half_of_its_traversal(images):
    model = build().eval()
    latents = model.encode(images[:1]).mean
    for latent in range(2, 5):
        pure = latents.clone()
        pure[:, 2:] = functional.one_hot(torch.tensor([latent - 2]), 3).float()
        moved = latents.clone()
        moved[:, latent] = model.traversal_range()[1, latent]
        assert torch.equal(model.decode(moved), model.decode(pure))


@pytest.mark.parametrize("batch_norm", [False, True])
def test_it_trains_in_bfloat16_with_fused_convolutions(batch_norm):
    exact, model = build(batch_norm=batch_norm), fuse_for_cpu(build(batch_norm=batch_norm))
    # bfloat16 has two to three digits. Normalization over a batch amplifies its rounding: by 4 % of the loss over six
    # images on CPUs that compute in bfloat16, by .6 % over 64.
    images = torch.rand(64, *SHAPE, generator=generator()).permute(0, 3, 1, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.loss(images, generator())
    terms["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in model.parameters())
    assert {term.dtype for term in terms.values()} == {torch.float32}
    torch.testing.assert_close(terms["loss"], exact.loss(images, generator())["loss"], atol=0, rtol=0.02)


def test_reported_terms_are_those_of_the_codes_there_are(images):
    terms = build(latent_dim=3).loss(images, generator())
    assert "code_error" not in terms
    assert terms["code_entropy"].item() == pytest.approx(math.log(3))
    assert torch.equal(terms["mutual_information"], terms["mutual_information_categorical"])
    terms = build(InfoWGANGP).loss(images, generator())
    assert "mutual_information_categorical" not in terms
    assert terms["code_entropy"].item() == pytest.approx(5 * math.log(2))


# --- InfoWGAN-GP ---


class Linear(nn.Module):
    """The critic w . x."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def value(self, images: torch.Tensor) -> torch.Tensor:
        return images.flatten(1) @ self.weight


@pytest.mark.parametrize("norm", [0.5, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_that_of_its_norm(norm, images):
    model = build(InfoWGANGP)
    model.discriminator = Linear(functional.normalize(torch.randn(768, generator=generator()), dim=0) * norm)
    penalty = model.gradient_penalty(images, torch.zeros_like(images), generator())
    assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-5)
    penalty.backward()  # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    weight = model.discriminator.weight
    torch.testing.assert_close(weight.grad, 2 * (norm - 1) * weight.detach() / norm, atol=1e-5, rtol=1e-4)


def test_each_image_is_mixed_in_a_proportion_of_its_own(images):
    model, seen = build(InfoWGANGP), []

    class Watching(nn.Module):
        def value(self, mixed: torch.Tensor) -> torch.Tensor:
            seen.append(mixed.detach())
            return mixed.flatten(1).square().sum(1)

    model.discriminator = Watching()
    model.gradient_penalty(torch.ones_like(images), torch.zeros_like(images), generator())
    shares = seen[0].flatten(1)
    assert torch.equal(shares.amin(1), shares.amax(1))  # one for all pixels of an image
    assert len(shares[:, 0].unique()) == len(images)


@pytest.mark.parametrize("fused", [False, True])
def test_the_penalty_is_the_same_under_autocast(fused, images):
    model = build(InfoWGANGP)
    images = images.to(memory_format=torch.channels_last)
    exact = model.gradient_penalty(images, torch.zeros_like(images), generator())
    model = fuse_for_cpu(model) if fused else model
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = model.loss(images, generator())
        penalty = model.gradient_penalty(images, torch.zeros_like(images), generator())
    assert penalty.dtype == torch.float32
    torch.testing.assert_close(penalty, exact)
    terms["loss"].backward()
    assert all(torch.isfinite(each.grad).all() for each in model.parameters())


def test_the_loss_is_the_sum_of_its_terms(images):
    model = build(InfoWGANGP, info_weight=0.0, gradient_penalty=4.0)
    model.on_step(0, 10)
    terms = model.loss(images, generator())
    torch.testing.assert_close(terms["loss"], 4 * terms["gradient_penalty"] - terms["wasserstein"])
    assert "gradient_penalty" not in model.eval().loss(images, generator())


def test_the_generator_has_a_gradient_in_every_fifth_step_and_is_left_alone_in_the_others(images):
    model = build(InfoWGANGP)
    trained = []
    for step in range(10):
        model.on_step(step, 10)
        result = gradients(model, images)
        assert all(result[name] is not None for name in result if name.startswith("discriminator"))
        trained.append({result[name] is not None for name in result if name.startswith("generator")})
    assert trained == [{False}] * 4 + [{True}] + [{False}] * 4 + [{True}]


# --- training ---


def test_training_makes_the_class_visible(tmp_path):
    """The bound comes near H(c) from nothing."""
    model = build(latent_dim=3, info_weight=2.0)
    training = TrainingConfig(
        steps=120, batch_size=16, learning_rate=4e-3, schedule="constant", log_every=20, precision="float32"
    )
    history = train_model(model, Frames(64, painted=False), training, tmp_path, 0).history
    first, last = (row["mutual_information_categorical"] / math.log(3) for row in (history[0], history[-1]))
    assert first < 0.3
    assert last > 0.9


@BOTH
def test_an_interrupted_training_ends_with_the_same_bytes(kind, tmp_path):
    frames, steps = Frames(64), 8

    def train(folder, until):
        model = build(kind, **({"critic_steps": 3} if kind is InfoWGANGP else {}))
        training = TrainingConfig(steps=steps, batch_size=16, log_every=4, checkpoint_every=2)

        def stop(row):
            if row["step"] >= until:
                raise KeyboardInterrupt
            return {}

        if until < steps:
            with pytest.raises(KeyboardInterrupt):
                train_model(model, frames, training, folder, 0, observe=stop)
        else:
            train_model(model, frames, training, folder, 0)
        return model.state_dict()

    whole = train(tmp_path / "whole", steps)
    train(tmp_path / "parts", 4)  # stops before the checkpoint of step 4: resumes from that of step 2
    resumed = train(tmp_path / "parts", steps)
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


@pytest.mark.parametrize("model", ["info_gan", "info_wgan_gp"])
def test_an_artefact_has_a_sheet_of_samples(model, tmp_path):
    config = SeeConfig().change(
        model=model, **SMALL, training=TrainingConfig(steps=3, batch_size=16, log_every=3, schedule="constant")
    )
    frames = Frames(64)
    artefact: Artefact = vision.train_encoder(config, frames, tmp_path / "run", seed=0)
    assert (artefact.folder / "samples.png").is_file()
    assert encode_images(vision.load(artefact), frames.images).shape == (64, 5)


def test_a_row_of_samples_has_one_value_and_a_column_one_draw(images):
    model = build(latent_dim=4).eval()
    drawn = []
    model.generate = lambda codes, noise: drawn.append((codes, noise)) or images[:1].expand(len(codes), -1, -1, -1)
    labels = [label for label, _ in model.sheets(images, generator())["samples"]]
    assert labels[:3] == ["code 0\nclass 0", "code 0\nclass 1", "code 0\nclass 2"]
    assert labels[3:] == ["z0 = -1.0", "z0 = -0.5", "z0 = 0.0", "z0 = 0.5", "z0 = 1.0"]
    codes = torch.stack([row for row, _ in drawn])  # rows, columns, latents
    assert codes[1, :, 1:].tolist() == [[0.0, 1.0, 0.0]] * 10
    assert codes[3:, :, 0].unique(dim=1).flatten().tolist() == [-1.0, -0.5, 0.0, 0.5, 1.0]
    assert len(codes[:3, :, 0].unique(dim=0)) == 1  # the other codes of a column
    assert all(torch.equal(noise, drawn[0][1]) for _, noise in drawn)


# --- options ---


@pytest.mark.parametrize(
    ("config", "wrong", "message"),
    [
        (InfoGANConfig, {"latent_dim": 2}, "latent_dim must be at least 3 for 1 categorical codes of 3 classes, not 2"),
        (InfoGANConfig, {"n_categorical": 0, "n_classes": 4}, "n_classes 4 would be ignored"),
        (InfoGANConfig, {"latent_dim": 3, "code_std": 0.1}, "code_std 0.1 would be ignored"),
        (InfoGANConfig, {"n_classes": 1}, "n_classes must be at least 2, not 1"),
        (InfoGANConfig, {"n_categorical": -1}, "n_categorical must not be negative, not -1"),
        (InfoGANConfig, {"n_noise": -1}, "n_noise must not be negative, not -1"),
        (InfoGANConfig, {"code_std": 0.0}, "code_std must be above 0, not 0.0"),
        (InfoGANConfig, {"channels": 0}, "channels must be at least 1, not 0"),
        (InfoGANConfig, {"info_weight": -1.0}, "info_weight must not be negative, not -1.0"),
        (InfoGANConfig, {"discriminator_rate": 0.0}, "discriminator_rate must be above 0, not 0.0"),
        (InfoWGANGPConfig, {"gradient_penalty": -1.0}, "gradient_penalty must not be negative, not -1.0"),
        (InfoWGANGPConfig, {"batch_norm": True}, "batch_norm cannot be used"),
        (InfoWGANGPConfig, {"critic_steps": 0}, "critic_steps must be at least 1, not 0"),
    ],
)
def test_invalid_values_are_refused(config, wrong, message):
    with pytest.raises(InputError, match=message):
        config(**wrong)


def test_settings_of_a_feature_space_are_refused():
    with pytest.raises(InputError, match="'perceptual' would be ignored"):
        SeeConfig().change(model="info_gan", layer="conv3")
