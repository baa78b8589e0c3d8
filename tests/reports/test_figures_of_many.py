"""Figures of transfers with more methods than colors: each method is labeled where it is drawn."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_up_run import make_run

from darla.evaluation.performance_profiles import profiles
from darla.evaluation.score_types import TransferScores
from darla.reports.data import TransferData, collect_artefacts
from darla.reports.figures.learning_curves import curve_figure, training_curve_figure
from darla.reports.figures.profiles import profile_figure
from darla.reports.figures.scores import score_figure
from darla.reports.figures.style import CROWD, PALETTE, named_styles, styles, to_svg


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> TransferData:
    folder: Path = make_run(tmp_path_factory.mktemp("many"), names=("recolor",))
    return collect_artefacts([folder]).transfers[0]


@pytest.fixture
def many(transfer: TransferData) -> TransferScores:
    """The scores of that transfer, its last method repeated under names of its own."""
    last = transfer.scores.methods[-1]
    added = tuple(replace(last, method=f"method {number}") for number in range(CROWD))
    agents = tuple(replace(transfer.scores.agents[-1], method=method.method) for method in added)
    scores = transfer.scores
    return replace(scores, methods=(*scores.methods, *added), agents=(*scores.agents, *agents))


def test_scores_name_each_method_once_and_each_domain(many: TransferScores) -> None:
    svg = to_svg(score_figure(many))
    for method in many.methods:
        assert svg.count(f">{method.method}</text>") == 1
    for domain in many.domains:
        assert f">{domain.name}</text>" in svg


def test_only_baseline_and_random_agent_stand_out_among_many(many: TransferScores) -> None:
    names = [method.method for method in many.methods]
    look = named_styles(names, "end to end")
    assert {look[name] for name in names if name not in ("random", "end to end")} == {(PALETTE[2], "o")}
    assert len(set(look.values())) == 3
    assert named_styles(names[:4], "end to end") == styles(names[:4], "end to end")


def test_curves_of_many_methods_have_a_panel_for_each(transfer: TransferData, many: TransferScores) -> None:
    drawn = {f"method {number}": {0: [(1_000, 1.0), (2_000, 2.0)]} for number in range(CROWD)}
    places = [domain.name for domain in many.domains]
    svg = to_svg(curve_figure({(name, place): drawn[name] for name in drawn for place in places}, many))
    for name in drawn:
        assert svg.count(f">{name}</text>") == 1
    for place in places:
        assert svg.count(f">{place}</text>") == 1, "in the legend"
    assert ">random</text>" not in svg, "it has no curve"
    few = to_svg(curve_figure(transfer.curves, transfer.scores))
    assert all(few.count(f">{place}</text>") == 1 for place in places), "titles of panels"


def test_training_curves_need_no_legend() -> None:
    svg = to_svg(training_curve_figure({"DARLA": {0: [(10, 0.0), (20, 1.0)]}, "end to end": {0: [(20, 1.0)]}}, None))
    assert svg.count(">DARLA</text>") == svg.count(">end to end</text>") == 1


def test_profiles_of_many_methods_have_a_panel_for_each(transfer: TransferData, many: TransferScores) -> None:
    result = [profile for profile in profiles(transfer.scores, transfer.episodes) if profile.method != "random"]
    svg = to_svg(profile_figure(result, many))
    for profile in result:
        assert svg.count(f">{profile.method}</text>") == 1
