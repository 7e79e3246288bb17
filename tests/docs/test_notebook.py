"""The notebook of the documentation runs from top to bottom in an empty folder."""

import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from scripts.doc_tables.pages import DOCS
from tests.patience import PATIENCE

NOTEBOOK = DOCS / "notebooks" / "hamlet.ipynb"


def from_json(text: str) -> Any:
    """Return the notebook in a file's text."""
    return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The notebook's cells of code, run by Jupyter's own kernel, with less training and a shorter life."""
    text = NOTEBOOK.read_text(encoding="utf-8")
    for longer, shorter in (
        ("num_episodes=40", "num_episodes=3"),
        (", WorldConfig()", ", WorldConfig(max_steps=60)"),
    ):
        assert longer in text
        text = text.replace(longer, shorter)
    notebook = from_json(text)
    folder = str(tmp_path_factory.mktemp("notebook"))
    client = NotebookClient(notebook, timeout=int(PATIENCE), resources={"metadata": {"path": folder}})
    client.execute()
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cells: list[Any]) -> str:
    """What all cells printed."""
    outputs = [output for cell in cells for output in cell.outputs]
    assert [output for output in outputs if output.get("name") == "stderr"] == []
    return "".join(output["text"] for output in outputs if output.output_type == "stream")


def shown(cells: list[Any]) -> set[str]:
    """The types of what cells showed."""
    return {kind for cell in cells for output in cell.outputs for kind in output.get("data", {})}


def test_it_trains_evaluates_and_shows(cells: list[Any]) -> None:
    text = printed(cells)
    (random,) = re.findall(r"random play survives (\d+) steps", text)
    assert 72 <= int(random) <= 78  # docs/world.md says 75
    assert "3 episodes, " in text
    (usual, anywhere) = re.findall(r"usual start: (\d+) steps; random starts: (\d+) on average", text)[0]
    assert int(usual) >= 1
    assert int(anywhere) >= 1
    assert "image/png" in shown(cells)


def test_the_film_is_in_it(cells: list[Any]) -> None:
    (video,) = [output.data["text/html"] for output in cells[-1].outputs if "data" in output]
    assert 'src="data:video/mp4;base64,' in video


def test_it_is_kept_without_results() -> None:
    notebook = from_json(NOTEBOOK.read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code")
