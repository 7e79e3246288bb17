"""Write SVG as text: elements and a document, for the pictures of benchmarks."""

from collections.abc import Iterable
from html import escape

INK = "#212121"
FAINT = "#616161"
RULE = "#e0e0e0"


def element(name: str, content: str | None = None, **attributes: object) -> str:
    """Return one element; `stroke_width=2` becomes `stroke-width="2"`, and the content is escaped."""
    words = "".join(f' {key.replace("_", "-")}="{value}"' for key, value in attributes.items())
    return f"<{name}{words}/>" if content is None else f"<{name}{words}>{escape(content)}</{name}>"


def document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Return a whole picture on white, with a title for those who cannot see it."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="12">',
            element("title", title),
            element("rect", width=width, height=height, fill="#ffffff"),
            *parts,
            "</svg>",
            "",
        ]
    )
