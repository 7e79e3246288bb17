"""Search for bytes that break a decoder, guided by coverage: `python -m scripts.fuzz commands --seconds 60`.

Needs Atheris: pip install "hamlet-trio[fuzz]", on Linux. A finding is written beside the corpus and ends the
run with its traceback; it becomes a file of tests/fuzz/corpus once the decoder is mended.
"""

import argparse
import sys

try:
    import atheris
except ImportError:
    sys.exit('fuzz: Atheris is not installed; pip install "hamlet-trio[fuzz]" does it, on Linux.')

with atheris.instrument_imports(
    include=["hamlet_trio.agent", "hamlet_trio.protocol", "zipfile", "pickletools"]
):
    from tests.fuzz.targets import CORPUS, TARGETS, seeds


def main() -> None:
    """Fuzz one target for a bounded time, and add inputs that widen coverage to its corpus."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fuzz", description=__doc__)
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("--seconds", type=int, default=60)
    options = parser.parse_args()
    folder = CORPUS / options.target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds()[options.target]):
        (folder / f"seed{number}").write_bytes(seed)
    settings = [
        "-max_len=20000",
        "-timeout=20",
        "-rss_limit_mb=4096",
        f"-artifact_prefix={folder.parent}/found-",
    ]
    settings += [f"-max_total_time={options.seconds}", "-print_final_stats=1", str(folder)]
    atheris.Setup([sys.argv[0], *settings], TARGETS[options.target])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
