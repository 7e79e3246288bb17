"""What the fuzzer found worth keeping is replayed, without the fuzzer."""

from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, seeds

KEPT = [path for name in TARGETS for path in sorted((CORPUS / name).iterdir())]


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}/{path.name[:12]}")
def test_kept_bytes_end_in_a_value_or_in_the_one_error(path: Path) -> None:
    TARGETS[path.parent.name](path.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_are_sound_and_spoilt_ones_are_refused(name: str) -> None:
    sound = seeds()[name]
    for seed in sound:
        TARGETS[name](seed)
        for cut in range(1, len(seed), max(1, len(seed) * len(sound) // 60)):
            TARGETS[name](seed[:cut])
            TARGETS[name](seed[:cut] + bytes([seed[cut] ^ 0xFF]) + seed[cut + 1 :])


def test_the_corpus_is_there_and_small() -> None:
    assert {path.parent.name for path in KEPT} == set(TARGETS)
    assert sum(path.stat().st_size for path in KEPT) < 1_000_000
