"""A headless Chromium for tests and pictures of pages: Debian's `chromium` and `chromium-driver`, with Selenium."""

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = (
    "--headless",
    "--no-sandbox",  # Chromium's sandbox cannot be used by root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


def missing() -> str:
    """Return what has to be installed before `browser` can be used; nothing if it can be."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium, which drives the browser, is not installed: pip install 'darla[browser]'"
    if not BROWSER or not DRIVER:
        return "there is no Chromium with its driver: apt-get install chromium chromium-driver"
    return ""


@contextmanager
def browser(profile: Path, *, width: int = 1200, height: int = 1000, dark: bool = False) -> Iterator[Any]:
    """Start a browser with an empty profile, which logs its console and every request."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for flag in (*FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    try:
        # A window has a least width; a screen of another size is emulated, as is a system that prefers dark pages.
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        driver.get("about:blank")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        requested(driver)  # those of the browser's own first page
        yield driver
    finally:
        driver.quit()


def requested(driver: Any) -> set[str]:
    """Return the addresses that pages asked for since the last call, without those of data that is in the page."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    addresses = {
        str(message["params"]["request"]["url"])
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    return {address for address in addresses if not address.startswith(("data:", "blob:", "about:"))}


def complaints(driver: Any) -> list[str]:
    """Return the errors and warnings on the console since the last call."""
    return [entry["message"] for entry in driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
