"""One axis at a time in a report: the heat map, the table, and sentences that follow from the numbers."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from made_up_run import make_transfer, usual_level

from darla.evaluation.score_types import Estimate
from darla.reports.data import TransferData, collect_artefacts
from darla.reports.document import FigureBlock, Section, Table, Text
from darla.reports.figures.axes import axes_figure, axes_numbers
from darla.reports.figures.style import PALETTE, to_svg
from darla.reports.page import build_report
from darla.reports.sections.axes import axes_blocks, axes_sentences
from darla.reports.tables.axes import Axes, axes_table, find_axes, task_axes
from darla.reports.tables.study import study_table
from darla.reports.tables.transfer import score_table


@pytest.fixture(scope="module")
def transfer(tmp_path_factory: pytest.TempPathFactory) -> TransferData:
    """A transfer in which every axis breaks the baseline, and none the two others."""
    folder = tmp_path_factory.mktemp("axes")
    make_transfer(folder / "axes", "axes", {})
    return collect_artefacts([folder]).transfers[0]


@pytest.fixture
def axes(transfer: TransferData) -> Axes:
    found = find_axes(transfer)
    assert found is not None
    return found


def with_retention(axes: Axes, method: str, **retention: tuple[float, float | None, float | None]) -> Axes:
    """Return the axes with other retentions of a method."""
    scores = axes.scores
    methods = []
    for each in scores.methods:
        if each.method == method:
            changed = {target: replace(each.domains[target], retention=Estimate(*value))
                       for target, value in retention.items()}  # fmt: skip
            each = replace(each, domains={**each.domains, **changed})
        methods.append(each)
    changed_scores = replace(scores, methods=tuple(methods))
    return replace(axes, scores=changed_scores, learned=tuple(m for m in methods if m.method != "random"))


def test_an_axis_breaks_a_method_whose_whole_interval_is_below_one_half(axes: Axes) -> None:
    changed = with_retention(
        axes, "DARLA (β-VAE, β = 4)", wall_hue=(0.3, 0.1, 0.49), floor_hue=(0.2, 0.0, 0.4), light_x=(0.3, 0.1, 0.51)
    )
    method = next(each for each in changed.learned if each.method == "DARLA (β-VAE, β = 4)")
    assert changed.broken(method) == ["floor_hue", "wall_hue"], "the worst first"
    sentences = axes_sentences(changed)
    assert (
        "**DARLA (β-VAE, β = 4)** on 2: *floor hue* (0.20 [0.00, 0.40]) and *wall hue* (0.30 [0.10, 0.49])" in sentences
    )
    assert "**end to end** on 23: " in sentences
    assert " and 19 more" in sentences
    assert "**DARLA (β-VAE_DAE)** on none." in sentences
    assert "No axis breaks every one of the 3 methods that learned the source" in sentences


def test_what_every_method_shares_is_named(axes: Axes) -> None:
    for method in ("DARLA (β-VAE, β = 4)", "DARLA (β-VAE_DAE)"):
        axes = with_retention(axes, method, wall_hue=(0.3, 0.1, 0.4))
    kept = dict.fromkeys(("light_x", "light_z"), (0.95, 0.9, 1.0))
    for method in axes.learned:
        axes = with_retention(axes, method.method, **kept)
    sentences = axes_sentences(axes)
    assert "*Wall hue*" not in sentences
    assert "*wall hue* breaks every one of the 3 methods" in sentences
    assert "*light x* and *light z* they all keep more than 0.8." in sentences


def test_the_largest_difference_from_the_baseline_is_that_of_the_scores(axes: Axes) -> None:
    entries = [entry for entry in axes.scores.comparisons if entry.domain != "all targets"]
    largest = max(entries, key=lambda entry: abs(entry.difference.value))
    last = axes_sentences(axes).split("The largest of ")[1]
    assert last.startswith(f"{len(entries)} differences in return from end to end is that of **{largest.method}**")
    assert f"{largest.difference.value:.1f} [{largest.difference.low:.1f}, {largest.difference.high:.1f}]" in last
    assert "zero outside this interval" in last


def test_nothing_is_said_where_no_method_learned_the_source(tmp_path: Path) -> None:
    make_transfer(tmp_path / "axes", "axes", {}, level=lambda *_: 0.0)
    axes = find_axes(collect_artefacts([tmp_path]).transfers[0])
    assert axes is not None
    assert axes.learned == ()
    assert axes_sentences(axes) == ""
    blocks = axes_blocks(collect_artefacts([tmp_path]).transfers[0])
    assert not [block for block in blocks if isinstance(block, Text)]
    table = axes_table(axes)
    assert table.header[1].detail == "return"
    assert ">return</text>" in to_svg(axes_figure(axes))


def test_a_method_that_did_not_learn_the_source_has_no_retention(tmp_path: Path) -> None:
    make_transfer(
        tmp_path / "axes",
        "axes",
        {},
        level=lambda name, split: 0.0 if name == "end to end" else usual_level(name, split),
    )
    axes = find_axes(collect_artefacts([tmp_path]).transfers[0])
    assert axes is not None
    assert "end to end" not in {method.method for method in axes.learned}
    assert "**end to end** on" not in axes_sentences(axes)
    place = [cell.text for cell in axes_table(axes).header].index("end to end")
    assert {row[place].text for row in axes_table(axes).rows} == {"–"}
    assert axes.retention(axes.methods[0], "wall_hue") is None


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    make_transfer(tmp_path / "axes", "axes", {}, seeds=1)
    axes = find_axes(collect_artefacts([tmp_path]).transfers[0])
    assert axes is not None
    assert "one seed each" in axes_sentences(axes)
    assert "interval" not in axes_sentences(axes)


def test_the_heat_map_has_every_method_axis_and_number(axes: Axes) -> None:
    svg = to_svg(axes_figure(axes))
    for method in axes.methods:
        assert svg.count(f">{method.method}</text>") == 2, "retention, and success"
    for target in axes.factors:
        assert f">{target.replace('_', ' ')}</text>" in svg
    assert svg.count("stroke: var(--c1)") == len(axes.factors), "a frame around each axis that breaks end to end"
    assert PALETTE[1] not in svg
    numbers = axes_numbers(axes)
    assert len(numbers.rows) == 23 * 4
    by_name = {(row[0], row[1]): row for row in numbers.rows}
    for method in axes.scores.methods:
        domain = method.domains["wall_hue"]
        retention = None if domain.retention is None else domain.retention.value
        assert by_name["wall_hue", method.method][2] == retention
        assert by_name["wall_hue", method.method][5] == domain.return_.value


def test_many_axes_are_drawn_in_rows(axes: Axes) -> None:
    names = [f"axis {number}" for number in range(50)]
    source, target = axes.scores.domains[:2]
    like = {source.name: source.name} | dict.fromkeys(names, target.name)
    scores = replace(
        axes.scores,
        domains=(source, *(replace(target, name=name) for name in names)),
        anchors=replace(axes.scores.anchors, random_return=dict.fromkeys(like, 0.0)),
        methods=tuple(
            replace(each, domains={name: each.domains[other] for name, other in like.items()})
            for each in axes.scores.methods
        ),
        episode_seeds={},
        strips=(),
        comparisons=(),
    )
    figure = axes_figure(Axes(scores, dict.fromkeys(names, ("wall_hue",)), scores.methods[1:]))
    assert len(figure.axes) == 6, "two panels for each of three rows"
    places = [panel.get_position() for panel in figure.axes]
    assert np.allclose([place.x0 for place in places], places[0].x0)
    assert all(upper.y0 > lower.y1 for upper, lower in pairwise(places))
    assert places[0].y1 <= 1
    assert places[-1].y0 >= 0


def test_the_report_has_a_section_for_a_task_of_axes_and_no_other(transfer: TransferData, tmp_path: Path) -> None:
    make_transfer(tmp_path / "axes", "axes", {})
    make_transfer(tmp_path / "recolor", "recolor", {})
    document = build_report(collect_artefacts([tmp_path]))
    (section,) = [section for section in document.sections if section.title == "One axis at a time"]
    kinds = [type(block) for block in section.blocks]
    assert kinds == [Text, FigureBlock, Table]
    alone = build_report(collect_artefacts([tmp_path / "recolor"]))
    assert not [each for each in alone.sections if isinstance(each, Section) and each.title == "One axis at a time"]


def test_many_domains_are_the_rows_of_a_table(transfer: TransferData) -> None:
    table = score_table(transfer.scores)
    assert [cell.text for cell in table.header] == ["method", *(method.method for method in transfer.scores.methods)]
    assert "wall_hue" in {row[0].text for row in table.rows}
    assert "| wall_hue (leak: visual) " in study_table({"axes": transfer.artefact})


def test_a_world_that_is_not_here_has_no_axes(transfer: TransferData) -> None:
    assert len(task_axes(transfer.task)) == 23
    assert task_axes({**transfer.task, "source": {**transfer.task["source"], "world": "elsewhere"}}) == {}
