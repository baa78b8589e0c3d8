"""Make the pictures of pages in the documentation, in a headless Chromium.

    python tools/page_pictures.py explorer RUN [RUN] --out docs/figures/explorer.png
    python tools/page_pictures.py report REPORT --out docs/figures/report.png

`explorer` moves the first two sliders and saves the page of `darla explore`; `report` saves the top of a report.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from headless_browser import browser, complaints, missing

READY = "return document.querySelector('.explorer').hasAttribute('data-ready')"
MOVE = """
for (const [place, share] of [[0, 0.85], [1, 0.2]]) {
  const slider = document.querySelectorAll('.explorer input[type=range]')[place];
  slider.value = Number(slider.min) + share * (Number(slider.max) - Number(slider.min));
  slider.dispatchEvent(new Event('input', { bubbles: true }));
}
"""


def save_explorer(runs: list[Path], image: int, file: Path) -> None:
    """Save the page of `darla explore`.

    Args:
        runs: encoders or agents.
        image: number of the image that is chosen, from 0.
        file: the PNG to write.
    """
    from darla.explore_latents import explorer_server

    with explorer_server(runs) as server, tempfile.TemporaryDirectory() as profile:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with browser(Path(profile), width=1200, height=820) as driver:
            driver.get(server.url)
            _wait(driver)
            driver.execute_script(f"document.querySelectorAll('.images button')[{image}].click()")
            time.sleep(0.5)
            driver.execute_script(MOVE)
            time.sleep(0.5)
            _save(driver, file)
        server.shutdown()


def save_report(report: Path, file: Path) -> None:
    """Save the top of a report.

    Args:
        report: the artefact.
        file: the PNG to write.
    """
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile), width=1200, height=900) as driver:
        driver.get(f"file://{(report / 'report.html').resolve()}")
        _save(driver, file)


def _wait(driver: Any) -> None:
    for _ in range(1_000):
        if driver.execute_script(READY):
            return
        time.sleep(0.02)
    raise SystemExit(f"the page did not become ready: {complaints(driver)}")


def _save(driver: Any, file: Path) -> None:
    if problems := complaints(driver):
        raise SystemExit(f"the page complains: {problems}")
    driver.save_screenshot(str(file))
    print(file)


def main() -> None:
    """Make one picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("page", choices=("explorer", "report"))
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--image", type=int, default=0, help="which image of the explorer is chosen, from 0")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if reason := missing():
        raise SystemExit(reason)
    if options.page == "explorer":
        save_explorer(options.runs, options.image, options.out)
    else:
        save_report(options.runs[0], options.out)


if __name__ == "__main__":
    main()
