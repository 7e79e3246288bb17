"""Run `hamlet` as `python -m hamlet_trio`."""

from hamlet_trio.cli import main

if __name__ == "__main__":
    main()
