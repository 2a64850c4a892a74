"""The layers that ARCHITECTURE.md draws: who may import whom, what is imported late, and how large a file may be."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
QT = {"PyQt6", "pyqtgraph", "vispy"}
#: Imported only inside functions that run in the inference thread.
LATE = {"torch", "mediapipe", "openvino"}
#: What the live app may take from digit.
INFERENCE = {
    "skeleton",
    "geometry",
    "prediction",
    "consensus",
    "recall",
    "backends",
    "errors",
    "landmarker",
    "follower",
}
#: The modules of digit that the app imports before its window is up.
LIGHT = {f"digit.{name}" for name in INFERENCE}
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "base", "common", "misc"}


def sources(package: str) -> dict[str, ast.Module]:
    """Module name -> syntax tree of every module of a package."""
    trees: dict[str, ast.Module] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        trees[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
    return trees


def imports(tree: ast.AST, late: bool = True) -> Iterator[str]:
    """Dotted names of all that is imported; ``late=False`` leaves out what functions import when they run."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute here"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif late or not (isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or _for_types(node)):
            yield from imports(node, late)


def _for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def top(name: str) -> str:
    return name.split(".")[0]


def test_the_reader_of_imports_sees_them() -> None:
    tree = ast.parse("import a.b\nif x:\n    from c import d\ndef f():\n    import e\nclass G:\n    import h\n")
    assert set(imports(tree)) == {"a.b", "c", "c.d", "e", "h"}
    assert set(imports(tree, late=False)) == {"a.b", "c", "c.d", "h"}
    assert {"digit.geometry", "digit.synth", "demo.records"} <= set(sources("digit")) | set(sources("demo"))


def test_digit_knows_neither_the_app_nor_qt() -> None:
    wrong = {
        (m, i) for m, tree in sources("digit").items() for i in imports(tree) if top(i) in QT | {"demo", "launcher"}
    }
    assert not wrong


def test_digit_at_run_time_knows_nothing_of_training() -> None:
    apart = ("digit.synth", "digit.training")
    runtime = {m: tree for m, tree in sources("digit").items() if not m.startswith(apart)}
    assert not {(m, i) for m, tree in runtime.items() for i in imports(tree) if i.startswith(apart)}


def test_the_app_takes_only_inference_from_digit() -> None:
    taken = {(m, i) for m, tree in sources("demo").items() for i in imports(tree) if i.startswith("digit.")}
    assert not {(m, i) for m, i in taken if i.split(".")[1] not in INFERENCE}


def test_only_the_window_knows_qt() -> None:
    loop = {m: tree for m, tree in sources("demo").items() if not m.startswith("demo.gui")}
    assert not {(m, i) for m, tree in loop.items() for i in imports(tree) if top(i) in QT}


def test_networks_are_imported_late() -> None:
    early = sources("demo") | {m: tree for m, tree in sources("digit").items() if m in LIGHT}
    assert not {(m, i) for m, tree in early.items() for i in imports(tree, late=False) if top(i) in LATE}


@pytest.mark.parametrize("with_window", [False, True])
def test_importing_the_app_loads_no_network(with_window: bool) -> None:
    """What the syntax trees promise, seen in a process: also through modules that those modules import."""
    modules = [m for m in sources("demo") if with_window or not m.startswith("demo.gui")]
    loaded = loaded_by(f"import importlib\nfor m in {modules!r}: importlib.import_module(m)")
    assert "demo.pipeline" in loaded
    tops = {top(name) for name in loaded}
    assert not tops & (LATE if with_window else LATE | QT)


def test_light_modules_load_no_network() -> None:
    tops = {top(name) for name in loaded_by("import " + ", ".join(sorted(LIGHT)))}
    assert "numpy" in tops
    assert not tops & (LATE | QT)


def test_help_loads_nothing_heavy() -> None:
    code = "import runpy, sys; sys.argv = ['launcher.py', '--help']\n"
    code += "try: runpy.run_path('launcher.py', run_name='__main__')\nexcept SystemExit as end: assert end.code == 0"
    tops = {top(name) for name in loaded_by(code)}
    assert "argparse" in tops
    assert not tops & (QT | LATE | {"cv2", "numpy", "av", "pyarrow"})


def loaded_by(code: str) -> set[str]:
    """Names of the modules that a fresh Python has loaded after running the code in the repository's root."""
    code += "\nimport sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_files_are_short_and_named_by_what_they_are() -> None:
    files = [ROOT / "launcher.py", *(p for d in ("digit", "demo", "tests") for p in (ROOT / d).rglob("*.py"))]
    lines = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in files}
    assert not {name: n for name, n in lines.items() if n > 400}
    assert not [p for p in files if p.stem in FORBIDDEN_NAMES]


def test_architecture_stays_a_page() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines()) <= 80
