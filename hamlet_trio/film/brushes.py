"""Draw the pieces of a frame with Pillow: text, bars, discs and icons."""

from functools import cache
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from hamlet_trio.film import layout
from hamlet_trio.film.icons import icon
from hamlet_trio.film.layout import Box

OVERSAMPLING: Final = 3
_ACTION_ICONS: Final = ("arrow-up", "arrow-down", "arrow-left", "arrow-right", "interact")


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Return the font of this size in pixels."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # every wheel of Pillow carries FreeType
    return font


def text_at(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    size: int,
    *,
    colour: str = layout.INK,
    anchor: str,
    bold: bool = False,
) -> None:
    """Write a text at a point, which `anchor` places as Pillow does."""
    # The font has one weight; a stroke of a fraction of a pixel makes it bold.
    draw.text(at, text, colour, font(size), anchor, stroke_width=size / 48 if bold else 0)


def signed(value: float, digits: int, *, plus: bool = True) -> str:
    """Format a number with an en dash as minus sign: the only one in the font as wide as its plus."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return f"\u2013{text}" if value < 0 else f"+{text}" if plus else text


def mixed(one: str, other: str, share: float) -> str:
    """Return a mix of two colours, `share` of the first."""
    parts = [
        round(share * int(one[i : i + 2], 16) + (1 - share) * int(other[i : i + 2], 16)) for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02x}" for part in parts)


@cache
def action_icon(action: int) -> Image.Image:
    """Return the icon of an action, as a mask of 32 x 32 pixels."""
    return icon(_ACTION_ICONS[action], 32, 2.4)


@cache
def bar_of(width: int, height: int, colour: str) -> Image.Image:
    """Return a full bar with round ends, in its colour on the page's background."""
    scale = OVERSAMPLING
    image = Image.new("RGB", (width * scale, height * scale), layout.PAPER)
    corners = (0, 0, width * scale - 1, height * scale - 1)
    ImageDraw.Draw(image).rounded_rectangle(corners, height * scale // 2, colour)
    return image.reduce(scale)


def fill_bar(image: Image.Image, box: Box, part: float, colour: str) -> None:
    """Fill `part` of a bar, 0 to 1, from the left."""
    width = round(box.width * min(max(part, 0.0), 1.0))
    if width > 0:
        whole = bar_of(box.width, box.bottom - box.top, colour)
        image.paste(whole.crop((0, 0, width, whole.height)), (box.left, box.top))


def disc(diameter: int) -> Image.Image:
    """Return a disc as a mask."""
    scale = 8
    mask = Image.new("L", (diameter * scale,) * 2, 0)
    ImageDraw.Draw(mask).ellipse((0, 0, diameter * scale - 1, diameter * scale - 1), 255)
    return mask.reduce(scale)


def ring(size: int) -> Image.Image:
    """Return the ring around an agent that interacts, as a mask, for cells of this size."""
    scale = 4
    side = round(size * 0.7)
    mask = Image.new("L", (side * scale,) * 2, 0)
    width = max(size // 18, 2) * scale
    ImageDraw.Draw(mask).ellipse((0, 0, side * scale - 1, side * scale - 1), None, 255, width)
    return mask.reduce(scale)


def agent_token(size: int, colour: str = layout.AGENT) -> Image.Image:
    """Return an agent: a disc with a light ring inside a thin dark one, RGBA."""
    side = round(size * 0.5)
    token = Image.new("RGBA", (side, side), layout.INK)
    token.putalpha(disc(side))
    for fill, share in (("#ffffff", 0.95), (colour, 0.8)):
        layer = disc(round(side * share))
        at = (side - layer.width) // 2
        token.paste(Image.new("RGBA", layer.size, fill), (at, at), layer)
    return token


def lettered_token(size: int, letter: str, colour: str, *, pale: bool = False) -> Image.Image:
    """Return one of several agents, RGBA: its letter on its colour; pale once it has ended."""
    token = agent_token(size, mixed(colour, "#ffffff", 0.25) if pale else colour)
    at = (token.width // 2, token.height // 2)
    shown = layout.INK if pale else "#ffffff"
    text_at(ImageDraw.Draw(token), at, letter, round(size * 0.28), colour=shown, anchor="mm", bold=True)
    return token
