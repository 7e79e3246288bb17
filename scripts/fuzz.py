"""Search for bytes that break a decoder: `python -m scripts.fuzz commands --seconds 60`.

With Atheris (pip install "hamlet-trio[fuzz]", on Linux) the search is guided by coverage; without, seeds are
mutated at random. A finding is written beside the corpus and ends the run with its traceback; it becomes a
file of tests/fuzz/corpus once the decoder is mended.
"""

import argparse
import hashlib
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias

Mutation: TypeAlias = Callable[[bytes, random.Random], bytes]

HAS_ATHERIS = find_spec("atheris") is not None
if HAS_ATHERIS:
    import atheris

    instrumented = atheris.instrument_imports(include=["hamlet_trio", "zipfile", "pickletools"])
else:
    instrumented = nullcontext()

with instrumented:
    from tests.fuzz.targets import CORPUS, TARGETS, seeds


def main() -> None:
    """Fuzz one target for a bounded time; with Atheris, add inputs that widen coverage to its corpus."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--mutate", action="store_true", help="mutate at random, also with Atheris")
    options = parser.parse_args()
    folder = CORPUS / options.target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()[options.target]):
        (folder / f"seed{number}").write_bytes(seed)
    if HAS_ATHERIS and not options.mutate:
        _search(options.target, options.seconds, folder)
    else:
        _mutate(options.target, options.seconds, folder)


def _search(target: str, seconds: int, folder: Path) -> None:
    settings = [
        "-max_len=100000",
        "-timeout=20",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={folder.parent}/found-",
    ]
    settings += [f"-max_total_time={seconds}", "-print_final_stats=1", str(folder)]
    atheris.Setup([sys.argv[0], *settings], TARGETS[target])
    atheris.Fuzz()


def _mutate(target: str, seconds: int, folder: Path) -> None:
    sound = [path.read_bytes() for path in sorted(folder.iterdir())]
    rng = random.Random()
    until, runs = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        data = mutated(rng.choice(sound), rng)
        try:
            TARGETS[target](data)
        except BaseException:
            found = folder.parent / f"found-{target}-{hashlib.sha256(data).hexdigest()[:12]}"
            found.write_bytes(data)
            print(f"fuzz: {found}", file=sys.stderr)
            raise
        runs += 1
    print(f"{target}: {runs} runs, nothing found")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Return the bytes with up to a few random changes."""
    for _ in range(rng.choice((1, 1, 1, 2, 4, 16))):
        data = rng.choice(MUTATIONS)(data, rng)
    return data


def _flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) or 1)
    return data[:at] + bytes([rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))]) + data[at + 1 :]


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data) + 1)]


def _repeat(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data) + 1)
    end, at = start + rng.randrange(64), rng.randrange(len(data) + 1)
    return data[:at] + data[start:end] * rng.choice((1, 2, 50)) + data[at:]


def _drop(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + data[at + rng.randrange(1, 64) :]


def _number(data: bytes, rng: random.Random) -> bytes:
    """Replace a number in text by an odd one."""
    digits = [at for at, byte in enumerate(data) if 0x30 <= byte <= 0x39]
    if not digits:
        return data
    at = rng.choice(digits)
    odd = (b"-1", b"1e400", b"9" * 400, b"null", b'"abc"', b"[]", b"{}", b"18446744073709551616", b"0.5")
    return data[:at] + rng.choice(odd) + data[at + 1 :]


MUTATIONS: Sequence[Mutation] = (_flip, _flip, _flip, _cut, _repeat, _drop, _number)

if __name__ == "__main__":
    main()
