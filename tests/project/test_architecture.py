"""The structure of the code: one direction of imports, no circles, small folders, names used once (CONTRIBUTING.md)."""

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("darla", "envs", "vision", "agents", "experiments")
LAYERS = (
    "common",
    "envs",
    "vision",
    "agents",
    "evaluation",
    "analysis",
    "reports",
    "stages",
    "experiments",
    "cli",
)
"""Each may import itself and those before it."""
STAGES = {
    "check_task",
    "collect_frames",
    "explore_latents",
    "learn_concepts",
    "learn_to_see",
    "learn_to_act",
    "zero_shot",
    "score_encoder",
    "rank_encoders",
    "correlate_encoders",
    "exchange_agents",
    "record_film",
    "write_report",
}
FACADE = {"darla", "darla.__main__"}
"""`import darla` offers names of every layer and loads them late; no module of ours imports it for its own use."""
LARGE_FOLDERS = {"vision/models", "vision/metrics/scores"}
"""One file for each paper; every other folder has at most 14 files of its own."""


def module_name(path: Path) -> str:
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "darla":
        parts.insert(0, "darla")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))}


def layer(module: str) -> str:
    below = module.split(".")[1]
    return "stages" if below in STAGES else below


def imported_modules(path: Path, *, late: bool = True) -> list[tuple[int, str]]:
    """Return line and name of every module of darla that a file imports, in function bodies too if `late`."""
    return imports_in(path.read_text(), late=late)


def imports_in(source: str, *, late: bool = True) -> list[tuple[int, str]]:
    tree = ast.parse(source)
    nodes = list(ast.walk(tree)) if late else tree.body
    found: list[tuple[int, str]] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "darla":
                found.append((node.lineno, name if name in MODULES else name.rpartition(".")[0]))
    return found


def test_imports_go_down_the_layers_in_functions_too() -> None:
    wrong = {module: violations(module, MODULES[module].read_text()) for module in sorted(set(MODULES) - FACADE)}
    assert {module: lines for module, lines in wrong.items() if lines} == {}


def violations(module: str, source: str) -> list[str]:
    allowed = LAYERS[: LAYERS.index(layer(module)) + 1]
    wrong = []
    for line, name in imports_in(source):
        if name == "darla":  # `from darla import __version__`: the facade imports nothing before it is asked
            continue
        if layer(name) not in allowed:
            wrong.append(f"line {line} imports {name}")
    return wrong


def test_an_upward_import_is_noticed_wherever_it_is() -> None:
    assert violations("darla.envs.make_env", "def f():\n    from darla.vision import load\n") == [
        "line 2 imports darla.vision"
    ]
    assert violations("darla.zero_shot", "if True:\n    import darla.experiments.plan\n") == [
        "line 2 imports darla.experiments.plan"
    ]
    assert violations("darla.cli.main", "from darla.experiments.plan import plan\n") == []


def test_every_module_belongs_to_a_layer() -> None:
    assert {layer(module) for module in set(MODULES) - FACADE} == set(LAYERS)


def test_no_file_imports_itself_through_others() -> None:
    # Packages are left out: their `__init__` collects names of their own files.
    files = {name for name, path in MODULES.items() if path.name != "__init__.py"}
    graph = {name: {used for _, used in imported_modules(MODULES[name])} & files for name in files}
    assert circles(graph) == []


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one node (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            component = []
            while True:
                component.append(stack.pop())
                if component[-1] == node:
                    break
            if len(component) > 1:
                found.append(sorted(component))

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def test_a_circle_is_noticed() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == [["b", "c"]]


def test_folders_are_small() -> None:
    sizes = Counter(path.parent.relative_to(ROOT).as_posix() for path in MODULES.values() if path.name != "__init__.py")
    assert {folder: size for folder, size in sizes.items() if size > 14 and folder not in LARGE_FOLDERS} == {}


def test_no_two_public_classes_share_a_name() -> None:
    homes: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(module)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
