"""The report: one page that stands alone, the same in Markdown, and every number of the transfer in it."""

import copy
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from made_up_run import METHODS, make_encoder, make_run, make_transfer

from darla.common import Artefact, InputError
from darla.common.errors import ArtefactError
from darla.common.files import read_json, write_json
from darla.common.json_records import to_json
from darla.envs import tasks
from darla.evaluation.score_types import OWN, TransferScores, algorithm_label
from darla.reports.data import TransferData, collect_artefacts
from darla.reports.document import Cell, Document, ExplorerBlock, Section, Table, Text
from darla.reports.figures.scores import score_figure
from darla.reports.figures.style import PALETTE, to_svg
from darla.reports.html import to_html
from darla.reports.markdown import to_markdown
from darla.reports.page import build_report
from darla.reports.sections.protocol import compute_table
from darla.reports.sections.vision import effect_table, find_models, probe_table
from darla.reports.tables.transfer import (
    comparison_table,
    describe_domain,
    number,
    score_table,
    success_table,
    world_notes,
)
from darla.write_report import report

_VOID = {"meta", "img", "br", "hr", "link", "input", "use"}


class Reader(HTMLParser):
    """Reads a page, checks that its elements are closed in order, and keeps what a test asks for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2", "h3"):
            self.headings.append(data)

    def all(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.elements if tag in tags]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def made(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    return report(run, tmp_path_factory.mktemp("report") / "report")


@pytest.fixture(scope="module")
def page(made: Artefact) -> str:
    return (made.folder / "report.html").read_text()


@pytest.fixture
def scores(run: Path) -> TransferScores:
    return TransferScores.load(run / "recolor")


def test_the_page_is_well_formed_and_needs_nothing_beside_it(page):
    reader = Reader(page)
    assert not reader.all("link", "iframe", "object")
    assert all("src" not in script for script in reader.all("script"))
    (policy,) = [each["content"] for each in reader.all("meta") if "http-equiv" in each]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy
    for image in reader.all("img"):
        assert image["src"].startswith("data:image/")
    for link in reader.all("a"):
        if "download" not in link:
            assert link["href"].startswith("#")
            assert f'id="{link["href"][1:]}"' in page
        else:
            assert link["href"].startswith("data:text/csv;base64,")
    assert "url(http" not in page
    assert "@import" not in page


def test_pictures_say_what_they_show(page):
    reader = Reader(page)
    assert len(reader.all("img")) > 10
    assert all(image["alt"] for image in reader.all("img"))
    figures = reader.all("svg")
    assert len(figures) == 6
    assert all(figure["role"] == "img" and figure["aria-label"] for figure in figures)


def test_all_that_was_found_is_told(page):
    headings = Reader(page).headings
    for heading in (
        "Summary",
        "Scores",
        "Learning curves",
        "Film strips",
        "Encoders",
        "How it was measured",
        "Provenance",
        "Task conjunction",
        "Task recolor",
    ):
        assert heading in headings
    for method in METHODS:
        assert method in page
    for text in ("leak: visual", "leak: conjunction", "2017", "10,000 bootstrap", "torch ", "numpy "):
        assert text in page


def test_every_return_and_interval_is_in_the_table(scores):
    table = score_table(scores)
    for row, method in zip(table.rows, scores.methods, strict=True):
        assert row[0].text == method.method
        for cell, domain in zip(row[1::2], scores.domains, strict=False):
            estimate = method.domains[domain.name].return_
            assert cell.text == number(estimate.value)
            if estimate.low is not None:
                assert cell.detail == f"[{number(estimate.low)}, {number(estimate.high)}]†"
    assert any("too narrow" in note for note in table.notes)


def test_success_stands_beside_return(scores, page):
    table = score_table(scores)
    places = [place for place, cell in enumerate(table.header) if cell.detail == "success"]
    assert [table.header[place].text for place in places] == [*(d.name for d in scores.domains), "all targets"]
    for row, method in zip(table.rows, scores.methods, strict=True):
        assert method.over_targets is not None
        shares = [*(method.domains[domain.name].success for domain in scores.domains), method.over_targets.success]
        assert [row[place].text for place in places] == [f"{100 * share.value:.0f} %" for share in shares]
    assert re.search(r"succeeds in \d+ % of the episodes", page)


def test_a_damaged_file_is_named_with_its_field(run, tmp_path):
    content = read_json(run / "recolor" / "scores.json")
    for change, sentence in (
        (lambda data: data["methods"][1].pop("few_seeds"), r"lacks the field methods\[1\]\.few_seeds"),
        (lambda data: data["anchors"].update(random_return={"source": "x"}), r"anchors\.random_return\.source is 'x'"),
        (lambda data: data["domains"][0].update(split="sauce"), r"domains\[0\]\.split is 'sauce', not one of 'source'"),
        (lambda data: data["settings"].update(episodes=0), r"in settings: episodes is 0"),
        (lambda data: data.update(extra=1), r"unknown field extra"),
        (lambda data: data.update(agents=data["agents"][:1]), r"are of other agents or domains than the rest"),
        (lambda data: data["domains"].pop(), r"are of other agents or domains than the rest"),
        (lambda data: data["comparisons"][0].update(baseline="x"), r"is compared with 'x', but has no scores"),
        (lambda data: data["strips"][0].update(target="x"), r"a film strip is of .* in 'x', but there are no scores"),
        (lambda data: data["methods"][0]["domains"]["source"].update({"return": None}), r"source\.return is None"),
        (lambda data: data["methods"][0].update(over_targets=None), r"are not over the targets that the others have"),
        (lambda data: data["domains"][0].update(split="validation"), r"are of no source, or of several"),
        (lambda data: data["anchors"]["random_return"].pop("source"), r"random agent are of other domains"),
        (lambda data: data["anchors"].update(baseline="x"), r"'x' is the baseline, but has no scores"),
        (lambda data: data["episode_seeds"].update(x=[1]), r"seeds of episodes are of other domains"),
        (lambda data: data["comparisons"][0].update(domain="source"), r"compared in 'source', which is no target"),
    ):
        damaged = copy.deepcopy(content)
        change(damaged)
        write_json(tmp_path / "scores.json", damaged)
        with pytest.raises(ArtefactError, match=rf"scores\.json .*{sentence}"):
            TransferScores.load(tmp_path)


def test_files_of_a_transfer_that_disagree_are_named(run, tmp_path):
    transfer = Artefact.load(run / "recolor")
    task = copy.deepcopy(transfer.config["task"])
    task["targets"].popitem()
    for config, words in (
        ({"task": task}, r"about domain '"),
        ({"task": {**task, "name": "x"}}, r"config\.json is not"),
    ):
        altered = replace(transfer, config={**transfer.config, **config})  # as if its hashes had been renewed
        with pytest.raises(ArtefactError, match=rf"damaged: scores\.json is .*{words}"):
            _ = TransferData(altered).scores
    folder = Path(shutil.copytree(transfer.folder, tmp_path / "altered"))
    rows = (folder / "episodes.csv").read_text().replace("source", "sauce", 1)
    (folder / "episodes.csv").write_text(rows)
    with pytest.raises(ArtefactError, match="episodes\\.csv"):
        _ = TransferData(replace(transfer, folder=folder)).episodes
    (folder / "episodes.csv").write_text((transfer.folder / "episodes.csv").read_text().replace("random", "x"))
    with pytest.raises(ArtefactError, match=r"has episodes of 'x' in .*, but scores\.json has no scores of them"):
        _ = TransferData(replace(transfer, folder=folder)).episodes


def test_scores_are_read_as_they_were_written(scores, run):
    assert to_json(scores) == read_json(run / "recolor" / "scores.json")


def test_the_page_follows_the_reader_into_the_dark(page):
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    svg = page[page.index("<svg") : page.rindex("</svg>")]
    assert "var(--ink)" in svg
    assert not any(color in svg for color in PALETTE)


def test_figures_carry_text_as_text_and_no_names_that_could_meet(scores):
    svg = to_svg(score_figure(scores))
    assert ">return per episode</text>" in svg
    assert f">{scores.domains[-1].name}</text>" in svg
    assert not re.search(r"<g id=", svg)
    assert "DejaVu" not in svg


def test_nothing_of_the_machine_is_told(page, made, run):
    text = (made.folder / "report.md").read_text()
    for place in (str(run), str(run.parent), str(made.folder), str(Path.home())):
        assert place not in re.sub(r"<pre>.*?</pre>", "", page, flags=re.DOTALL)
        assert place not in re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def test_markdown_finds_its_pictures(made):
    text = (made.folder / "report.md").read_text()
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert len(pictures) == len(set(pictures)) > 10
    for picture in pictures:
        assert (made.folder / picture).read_bytes().startswith(b"\x89PNG")
    assert {path.name for path in (made.folder / "figures").glob("*.png")} == {Path(p).name for p in pictures}


def test_both_forms_tell_the_same(made, page):
    text = (made.folder / "report.md").read_text()
    for kind in ("Table", "Figure"):
        counted = [re.findall(rf"{kind} (\d+)\.", form) for form in (page, text)]
        assert counted[0] == counted[1] == [str(number) for number in range(1, len(counted[0]) + 1)]


def test_the_same_run_gives_the_same_bytes(made, run, tmp_path):
    assert report(run, tmp_path / "again").digest == made.digest
    assert report(run, made.folder).digest == made.digest


def test_names_are_text_whatever_they_hold():
    odd = '<b>"A" & **B**</b>'
    table = Table(odd, (Cell(odd),), ((Cell(odd, odd),),))
    document = Document(odd, odd, (Section(odd, (Text(odd), table)),))
    written = to_html(document)
    assert "<b>" not in written.replace("<b>Table", "")
    Reader(written)
    assert "<b>" not in to_markdown(document)[0]


def test_emphasis_and_code_are_marked_and_other_stars_are_not():
    written = to_html(Document("t", "", (Section("s", (Text("**bold**, *thin*, `co*de*`, 2 * 3 * 4"),)),)))
    assert "<strong>bold</strong>, <em>thin</em>" in written
    assert "2 * 3 * 4" in written


def test_one_task_needs_no_headings_of_its_own(run, tmp_path):
    written = (report(run / "conjunction", tmp_path / "report").folder / "report.html").read_text()
    assert "Task conjunction" not in Reader(written).headings
    assert "Zero-shot transfer: conjunction" in Reader(written).headings


def test_one_seed_has_no_interval_and_says_so(run, tmp_path):
    scores = TransferScores.load(make_transfer(tmp_path / "recolor", "recolor", {}, seeds=1).folder)
    table = score_table(scores)
    assert {cell.detail for row in table.rows for cell in row} == {""}
    assert any("one seed has no interval" in note for note in table.notes)
    shares = success_table(scores)
    assert shares is not None
    assert "they say nothing of other seeds" in shares.notes[0]


def test_p_values_appear_with_enough_seeds_only(scores, tmp_path):
    few = comparison_table(scores)
    assert few is not None
    assert [cell.text for cell in few.header][-1] == "P(improvement)"
    assert "with 1 independent run a permutation test cannot reach 0.05" in few.notes[-2]
    assert few.notes[-1].startswith("Intervals marked †")
    many = TransferScores.load(make_transfer(tmp_path / "many", "recolor", {}, seeds=6).folder)
    table = comparison_table(many)
    assert table is not None
    assert table.header[-1] == Cell("p", "Holm")


def test_compute_is_summed_by_stage():
    def made(kind: str, seconds: float, **card: dict) -> Artefact:
        return Artefact(
            Path(),
            kind,
            {"act": {"algorithm": "dqn", "observation": "images"}},
            {"wall_seconds": seconds, "inputs": {}, **card},
        )

    table = compute_table(
        [made("encoder", 60), made("encoder", 120), made("agent", 30), made("agent", 10, inputs={"encoder": "x"})]
    )
    assert [[cell.text for cell in row] for row in table.rows] == [
        ["encoders", "2", "1 min 30 s", "3 min 00 s"],
        ["agents, DQN on pixels", "1", "30 s", "30 s"],
        ["agents, DQN on codes", "1", "10 s", "10 s"],
        ["**all**", "4", "–", "**3 min 40 s**"],
    ]


def test_probes_show_each_model_and_what_the_perceptual_loss_changes(run):
    models = find_models(collect_artefacts([run]))
    assert [model.loss for model in models] == ["pixel", "perceptual"]
    assert models[1].used_by == ["DARLA (β-VAE_DAE)"]
    table = probe_table(models)
    assert [cell.text for cell in table.rows[0]][1:3] == ["0.60", "0.70"]
    assert table.rows[-1][0].text == "chance"
    effect = effect_table(models)
    assert effect is not None
    assert [cell.text for cell in effect.rows[0]][2:4] == ["+0.10", "+0.10"]
    # The encoders of this run were probed for two facts.
    assert [cell.text for cell in effect.header][2:] == ["kind", "kind", "bearing", "bearing"]


def test_encoders_that_differ_in_their_seed_are_one_model(run, tmp_path):
    frames = Artefact.load(run / "frames")
    one = make_encoder(tmp_path / "one", frames, {"loss": "pixel", "beta": 4.0}, 0.6)
    two = make_encoder(tmp_path / "two", frames, {"loss": "pixel", "beta": 4.0}, 0.8)
    other = make_encoder(tmp_path / "other", frames, {"loss": "pixel", "beta": 4.0, "width": 2}, 0.8)
    data = replace(collect_artefacts([run / "frames", run / "beta-4"]), encoders=[one, two, other])
    models = find_models(data)
    assert [len(model.members) for model in models] == [2, 1]
    assert models[1].label == f"{models[0].label}, variant 2"
    assert probe_table(models).rows[0][1] == Cell("0.70", "0.60 to 0.80")


def test_frames_are_found_near_the_encoder_they_taught(run):
    data = collect_artefacts([run / "beta-4"])
    assert [frames.digest for frames in data.frames] == [Artefact.load(run / "frames").digest]
    assert build_report(data).title == "Learning to see"


def test_what_cannot_be_reported_on_is_refused(run, tmp_path):
    with pytest.raises(InputError, match=r"no artefact at .*nowhere"):
        report(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no finished transfer"):
        report(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(InputError, match=r"nothing to report on in .*empty"):  # and not a report on the other alone
        report([run / "conjunction", tmp_path / "empty"], tmp_path / "out")
    damaged = Path(shutil.copytree(run / "conjunction", tmp_path / "copy"))
    (damaged / "curves.csv").write_text("method\n")
    with pytest.raises(InputError, match=r"curves\.csv is not the file"):
        report(damaged, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("card", ["{", "[]", '{"files": null}', '{"files": 3}'])
def test_a_damaged_folder_nearby_does_not_prevent_a_report(card, run, tmp_path):
    for name in ("frames", "beta-4"):
        shutil.copytree(run / name, tmp_path / name)
    (tmp_path / "damaged").mkdir()
    for name, text in (("card.json", card), ("config.json", "{}")):
        (tmp_path / "damaged" / name).write_text(text)
    assert len(collect_artefacts([tmp_path / "beta-4"]).frames) == 1


def test_numbers_have_true_minus_signs_and_no_negative_zero():
    assert [number(value) for value in (-3.04, -0.04, 0.0, 12.35)] == ["−3.0", "0.0", "0.0", "12.3"]


def test_a_table_for_the_terminal_is_aligned(scores):
    lines = score_table(scores).transposed().terminal().splitlines()
    assert lines[0] == "Return per episode and share of successful episodes, task recolor"
    rule = lines[3]
    assert set(rule) == {"─"}
    assert all(len(line) <= len(rule) for line in lines[2 : lines.index(rule, 4)])
    assert lines[4].startswith("source  ")


def test_the_domains_of_a_task_come_with_their_world_and_its_license():
    (note,) = world_notes(tasks.get("car-racing").to_dict())
    assert note == "World `car_racing`: Gymnasium's CarRacing in other colors, license MIT (Gymnasium)."
    (note,) = world_notes(tasks.get("unseen").to_dict())
    assert note.startswith("World `seek_avoid`: collect good objects")
    assert "license" not in note
    elsewhere = {"world": "not installed", "components": []}
    assert world_notes({"unlabeled": elsewhere, "source": elsewhere, "targets": {}}) == ()


def test_a_domain_whose_factors_have_their_defaults_is_described_by_these() -> None:
    task = tasks.get("grid-world")
    assert describe_domain(task.source.to_dict()) == "every factor at its default: ground 0, hue 0"
    assert describe_domain(task.targets["green"].to_dict()) == "hue 0.33"
    elsewhere = {**task.source.to_dict(), "world": "of a package that is not installed here"}
    assert describe_domain(elsewhere) == "every factor at its default"


def test_what_introduces_sliders_stands_where_the_sliders_are() -> None:
    sliders = ExplorerBlock("explorer", {"latents": []}, "The latents to move:")
    document = Document("title", "subtitle", (Section("part", (sliders,)),))
    assert "The latents to move:" in to_html(document)
    text, _ = to_markdown(document)
    assert text.endswith("The latents can be moved in the HTML report.\n")


def test_algorithms_have_names_that_can_be_read() -> None:
    names = {"ppo": "PPO", "my_algorithms:PatientPPO": "PatientPPO", OWN: "not trained by darla"}
    assert {name: algorithm_label(name) for name in names} == names


def test_a_column_without_numbers_is_left_out_everywhere() -> None:
    header = tuple(map(Cell, ("method", "note", "return", "retention")))
    rows = ((Cell("a"), Cell("–"), Cell("1.0"), Cell("–")), (Cell("b"), Cell(""), Cell("2.0"), Cell("")))
    table = Table("scores", header, rows, labels=2)
    document = Document("title", "", (Section("part", (table,)),))
    assert [cell.text for cell in table.without_blank_columns().header] == ["method", "note", "return"]
    assert "retention" not in to_html(document)
    assert "retention" not in to_markdown(document)[0]
    # A table of nothing but blanks stays as it is: its columns say what was not measured.
    blank = Table("scores", header[:3], tuple((row[0], row[1], Cell("–")) for row in rows), labels=2)
    assert blank.without_blank_columns() == blank


def test_figures_are_vectors_with_their_numbers_beside_them(made: Artefact) -> None:
    files = {path.name for path in (made.folder / "figures").iterdir()}
    drawn = {name.removesuffix(".svg") for name in files if name.endswith(".svg")}
    assert drawn
    assert {f"{name}.csv" for name in drawn} <= files
    text = (made.folder / "report.md").read_text()
    for name in drawn:
        assert f"[SVG](figures/{name}.svg)" in text
        assert f"[CSV](figures/{name}.csv)" in text
