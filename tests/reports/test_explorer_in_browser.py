"""The latent explorer in a real browser: sliders, a dropped image, two encoders, keyboard, phone; in a report too."""

import base64
import io
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from headless_browser import browser, complaints, missing, requested
from PIL import Image
from short_rooms import hasty_agent, hasty_encoder

from darla.common import Artefact
from darla.envs.frames.frame_set import FrameSet
from darla.explore_latents import explorer_server
from darla.reports.document import Document, ExplorerBlock, Section
from darla.reports.explorer.embedded import BUDGET, embedded_explorer
from darla.reports.explorer.encoder_view import EncoderView
from darla.reports.explorer.server import ExplorerServer
from darla.reports.html import to_html
from darla.vision import load
from darla.write_report import report

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

MEASURED = "return performance.getEntriesByName('darla: from slider to picture')[0]?.duration ?? null"
PICTURE = """
const canvas = [...document.querySelectorAll('.explorer canvas')].filter(
  (each) => each.getAttribute('aria-label').startsWith(arguments[0]))[arguments[1]];
const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
return btoa(String.fromCharCode(...data));
"""
MOVE = """
const column = document.querySelectorAll('.explorer .column')[arguments[0]];
const slider = column.querySelectorAll('input[type=range]')[arguments[1]];
slider.value = arguments[2];
slider.dispatchEvent(new Event('input', { bubbles: true }));
return [slider.id, Number(slider.value)];
"""
DROP = """
const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
const transfer = new DataTransfer();
transfer.items.add(new File([bytes], 'square.png', { type: 'image/png' }));
document.body.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }));
"""


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Artefact:
    made = hasty_encoder(tmp_path_factory.mktemp("encoder"))
    return made


@pytest.fixture(scope="module")
def server(encoder: Artefact, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExplorerServer]:
    agent = hasty_agent(tmp_path_factory.mktemp("agents") / "agent", 0, encoder=encoder)
    with explorer_server([encoder, agent]) as serving:
        threading.Thread(target=serving.serve_forever, daemon=True).start()
        yield serving
        serving.shutdown()


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


@pytest.fixture
def page(driver: Any, server: ExplorerServer) -> Any:
    driver.get(server.url)
    wait(driver, "return document.querySelector('.explorer').hasAttribute('data-ready')")
    return driver


def wait(driver: Any, script: str, *arguments: Any, seconds: float = 30.0) -> Any:
    end = time.monotonic() + seconds
    while not (value := driver.execute_script(script, *arguments)):
        assert time.monotonic() < end, f"never true: {script}; {complaints(driver)}"
        time.sleep(0.02)
    return value


def picture(driver: Any, name: str = "decoded", column: int = 0) -> np.ndarray:
    data = base64.b64decode(driver.execute_script(PICTURE, name, column))
    return np.frombuffer(data, np.uint8).reshape(64, 64, 4)[..., :3]


def move(driver: Any, column: int, place: int, value: float) -> tuple[int, float]:
    """Move a slider, wait for the picture, and return the index of the latent and its value."""
    driver.execute_script("performance.clearMeasures()")
    name, moved = driver.execute_script(MOVE, column, place, value)
    wait(driver, f"{MEASURED} !== null")
    return int(name.rpartition("z")[2]), moved


def status(driver: Any) -> str:
    return driver.execute_script("return document.querySelector('[role=status]').textContent")


def test_a_slider_moves_the_picture_to_what_the_model_decodes(page: Any, server: ExplorerServer) -> None:
    view = server.columns[0].view
    code = view.encode(server._images[:1])[0].round(4)
    np.testing.assert_array_equal(picture(page), view.decode(code[None])[0])
    np.testing.assert_array_equal(picture(page, "image"), server._images[0])
    latent, value = move(page, 0, 0, 2.0)
    code[latent] = value
    moved = picture(page)
    assert (moved != view.decode(view.encode(server._images[:1]))[0]).any()
    assert np.abs(moved.astype(int) - view.decode(code[None])[0]).max() <= 1  # the code on the page is rounded
    assert complaints(page) == []


def test_nothing_is_asked_of_another_host(page: Any, server: ExplorerServer) -> None:
    move(page, 1, 3, -1.0)
    addresses = requested(page)
    assert addresses
    assert {address for address in addresses if not address.startswith(server.url)} == set()


def test_an_image_is_dropped_and_its_codes_are_shown(page: Any, server: ExplorerServer) -> None:
    drawn = np.zeros((64, 64, 3), np.uint8)
    drawn[20:40, 10:30] = (250, 10, 10)
    data = io.BytesIO()
    Image.fromarray(drawn).save(data, "PNG")
    page.execute_script(DROP, base64.b64encode(data.getvalue()).decode())
    wait(page, "return document.querySelector('[role=status]').textContent.startsWith('square.png')")
    np.testing.assert_array_equal(picture(page, "image"), drawn)
    view = server.columns[0].view
    assert np.abs(picture(page).astype(int) - view.decode(view.encode(drawn[None]))[0]).max() <= 1
    assert complaints(page) == []


def test_a_file_that_is_no_image_is_said_to_be_none(page: Any) -> None:
    before = picture(page)
    page.execute_script(DROP, base64.b64encode(b"no image").decode())
    wait(page, "return document.querySelector('[role=status]').textContent.includes('was not encoded')")
    np.testing.assert_array_equal(picture(page), before)


