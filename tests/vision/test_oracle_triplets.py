"""Oracle triplets: what the oracle answers, and what an answer changes."""

import math

import pytest
import torch
from squares import KnownFrames

from darla.common import InputError
from darla.vision import SeeConfig
from darla.vision.encoders.load import build_model
from darla.vision.models.base import Posterior
from darla.vision.models.oracle_triplets import Triplets, ask_oracle
from darla.vision.training.loop import build_seeded

SHAPE = (16, 16, 3)


def build(**changes):
    config = SeeConfig().change(model="oracle_triplets", latent_dim=4, factors=("kind", "bearing"), **changes)
    return build_seeded(lambda: build_model(config, SHAPE), 0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(*values: int) -> torch.Tensor:
    return torch.tensor(values)


def question(j: int, other: int) -> Triplets:
    """Ask about factor 1 whether image 0 is more like image `j` than like the other; the oracle says that it is."""
    return Triplets(rows(0), rows(j), rows(other), rows(1), torch.ones(1))


def test_the_oracle_says_which_image_is_nearer_and_has_no_answer_to_ties():
    labels = torch.randint(0, 4, (300, 2), generator=generator()).float()
    asked = ask_oracle(labels, generator(1))
    assert 50 < asked.answered.sum() < 100 == len(asked.i)
    i, j, other = (labels[each, asked.question] for each in (asked.i, asked.j, asked.l))
    near, far = (i - j).abs(), (i - other).abs()
    assert torch.equal(near < far, asked.answered.bool())
    assert torch.equal(near == far, asked.answered == 0)
    assert set(asked.question.tolist()) == {0, 1}
    assert len(torch.cat([asked.i, asked.j, asked.l]).unique()) == 300  # no image is asked about twice


def test_where_all_labels_are_equal_there_is_no_answer_and_it_is_a_vae(images):
    model = build()
    vae = build_seeded(lambda: build_model(SeeConfig().change(model="beta_vae", latent_dim=4), SHAPE), 0)
    vae.load_state_dict(model.state_dict())
    terms = model.loss(images, generator(), {"labels": torch.zeros(len(images), 2)})
    torch.testing.assert_close(terms["loss"], vae.loss(images, generator())["loss"])


def posterior(means: list[float]) -> Posterior:
    mean = torch.zeros(len(means), 4)
    mean[:, 1] = torch.tensor(means)
    return Posterior(mean, torch.zeros_like(mean))


def test_the_odds_are_those_of_the_divergences():
    model = build()
    odds = model.log_odds(posterior([0.0, 1.0, 3.0]), question(1, 2))
    assert float(odds) == pytest.approx(9 / 2 - 1 / 2)  # D is half the squared distance for unit variances
    swapped = model.log_odds(posterior([0.0, 1.0, 3.0]), question(2, 1))
    assert float(odds.sigmoid() + swapped.sigmoid()) == pytest.approx(1.0)
    equal = model.log_odds(posterior([0.0, 2.0, -2.0]), question(1, 2))
    assert float(-equal.sigmoid().log()) == pytest.approx(math.log(2))


def test_latents_of_other_questions_get_no_gradient_from_an_answer():
    model, mean = build(), torch.randn(3, 4, generator=generator()).requires_grad_()
    model.log_odds(Posterior(mean, torch.zeros(3, 4)), question(1, 2)).sum().backward()
    assert (mean.grad[:, [0, 2, 3]] == 0).all()
    assert (mean.grad[:, 1] != 0).all()


def test_a_question_can_be_about_several_latents():
    model, mean = build(latents_per_factor=2), torch.randn(3, 4, generator=generator()).requires_grad_()
    model.log_odds(Posterior(mean, torch.zeros(3, 4)), question(1, 2)).sum().backward()
    assert (mean.grad[:, :2] == 0).all()
    assert (mean.grad[:, 2:] != 0).all()


def test_the_frames_name_the_factors():
    assert SeeConfig().change(model="oracle_triplets").vae.for_frames(KnownFrames(8)).factors == ("kind", "bearing")
    with pytest.raises(InputError, match="need 6"):
        build(latents_per_factor=3)
