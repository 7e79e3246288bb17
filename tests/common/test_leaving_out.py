"""Modules that nobody needs are left out of an import, and are there for whoever asks later."""

import importlib
import subprocess
import sys

import pytest

from hamlet_trio.common.leaving_out import leaving_out


def test_a_module_is_left_out_within_the_block_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with leaving_out("colorsys"), pytest.raises(ModuleNotFoundError):
        importlib.import_module("colorsys")
    module = importlib.import_module("colorsys")
    with leaving_out("colorsys"):
        assert importlib.import_module("colorsys") is module, "what is there already stays"


def test_the_server_imports_no_rich_and_rich_can_be_imported_afterwards() -> None:
    script = (
        "import sys, hamlet_trio.web.serve\n"
        "assert not {'rich', 'pygments', 'torch', 'numpy'} & set(sys.modules)\n"
        "import rich.table\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
