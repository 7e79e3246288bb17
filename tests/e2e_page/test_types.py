"""Test that the page's message types match the server's schema."""

import importlib.util

from hamlet_trio.web.schema import build_schema
from tests.e2e.conftest import ROOT


def test_the_pages_types_match_the_schema() -> None:
    path = ROOT / "frontend" / "scripts" / "generate_types.py"
    spec = importlib.util.spec_from_file_location("generate_types", path)
    assert spec is not None
    assert spec.loader is not None
    generate_types = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generate_types)
    fresh = generate_types.render(build_schema())
    stale = "run `python frontend/scripts/generate_types.py` and adapt the page to what changed"
    assert generate_types.TARGET.read_text(encoding="utf-8") == fresh, stale
