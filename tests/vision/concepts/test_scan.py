"""SCAN in exact and limiting cases: its grounding term, its parts, and its recombination operators."""

import pytest
import torch

from darla.common import InputError
from darla.vision.concepts.divergence import kl_between
from darla.vision.concepts.operators import EXCEPT, OPERATORS
from darla.vision.concepts.recombination import Recombinator
from darla.vision.concepts.scan import SCAN, SCANConfig
from darla.vision.concepts.symbol_networks import pack, symbol_loss, unpack
from darla.vision.models.base import Posterior

# Two images of one concept, a mixture of two narrow Gaussians.
MIXTURE = Posterior(torch.tensor([[-2.0], [1.0]]), torch.tensor([[-1.0], [-2.0]]))


def noise() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def built(**config: object) -> SCAN:
    torch.manual_seed(0)
    return SCAN(SCANConfig(**config), symbol_size=5, latents=3)  # type: ignore[arg-type]


def batch() -> tuple[Posterior, torch.Tensor]:
    torch.manual_seed(1)
    symbols = torch.tensor([[1.0, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 1]])
    return Posterior(torch.randn(3, 3), torch.randn(3, 3) - 1), symbols


def test_the_divergence_is_that_of_torch_and_zero_of_a_distribution_from_itself() -> None:
    first, second = batch()[0], Posterior(torch.randn(3, 3), torch.randn(3, 3))
    normals = [torch.distributions.Normal(each.mean, (0.5 * each.log_variance).exp()) for each in (first, second)]
    torch.testing.assert_close(first.kl_to(second), torch.distributions.kl_divergence(*normals))
    assert kl_between(first, first).abs() < 1e-6
    assert not torch.isclose(kl_between(first, second), kl_between(second, first))


