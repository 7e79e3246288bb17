"""`python -m scripts.doc_tables` brings every generated table of the documentation up to date."""

import sys

from scripts.doc_tables import TABLES
from scripts.doc_tables.pages import PAGES, fill


def main() -> int:
    """Rewrite the pages whose tables changed, and name them."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        fresh = fill(text, TABLES)
        if fresh != text:
            page.write_text(fresh, encoding="utf-8")
            print(f"updated {page.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
