"""The HTML of the explorer: a page of its own, and the part of a report."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from darla.reports.inline import asset

_PACKAGE = "darla.reports.explorer"


def live_page(data: Mapping[str, Any]) -> str:
    """Return the page that a server's explorer is used on.

    Args:
        data: from `page_data`.
    """
    names = data["encoders"][0]["label"] if len(data["encoders"]) == 1 else "two encoders"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>Latents of {escape(names)}</title>\n<style>\n{asset('report.css')}\n"
        f"{explorer_style()}</style>\n</head>\n<body class='live'>\n"
        f"<header>\n<h1>Latents of {escape(names)}</h1>\n</header>\n"
        f"<main>\n{explorer_part(data, 'explorer')}</main>\n"
        f"<script>\n{explorer_script()}</script>\n</body>\n</html>\n"
    )


def explorer_part(data: Mapping[str, Any], name: str) -> str:
    """Return the place of an explorer in a page, with its data; `explorer_script` fills it.

    Args:
        data: from `page_data`, and for a page without a server what decodes in the browser.
        name: unique within the page.
    """
    # `<` is written as an escape of JSON, so that no text in the data ends the script element.
    plain = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return (
        f'<div class="explorer" id="{name}" data-from="{name}-data">'
        "<p>The latents can be moved where the page may run scripts.</p></div>\n"
        f'<script type="application/json" id="{name}-data">{plain}</script>\n'
    )


def explorer_style() -> str:
    """Return the style sheet of explorers; it uses the colors of the report's."""
    return asset("explorer.css", _PACKAGE)


def explorer_script() -> str:
    """Return the script that makes an explorer of each place for one."""
    return asset("decoder.js", _PACKAGE) + asset("explorer.js", _PACKAGE)