def fitted(reverse: bool) -> Posterior:
    mean, log_variance = (torch.full((1, 1), 0.1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    mixture = Posterior(MIXTURE.mean.double(), MIXTURE.log_variance.double())
    optimizer = torch.optim.LBFGS(
        [mean, log_variance], max_iter=200, tolerance_grad=1e-12, tolerance_change=1e-16, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        fit = Posterior(mean.expand(2, 1), log_variance.expand(2, 1))
        loss = kl_between(*((fit, mixture) if reverse else (mixture, fit)))
        loss.backward()
        return loss

    optimizer.step(closure)
    return Posterior(mean.detach(), log_variance.detach())


def test_one_gaussian_fitted_to_a_mixture_by_the_forward_divergence_has_its_moments_and_by_the_reverse_it_has_not() -> (
    None
):
    mean, variance = MIXTURE.mean.mean(), MIXTURE.log_variance.exp().mean() + MIXTURE.mean.var(unbiased=False)
    forward, reverse = fitted(False), fitted(True)
    torch.testing.assert_close(forward.mean.item(), mean.item(), atol=1e-6, rtol=0)
    torch.testing.assert_close(forward.log_variance.exp().item(), variance.item(), atol=1e-5, rtol=0)
    # The reverse divergence takes precisions in place of variances, and is narrower than the narrowest spread.
    precision = (-MIXTURE.log_variance).exp()
    torch.testing.assert_close(reverse.log_variance.exp().item(), (1 / precision.mean()).item(), atol=1e-5, rtol=0)
    weighted = (precision * MIXTURE.mean).sum() / precision.sum()
    torch.testing.assert_close(reverse.mean.item(), weighted.item(), atol=1e-6, rtol=0)
    assert reverse.log_variance.exp().item() < 0.15 * variance.item()


def test_without_grounding_it_is_a_beta_vae_of_symbols() -> None:
    model = built(grounding=0.0, beta=3.0)
    seen, symbols = batch()
    posterior = model.symbol_encoder(symbols)
    latents = posterior.sample(noise())
    expected = symbol_loss(model.symbol_decoder(latents), symbols) + 3 * posterior.kl()
    torch.testing.assert_close(model.objective(seen, symbols, noise())["loss"], expected)
    other = Posterior(seen.mean + 5, seen.log_variance - 3)
    torch.testing.assert_close(model.objective(other, symbols, noise())["loss"], expected)


def test_grounding_is_zero_where_symbol_and_image_have_one_posterior_and_only_then() -> None:
    seen, symbols = batch()
    for direction in ("forward", "reverse"):
        model = built(direction=direction)
        same = model.symbol_encoder(symbols)
        assert model.objective(same, symbols, noise())["grounding"].abs() < 1e-6
        assert model.objective(seen, symbols, noise())["grounding"] > 0.1
    values = [built(direction=each).objective(seen, symbols, noise())["grounding"] for each in ("forward", "reverse")]
    assert not torch.isclose(*values)


def test_weights_multiply_their_terms_and_cross_entropy_is_a_sum_over_the_symbol() -> None:
    seen, symbols = batch()
    terms = built(beta=2.0, grounding=7.0).objective(seen, symbols, noise())
    torch.testing.assert_close(terms["loss"], terms["symbol"] + 2 * terms["kl"] + 7 * terms["grounding"])
    logits = torch.zeros(3, 5)
    torch.testing.assert_close(symbol_loss(logits, symbols), 5 * torch.tensor(2.0).log())


def test_a_symbol_that_specifies_nothing_is_the_prior() -> None:
    model = built()
    posterior = model.symbol_encoder(torch.zeros(2, 5))
    assert posterior.kl() == 0
    assert model.symbol_encoder(batch()[1]).kl() > 0


def test_experts_multiply_gaussians_and_a_concept_is_made_of_its_parts() -> None:
    model = built(encoder="experts")
    first, second = torch.tensor([[1.0, 0, 0, 0, 0]]), torch.tensor([[0, 0, 0, 1.0, 0]])
    parts = [model.symbol_encoder(each) for each in (first, second)]
    whole = model.symbol_encoder(first + second)
    precision = sum((-each.log_variance).exp() for each in parts) - 1  # each contains the prior, which counts once
    torch.testing.assert_close((-whole.log_variance).exp(), precision)
    weighted = sum(each.mean * (-each.log_variance).exp() for each in parts)
    torch.testing.assert_close(whole.mean, weighted / precision)
    assert model.symbol_encoder(torch.zeros(1, 5)).kl() == 0
    with pytest.raises(InputError, match="did you mean 'experts'"):
        SCANConfig(encoder="expert")


def test_experts_fit_two_images_as_well_as_a_network() -> None:
    torch.manual_seed(0)
    model = built(encoder="experts", beta=0.0)
    symbols = torch.tensor([[1.0, 0, 0, 0, 0]] * 2)
    seen = Posterior(MIXTURE.mean.repeat(1, 3) / 4, MIXTURE.log_variance.repeat(1, 3) - 2)
    optimizer = torch.optim.Adam(model.symbol_encoder.parameters(), lr=0.03)
    for _ in range(1500):
        optimizer.zero_grad()
        kl_between(seen, model.symbol_encoder(symbols)).backward()
        optimizer.step()
    fitted = model.symbol_encoder(symbols)
    variance = seen.log_variance.exp().mean(dim=0) + seen.mean.var(dim=0, unbiased=False)
    torch.testing.assert_close(fitted.mean[0], seen.mean.mean(dim=0), atol=1e-3, rtol=0)
    torch.testing.assert_close(fitted.log_variance[0].exp(), variance, atol=2e-3, rtol=0)


def test_only_the_symbol_networks_learn_and_posteriors_pass_through_unchanged() -> None:
    seen, symbols = batch()
    packed = pack(seen).requires_grad_()
    built().loss(packed, noise(), {"symbols": symbols})["loss"].backward()
    assert all(name.startswith("symbol_") for name, _ in built().named_parameters())
    torch.testing.assert_close(unpack(packed).log_variance, seen.log_variance)
    with pytest.raises(InputError, match=r"float32 \(N, 6\)"):
        built().to_input(torch.zeros(2, 5))


def test_settings_are_checked() -> None:
    with pytest.raises(InputError, match="grounding"):
        SCANConfig(grounding=-1.0)
    with pytest.raises(InputError, match="did you mean 'forward'"):
        SCANConfig(direction="foreward")


def test_operators_are_computed_for_each_latent_by_itself() -> None:
    torch.manual_seed(0)
    model = Recombinator(latents=4, units=16)
    count = len(OPERATORS)
    first, second = (Posterior(torch.randn(count, 4), torch.randn(count, 4)) for _ in range(2))
    operators = torch.arange(count)
    whole = model(operators, first, second)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = [Posterior(each.mean[:, order], each.log_variance[:, order]) for each in (first, second)]
    torch.testing.assert_close(model(operators, *shuffled).mean, whole.mean[:, order])
    # Each operator has outputs of its own.
    for number in range(len(OPERATORS)):
        alone = model(torch.full((count,), number), first, second)
        torch.testing.assert_close(alone.mean[number], whole.mean[number])
        torch.testing.assert_close(alone.log_variance[number], whole.log_variance[number])
    assert not torch.isclose(model(torch.zeros(count, dtype=torch.long), first, second).mean, whole.mean)[1:].any()


def test_and_with_nothing_is_learned_as_the_identity() -> None:
    torch.manual_seed(0)
    model = Recombinator(latents=4, units=256)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(300):
        first = Posterior(torch.randn(64, 4), torch.randn(64, 4))
        nothing = Posterior(torch.zeros(64, 4), torch.zeros(64, 4))  # the prior
        known = {"operators": torch.zeros(64, dtype=torch.long), "first": pack(first), "second": pack(nothing)}
        loss = model.loss(pack(first), None, known)["loss"]
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < 0.05 < losses[0]


class Kinds:
    """Images of three kinds in two hues, one latent for each, as a perfect encoder and a perfect SCAN see them.

    Args:
        kinds: that there are images of.
    """

    mean, variance = torch.tensor([-1.5, 0.2, 1.6]), torch.tensor([0.15, 0.05, 0.3])
    hues = torch.tensor([-1.0, 1.0])

    def __init__(self, *kinds: int) -> None:
        images = [(kind, hue) for kind in kinds for hue in range(2)]
        self.kind, self.hue = torch.tensor(images).T
        variance = torch.stack([self.variance[self.kind], torch.full((len(images),), 0.1)], dim=1)
        self.seen = Posterior(torch.stack([self.mean[self.kind], self.hues[self.hue]], dim=1), variance.log())

    def moments(self, shown: torch.Tensor) -> Posterior:
        """Return the Gaussian with the mean and the variance of the mixture of some images, (1, 2)."""
        mean = self.seen.mean[shown]
        variance = self.seen.log_variance[shown].exp().mean(dim=0) + mean.var(dim=0, unbiased=False)
        return Posterior(mean.mean(dim=0)[None], variance.log()[None])

    def symbol(self, kind: int) -> Posterior:
        """Return the posterior of a kind: its own latent, and the prior elsewhere."""
        zero = torch.zeros(1)
        return Posterior(
            torch.stack([self.mean[kind, None], zero], 1), torch.stack([self.variance[kind, None].log(), zero], 1)
        )

    def sides(self) -> list[tuple[Posterior, torch.Tensor]]:
        """Return what EXCEPT has on its left, with the images of it: anything, and either hue."""
        every = [torch.ones(len(self.hue), dtype=torch.bool), self.hue == 0, self.hue == 1]
        return [(self.moments(shown), shown) for shown in every]


def fitted_except(kinds: Kinds) -> Recombinator:
    """Train EXCEPT on all that can be asked, in one batch, and to the end."""
    parts = []
    for first, shown in kinds.sides():
        for excluded in range(3):
            left = torch.nonzero(shown & (kinds.kind != excluded)).flatten()
            # Each instruction weighs as much, however many images it has.
            parts += [(kinds.seen.rows(left.repeat(12 // len(left))), first, kinds.symbol(excluded))]
    images, first, second = (torch.cat([pack(part[side]).expand(12, -1) for part in parts]) for side in range(3))
    known = {"operators": torch.full((len(images),), OPERATORS.index(EXCEPT)), "first": first, "second": second}
    torch.manual_seed(0)
    model = Recombinator(latents=2, units=32)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=300, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model.loss(images, None, known)["loss"]
        loss.backward()
        return loss

    optimizer.step(closure)
    return model


@pytest.mark.parametrize("kinds", [Kinds(0, 1, 2), Kinds(0, 1)], ids=["all", "none of one"])
def test_except_is_learned_as_the_moments_of_the_images_without_the_value(kinds: Kinds) -> None:
    model = fitted_except(kinds)
    for first, shown in kinds.sides():
        for excluded in range(3):
            made = model(torch.tensor([OPERATORS.index(EXCEPT)]), first, kinds.symbol(excluded))
            expected = kinds.moments(shown & (kinds.kind != excluded))
            torch.testing.assert_close(made.mean, expected.mean, atol=0.01, rtol=0)
            torch.testing.assert_close(made.log_variance, expected.log_variance, atol=0.02, rtol=0)
            if excluded not in kinds.kind:  # nothing is excluded that there was: the left side as it is
                torch.testing.assert_close(made.mean, first.mean, atol=0.01, rtol=0)
                torch.testing.assert_close(made.log_variance, first.log_variance, atol=0.02, rtol=0)


def test_the_moments_of_the_images_without_a_value_are_the_least_loss() -> None:
    kinds = Kinds(0, 1, 2)
    left = kinds.kind != 1
    best, seen = kinds.moments(left), kinds.seen.rows(left)
    count = int(left.sum())

    def loss(mean: torch.Tensor, log_variance: torch.Tensor) -> float:
        return kl_between(seen, Posterior(mean.expand(count, -1), log_variance.expand(count, -1))).item()

    least = loss(best.mean, best.log_variance)
    for change in (-0.1, 0.1):
        for latent in range(2):
            step = change * torch.eye(2)[latent]
            assert loss(best.mean + step, best.log_variance) > least + 1e-3
            assert loss(best.mean, best.log_variance + step) > least + 1e-3


def test_operators_are_the_first_that_there_are() -> None:
    assert Recombinator(2, units=4, operators=OPERATORS[:3]).number_of("IGNORE") == 2
    with pytest.raises(InputError, match="know no EXCEPT"):
        Recombinator(2, units=4, operators=OPERATORS[:3]).number_of("EXCEPT")
    with pytest.raises(InputError, match="did you mean 'EXCEPT'"):
        Recombinator(2, units=4).number_of("EXCEPTS")
    with pytest.raises(InputError, match="or the first of them"):
        Recombinator(2, units=4, operators=("AND", "EXCEPT"))