def test_two_encoders_stand_side_by_side_and_the_agent_answers(page: Any) -> None:
    boxes = page.execute_script(
        "return [...document.querySelectorAll('.column')].map((each) => each.getBoundingClientRect().toJSON())"
    )
    assert boxes[0]["right"] <= boxes[1]["left"]
    before = picture(page, column=0), picture(page, column=1)
    texts = "return document.querySelectorAll('.policy')[0].innerText"
    chosen = page.execute_script(texts)
    assert {"left", "right", "forward", "value"} == {line.split()[0] for line in chosen.splitlines()}
    move(page, 1, 0, 2.5)
    np.testing.assert_array_equal(picture(page, column=0), before[0])
    assert (picture(page, column=1) != before[1]).any()
    move(page, 1, 1, -2.5)
    assert page.execute_script(texts) != chosen


def test_it_is_used_by_keyboard_and_read_by_screen_readers(page: Any) -> None:
    from selenium.webdriver.common.keys import Keys

    slider = page.find_element("css selector", ".explorer input[type=range]")
    before = picture(page)
    page.execute_script("performance.clearMeasures(); arguments[0].focus()", slider)
    slider.send_keys(Keys.END)
    wait(page, f"{MEASURED} !== null")
    assert (picture(page) != before).any()
    nodes = [
        {"role": node["role"]["value"], "name": node.get("name", {}).get("value", "")}
        for node in page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        if not node.get("ignored")
    ]
    sliders = [node["name"] for node in nodes if node["role"] == "slider"]
    assert len(sliders) == 24  # twelve of each encoder before the others are asked for
    assert all(name.startswith("z") and "nats" in name for name in sliders)
    unnamed = [node for node in nodes if node["role"] in ("button", "image", "img", "slider") and not node["name"]]
    assert unnamed == []
    page.find_element("css selector", "button.more").click()
    assert (
        page.execute_script(
            "return document.querySelectorAll('.column')[0].querySelectorAll('li:not([hidden])').length"
        )
        > 24
    )


def test_a_slider_answers_within_fifty_milliseconds(page: Any) -> None:
    seconds = []
    for number in range(30):
        move(page, 0, number % 6, -2.0 + number / 8)
        seconds.append(page.execute_script(MEASURED))
    assert statistics.median(seconds) < 50.0


def test_the_page_is_there_within_a_second(server: ExplorerServer, driver: Any) -> None:
    ready = []
    for _ in range(3):
        started = time.monotonic()
        driver.get(server.url)
        wait(driver, "return document.querySelector('.explorer').hasAttribute('data-ready')")
        ready.append(time.monotonic() - started)
    assert min(ready) < 1.0


def test_in_a_report_the_decoder_runs_in_the_page(encoder: Artefact, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = report(encoder, tmp_path_factory.mktemp("report") / "report").folder
    view = EncoderView(encoder, load(encoder), "encoder", FrameSet.open(encoder.folder.parent / "frames"))
    data = embedded_explorer(view, BUDGET)
    assert data is not None
    code = torch.tensor(data["encoders"][0]["codes"][0])
    with browser(tmp_path_factory.mktemp("phone"), width=390, height=844, dark=True) as phone:
        phone.get(f"file://{folder / 'report.html'}")
        wait(phone, "return document.querySelector('.explorer').hasAttribute('data-ready')")
        latent, value = move(phone, 0, 0, 1.5)
        code[latent] = value
        difference = np.abs(picture(phone).astype(int) - view.decode(code[None].numpy())[0])
        assert difference.max() <= 3  # weights are in float16
        assert difference.mean() < 0.5
        assert requested(phone) == {f"file://{folder / 'report.html'}"}
        assert complaints(phone) == []
        assert phone.execute_script("return document.documentElement.scrollWidth") <= 390
        ground = phone.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert max(map(int, ground.removeprefix("rgb(").rstrip(")").split(","))) < 60
    assert (folder / "report.html").stat().st_size < BUDGET


def test_pictures_drawn_beforehand_are_those_of_the_model(encoder: Artefact, driver: Any, tmp_path: Path) -> None:
    view = EncoderView(encoder, load(encoder), "encoder", FrameSet.open(encoder.folder.parent / "frames"))
    data = embedded_explorer(view, 1_000_000)  # too little for the weights of the decoder
    assert data is not None
    assert data["decoders"][0]["kind"] == "sheets"
    document = Document("title", "subtitle", (Section("part", (ExplorerBlock("explorer", data),)),))
    (tmp_path / "page.html").write_text(to_html(document))
    driver.get(f"file://{tmp_path / 'page.html'}")
    wait(driver, "return document.querySelector('.explorer').hasAttribute('data-ready')")
    latent = data["encoders"][0]["latents"][1]
    code = np.array(data["encoders"][0]["codes"][0], np.float32)
    move(driver, 0, 0, 2.0)  # the first latent returns to the image's code when another one is moved
    move(driver, 0, 1, latent["high"])
    code[latent["index"]] = latent["high"]
    assert np.abs(picture(driver).astype(int) - view.decode(code[None])[0]).mean() < 4  # the pictures are lossy
    assert complaints(driver) == []
