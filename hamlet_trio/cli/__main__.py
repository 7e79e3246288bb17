"""`python -m hamlet_trio.cli` is `hamlet`."""

from hamlet_trio.cli import main

if __name__ == "__main__":
    main()
