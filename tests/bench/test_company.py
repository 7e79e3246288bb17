"""The benchmark of agents that learn together: what is published of it."""

from bench.company.measuring import AGENTS
from bench.company.published import MEASURED, encode, published


def test_what_is_published_is_whole() -> None:
    results = published()
    assert MEASURED.read_bytes() == encode(results)
    assert len({result.key for result in results}) == len(results)
    for result in results:
        assert len(result.three) == AGENTS
        assert 0 < result.three_anywhere <= 500
