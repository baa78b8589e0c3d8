"""A hook of MkDocs: shows mkdocstrings the packages under their import names.

The folders `envs`, `vision`, `agents` and `experiments` are beside `darla/`, and their import names are below it (see
`package-dir` in pyproject.toml). mkdocstrings reads source files and not installed packages, so it is given a tree of
copies in which the folders are where their names say. (It does not follow links to folders.)
"""

import shutil
from pathlib import Path
from typing import Any

from mkdocs.plugins import event_priority

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ("agents", "envs", "experiments", "vision")


@event_priority(100)
def on_config(config: Any) -> Any:
    """Make `build/site-source/darla` anew, a copy of the source files.

    Hooks come after plugins unless their priority is higher, and mkdocstrings leaves out of its search path, for good,
    a folder that is not there when its own turn comes: in a fresh checkout nothing of ours would be on the site.
    """
    tree = ROOT / "build" / "site-source"
    shutil.rmtree(tree, ignore_errors=True)
    copy = {"ignore": shutil.ignore_patterns("__pycache__"), "dirs_exist_ok": True}
    shutil.copytree(ROOT / "darla", tree / "darla", **copy)
    for name in BESIDE:
        shutil.copytree(ROOT / name, tree / "darla" / name, **copy)
    return config
