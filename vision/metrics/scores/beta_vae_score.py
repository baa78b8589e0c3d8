"""BetaVAE score (Higgins et al. 2017, "beta-VAE"): which factor did pairs of images have in common?

With a linear classifier of the factor k:

    score = P(classifier(mean over a batch of pairs of |z - z'|) = k), where z and z' share the value of factor k
"""

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from darla.common import InputError
from darla.vision.metrics.core.draws import Draws, check_counts
from darla.vision.metrics.core.logistic import fit_logistic
from darla.vision.metrics.core.registry import metric
from darla.vision.metrics.core.result import Scores
from darla.vision.metrics.core.sample import Sample, SampleSplit


@metric("modularity", order=130, chance=lambda sample: 1 / sample.factor_count)
def beta_vae_score(sample: Sample, batch_size: int = 64, train_votes: int = 10_000, test_votes: int = 5_000) -> Scores:
    """Score how well a linear classifier tells from differences of codes which factor pairs of images share.

    A vote: draw a factor k and `batch_size` pairs of rows that have the same value of it, and take the mean of
    |z - z'| over them. A logistic regression learns k from that vector; the score is its accuracy on fresh votes.

    Source: Higgins et al. 2017, "beta-VAE", section 3, with the sizes of Locatello et al. 2019.
    Range: 0 to 1. Chance: 1 / K. Cost: batch_size x (train_votes + test_votes) pairs of the given rows, and no image.
    Presets: dlib draws all votes from all rows, `test_codes` among them, takes codes as they are and fits
    scikit-learn's classifier, whose penalty makes the score depend on the codes' scale. robust draws test votes from
    rows that gave no training vote and standardizes the latents.
    Failure modes: it asks only whether the factor can be told from the directions in which codes do not move.
    Mixtures of all factors over more latents than factors, leaking latents and noise score 1: a floor, not a measure.

    Options: `batch_size` pairs a vote; `train_votes`, `test_votes`.
    Values: `beta_vae_score`, `train_accuracy`. Per factor: `accuracy` on test votes. Matrix: mean |z_j - z_j'| of votes
    that fix factor k, in units of the latent's mean over all votes.
    """
    check_counts(batch_size=batch_size, train_votes=train_votes, test_votes=test_votes)
    fitted, scored = parts_to_vote(sample)
    if sample.preset == "robust":
        scale = torch.where(fitted.codes.std(dim=0, correction=0) > 0, fitted.codes.std(dim=0, correction=0), 1.0)
        fitted = SampleSplit(fitted.codes / scale, fitted.labels, fitted.values)
        scored = SampleSplit(scored.codes / scale, scored.labels, scored.values)
    x, y = _votes(Draws(fitted, sample.rng("beta-vae", "train")), train_votes, batch_size)
    x_test, y_test = _votes(Draws(scored, sample.rng("beta-vae", "test")), test_votes, batch_size)
    if sample.preset == "dlib":
        if bool((y == y[0]).all()):
            raise InputError("beta_vae_score needs at least two factors to tell apart in the dlib preset")
        model = LogisticRegression(random_state=sample.seed % 2**32).fit(x.cpu().numpy(), y.cpu().numpy())
        guesses, seen = (torch.from_numpy(model.predict(each.cpu().numpy())).to(y.device) for each in (x_test, x))
    else:
        probe = fit_logistic(x, y, sample.factor_count, penalty=1.0)
        guesses, seen = probe.predict(x_test), probe.predict(x)
    right = (guesses == y_test).to(x.dtype)
    fixed = torch.nn.functional.one_hot(y_test, sample.factor_count).to(x.dtype)
    counts = fixed.sum(dim=0).clamp(min=1)
    overall = x_test.mean(dim=0)
    return Scores(
        score=right.mean(),
        values={"train_accuracy": (seen == y).to(x.dtype).mean()},
        per_factor={"accuracy": fixed.T @ right / counts},
        matrix=(x_test.T @ fixed / counts) / torch.where(overall > 0, overall, 1.0)[:, None],
    )


def parts_to_vote(sample: Sample) -> tuple[SampleSplit, SampleSplit]:
    """Return rows to draw training votes and test votes from.

    The dlib preset stands for disentanglement_lib's simulator, which gives both from one world: all rows there are.
    """
    train, test = sample.train, sample.test
    if sample.preset == "robust":
        return train, test
    world = SampleSplit(
        torch.cat([train.codes, test.codes]),
        torch.cat([train.labels, test.labels]),
        torch.cat([train.values, test.values]),
    )
    return world, world


def _votes(draws: Draws, votes: int, batch_size: int) -> tuple[Tensor, Tensor]:
    factors = draws.factors(votes)
    first = draws.rows(votes, batch_size)
    return draws.mean_distances(first, draws.partners(first, factors)), factors
