"""A report opens with what its numbers say: who learned the source, what is kept, and how sure that is."""

from dataclasses import dataclass

import pytest

from darla.analysis.encoder_probes import CodeKL, EncoderProbes, ProbeScore
from darla.evaluation.against_random import better_than_random
from darla.evaluation.episode_records import Episode, EpisodeRecord
from darla.evaluation.score_types import AgentRecord, TransferScores
from darla.evaluation.scores import score
from darla.evaluation.transfer_config import Resampling, TransferConfig
from darla.reports.sections.opening import encoder_opening, opening
from darla.reports.sections.vision import Model

NOISE = (-1.0, 0.0, 1.0, 0.0)
"""Added to the return of each episode."""


@dataclass
class Transfer:
    """What the opening reads of a transfer."""

    scores: TransferScores
    episodes: list[EpisodeRecord]


def transfer(levels: dict[str, list[dict[str, float]]], baseline: str | None = "pixels") -> Transfer:
    """Return the scores of methods with a mean return in each domain, a dictionary of them for each seed."""
    rows = [
        EpisodeRecord(
            method=method,
            seed=seed,
            agent=f"{method} {seed}",
            domain=domain,
            split="source" if domain == "source" else "target",
            leak="" if domain == "source" else "none",
            episode=Episode(number, number, level + noise, 10, None, True, 0, 0),
        )
        for method, seeds in levels.items()
        for seed, domains in enumerate(seeds)
        for domain, level in domains.items()
        for number, noise in enumerate(NOISE if method != "random" else (0.0,) * 4)
    ]
    agents = {row.agent: AgentRecord(row.method, row.seed, row.agent) for row in rows}
    scored = score(rows, dict.fromkeys(agents), baseline=baseline, resampling=Resampling(resamples=100))
    complete = TransferScores(
        **vars(scored),
        task="task",
        settings=TransferConfig(episodes=4),
        agents=tuple(agents.values()),
        episode_seeds={},
        strips=(),
    )
    return Transfer(complete, rows)


RANDOM = {"source": 0.5, "a": 0.5, "b": 0.5}


def sentences(levels: dict[str, list[dict[str, float]]], baseline: str | None = "pixels") -> str:
    return opening(transfer({"random": [RANDOM], **levels}, baseline)).words  # type: ignore[arg-type]


def test_nothing_is_praised_where_no_method_beats_random_play() -> None:
    words = sentences({"pixels": [{"source": 0.5, "a": 3.0, "b": 3.0}], "codes": [{"source": 0.4, "a": 9.0, "b": 9.0}]})
    assert words == (
        "In the source, **pixels** and **codes** return no more than the random agent (0.5), so nothing was learned "
        "there. So the returns in the targets say nothing about transfer. Every method has one seed: other seeds may "
        "do otherwise, and nothing here says by how much."
    )


def test_what_may_be_chance_is_not_praised_either() -> None:
    words = sentences({"pixels": [{"source": 0.6, "a": 3.0, "b": 3.0}], "codes": [{"source": 0.4, "a": 9.0, "b": 9.0}]})
    assert words.startswith(
        "In the source, **pixels** (0.6) returns more than the random agent (0.5), but by no more than chance; "
        "**codes** does not. So the returns in the targets say little about transfer."
    )


def test_who_learned_and_what_is_kept_of_it() -> None:
    words = sentences(
        {
            "pixels": [{"source": level, "a": 0.5, "b": 0.4} for level in (9.0, 10.0, 11.0)],
            "codes": [{"source": level, "a": level - 1, "b": level - 1} for level in (9.0, 10.0, 11.0)],
            "lazy": [{"source": 0.5, "a": 0.5, "b": 0.5}] * 3,
        }
    )
    first, second, third = words.split(". ", 2)
    assert first == (
        "In the source, **pixels** (10.0) and **codes** (10.0) return more than the random agent (0.5); **lazy** does "
        "not"
    )
    assert second == (
        "Over the 2 targets, **codes** keeps 0.90 of its return in the source, **pixels** 0.05; **pixels** returns no "
        "more than the random agent in them"
    )
    assert third.startswith("With 3 seeds each, the difference between **codes** and pixels over all targets is 8.")
    assert ": zero is outside this interval, which is too narrow with fewer than" in third


def test_an_interval_with_zero_in_it_is_said_to_have_it() -> None:
    words = sentences(
        {
            "pixels": [{"source": 10.0, "a": level, "b": level} for level in (2.0, 8.0, 5.0)],
            "codes": [{"source": 10.0, "a": level, "b": level} for level in (8.0, 3.0, 5.0)],
        }
    )
    assert "zero is inside this interval" in words


def test_without_a_baseline_or_a_random_agent_less_is_said() -> None:
    words = sentences({"codes": [{"source": level, "a": level, "b": level} for level in (9.0, 10.0, 11.0)]}, None)
    assert "Each method has 3 seeds: the intervals below are about other seeds" in words
    alone = transfer({"codes": [{"source": 9.0, "a": 9.0}] * 3}, None)
    assert opening(alone).words.startswith("The random agent was not evaluated")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([2.0], True),  # two above random, and a standard error of 0.41 over episodes
        ([1.0], False),
        ([0.5], False),
        ([9.0, 10.0], True),
        ([0.0, 10.0], False),  # two seeds of which one learned nothing
        ([0.4, 0.5, 0.6], False),
    ],
)
def test_better_than_random_is_more_than_chance(levels: list[float], expected: bool) -> None:
    made = transfer({"random": [RANDOM], "codes": [{"source": level, "a": 0.0, "b": 0.0} for level in levels]}, None)
    assert better_than_random(made.scores, made.episodes, ["source"]) == {"codes": expected}


def probes(kl: tuple[float, ...], active: int, **facts: float) -> EncoderProbes:
    targets = {name: ProbeScore(0.0, score, 0.25, 1.0, "balanced accuracy") for name, score in facts.items()}
    return EncoderProbes(targets, CodeKL(sum(kl), active, kl))


class Encoders(Model):
    """A model whose probes are given."""

    def probes(self) -> list[EncoderProbes]:
        return self.members  # type: ignore[return-value]


def test_encoders_alone_open_with_what_their_codes_hold() -> None:
    full = Encoders("full", [probes((3.0, 2.0, 0.0), 2, kind=0.85, shape=0.25)], [], "pixel")  # type: ignore[list-item]
    empty = Encoders("empty", [probes((0.0, 0.0, 0.0), 0, kind=0.25)], [], "pixel")  # type: ignore[list-item]
    text = encoder_opening([full, empty])
    assert text is not None
    assert text.words == (
        "**full** encodes images in 2 of 3 latents (5.0 nats). **empty**: no latent is active, so the code is the same "
        "for every image and says nothing. From the codes of **full** a small network predicts *kind*, 80 % of the way "
        "from chance to perfect, and *shape* 0 %. Every encoder has one seed: other seeds may do otherwise, and "
        "nothing here says by how much."
    )
    blind = encoder_opening([empty])
    assert blind is not None
    assert "No fact about the state is predicted from the codes better than by chance." in blind.words
    assert encoder_opening([]) is None
    scored = encoder_opening([Encoders("bare", [probes((1.0,), 1)], [], "pixel")], scored=True)  # type: ignore[list-item]
    assert scored is not None
    assert "is in the metrics below" in scored.words
