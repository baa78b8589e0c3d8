"""A report in a real browser: tables are sorted, figures give their numbers, nothing is asked of any host."""

import base64
import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from headless_browser import browser, complaints, missing, requested
from made_up_run import make_run

from darla.evaluation.film_strips import RecordedEpisode
from darla.evaluation.score_types import TransferScores
from darla.reports.document import Document, FigureBlock, Film, Section
from darla.reports.figures.film import film_mp4, film_size
from darla.reports.html import to_html
from darla.write_report import report

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

COLUMN = """
const [table, column] = arguments;
return [...document.querySelectorAll('table.sortable')[table].tBodies[0].rows].map(
  (row) => row.cells[column].firstChild.textContent.trim());
"""
PRESS = "document.querySelectorAll('table.sortable')[arguments[0]].tHead.rows[0].cells[arguments[1]]"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("run"), ("recolor",))


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def page(run: Path, downloads: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = report(run, tmp_path_factory.mktemp("report") / "report").folder
    with browser(tmp_path_factory.mktemp("profile")) as driver:
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
        driver.get(f"file://{folder / 'report.html'}")
        yield driver
        assert requested(driver) == {f"file://{folder / 'report.html'}"}
        assert complaints(driver) == []


def press(page: Any, table: int, column: int) -> str:
    """Press the button at the head of a column and return the order that the column then says it has."""
    page.execute_script(f"{PRESS}.querySelector('button').click()", table, column)
    order = page.execute_script(f"return {PRESS}.getAttribute('aria-sort')", table, column)
    return str(order)


def test_a_table_is_sorted_by_a_column_of_numbers_and_back(page: Any) -> None:
    before = page.execute_script(COLUMN, 0, 0)
    numbers = [float(text.replace("−", "-")) for text in page.execute_script(COLUMN, 0, 1)]
    assert press(page, 0, 1) == "descending"
    sorted_names = page.execute_script(COLUMN, 0, 0)
    by_hand = [name for _, name in sorted(zip(numbers, before, strict=True), key=lambda pair: -pair[0])]
    assert sorted_names == by_hand
    assert press(page, 0, 1) == "ascending"
    assert page.execute_script(COLUMN, 0, 0) == by_hand[::-1]
    assert press(page, 0, 0) == "ascending"
    assert page.execute_script(COLUMN, 0, 0) == ["DARLA (β-VAE_DAE)", "DARLA (β-VAE, β = 4)", "end to end", "random"]
    assert page.execute_script(f"return {PRESS}.getAttribute('aria-sort')", 0, 1) is None


def test_a_sum_stays_at_the_end(page: Any) -> None:
    tables = page.execute_script("return [...document.querySelectorAll('table.sortable')].map((each) => !!each.tFoot)")
    table = tables.index(True)
    count = len(page.execute_script(COLUMN, table, 0))
    press(page, table, 1)
    assert len(page.execute_script(COLUMN, table, 0)) == count
    last = page.execute_script(
        "return document.querySelectorAll('table.sortable')[arguments[0]].tFoot.innerText", table
    )
    assert last.startswith(("chance", "all"))


def test_a_figure_gives_the_numbers_that_it_was_drawn_from(page: Any, run: Path) -> None:
    link = page.execute_script("return document.querySelector('.files a').href")
    rows = list(csv.DictReader(io.StringIO(base64.b64decode(link.partition(",")[2]).decode())))
    scores = TransferScores.load(run / "recolor")
    expected = {
        (domain.name, method.method): method.domains[domain.name].return_.value
        for domain in scores.domains
        for method in scores.methods
    }
    means = {(row["domain"], row["method"]): float(row["return"]) for row in rows if row["seed"] == "mean"}
    assert means == expected


def test_a_figure_is_saved_as_svg_in_the_colors_of_the_page(page: Any, downloads: Path) -> None:
    page.execute_script("document.querySelector('.files button').click()")
    for _ in range(200):
        if saved := list(downloads.glob("*.svg")):
            break
        time.sleep(0.05)
    (file,) = saved
    text = file.read_text()
    assert text.startswith("<svg")
    assert "var(--" not in text
    assert "#c4501b" in text


def test_a_film_plays(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    pytest.importorskip("imageio_ffmpeg", reason="films as MP4: pip install darla[film]")
    images = [np.full((64, 64, 3), 8 * step, np.uint8) for step in range(31)]
    rows = {"agent": [RecordedEpisode("source", images, [1.0] * 30, {}, ("forward",) * 30)]}
    film = Film(film_mp4(rows), "mp4", *film_size(rows))
    block = FigureBlock("film", film, "A film.", "An image that becomes lighter.")
    (tmp_path / "page.html").write_text(to_html(Document("title", "", (Section("part", (block,)),))))
    with browser(tmp_path_factory.mktemp("films")) as driver:
        driver.get(f"file://{tmp_path / 'page.html'}")
        state = driver.execute_async_script(
            """
            const done = arguments[0];
            const video = document.querySelector('video');
            video.addEventListener('timeupdate', () => {
              if (video.currentTime > 0.5) {
                const canvas = document.createElement('canvas');
                [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
                const pen = canvas.getContext('2d');
                pen.drawImage(video, 0, 0);
                done([video.videoWidth, video.videoHeight, video.duration, ...pen.getImageData(100, 150, 1, 1).data]);
              }
            });
            video.addEventListener('error', () => done([video.error.message]));
            video.play().catch((error) => done([String(error)]));
            """
        )
        width, height, duration, *pixel = state
        assert (width, height) == film_size(rows)
        assert duration > 2.0
        assert 8 < pixel[0] < 240  # lighter than the first image, darker than the last
        assert complaints(driver) == []
