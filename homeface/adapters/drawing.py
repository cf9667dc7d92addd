"""Boxes and words on pictures, and contact sheets. Pillow draws: its fonts go beyond ASCII."""

from __future__ import annotations

import colorsys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from homeface.core.types import Box, ImageBGR

if TYPE_CHECKING:
    from PIL import ImageFont

Colour: TypeAlias = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""
_GOLDEN = 0.618034
_DARK: Colour = (24, 26, 30)
_LIGHT: Colour = (235, 235, 235)
_CELL_PX, _GAP_PX, _LINE_PX = 128, 8, 18
_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial.ttf")


@dataclass(frozen=True, slots=True)
class Mark:
    """One box with its words. ``sure``: seen in this very frame; else the line is thin."""

    box: Box
    text: str
    colour: Colour
    sure: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Cell:
    """One face of a contact sheet, with lines below it."""

    picture: ImageBGR
    lines: Sequence[str]
    colour: Colour = _LIGHT


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a contact sheet, as many rows of cells as it takes."""

    title: str
    cells: Sequence[Cell]


def colour_of(number: int) -> Colour:
    """A colour for the track of this number: neighbours differ, and none is too dark to read on."""
    red, green, blue = colorsys.hsv_to_rgb((number * _GOLDEN) % 1.0, 0.65, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def drawn(image: ImageBGR, marks: Sequence[Mark], caption: str = "") -> ImageBGR:
    """A copy of the picture with the marks, and a caption in its corner."""
    from PIL import Image, ImageDraw

    height = image.shape[0]
    size = max(12, round(height / 36))
    picture = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    pen = ImageDraw.Draw(picture)
    for mark in marks:
        width = max(2, height // 240) if mark.sure else 1
        corners = [round(value) for value in mark.box]
        pen.rectangle(corners, outline=mark.colour, width=width)
        above = corners[1] - size - 6
        place = (corners[0], above if above >= 0 else corners[3] + 2)
        _words(pen, place, mark.text, size, mark.colour)
    if caption:
        _words(pen, (4, height - size - 8), caption, size, _LIGHT)
    return np.ascontiguousarray(np.asarray(picture)[..., ::-1])


def contact_sheet(title: str, rows: Sequence[Row], columns: int = 8) -> bytes:
    """A PNG picture of all rows; a row without faces says so."""
    import io

    from PIL import Image, ImageDraw

    lines = max((len(cell.lines) for row in rows for cell in row.cells), default=0)
    tall = _CELL_PX + lines * _LINE_PX + _GAP_PX
    heights = [_LINE_PX + _GAP_PX + -(-len(row.cells) // columns) * tall for row in rows]
    width = columns * (_CELL_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, sum(heights) + _LINE_PX + 3 * _GAP_PX), _DARK)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP_PX, _GAP_PX), _drawable(title), fill=_LIGHT, font=_font(16))
    top = _LINE_PX + 2 * _GAP_PX
    for row, height in zip(rows, heights, strict=True):
        name = row.title if row.cells else f"{row.title}: no picture is kept"
        pen.text((_GAP_PX, top), _drawable(name), fill=_LIGHT, font=_font(14))
        for number, cell in enumerate(row.cells):
            x = _GAP_PX + number % columns * (_CELL_PX + _GAP_PX)
            y = top + _LINE_PX + _GAP_PX // 2 + number // columns * tall
            sheet.paste(Image.fromarray(_square(cell.picture)[..., ::-1].copy()), (x, y))
            pen.rectangle((x, y, x + _CELL_PX - 1, y + _CELL_PX - 1), outline=cell.colour, width=2)
            for line, text in enumerate(cell.lines):
                pen.text(
                    (x, y + _CELL_PX + 2 + line * _LINE_PX), _fitting(text), fill=cell.colour, font=_font(12)
                )
        top += height
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG")
    return buffer.getvalue()


def _words(pen: object, place: tuple[int, int], text: str, size: int, colour: Colour) -> None:
    """Text on a dark ground."""
    text, font = _drawable(text), _font(size)
    left, top, right, bottom = pen.textbbox(place, text, font=font)  # type: ignore[attr-defined]
    pen.rectangle((left - 3, top - 2, right + 3, bottom + 2), fill=_DARK)  # type: ignore[attr-defined]
    pen.text(place, text, fill=colour, font=font)  # type: ignore[attr-defined]


def _square(picture: ImageBGR) -> ImageBGR:
    """The picture whole, in the middle of a cell."""
    import cv2

    height, width = picture.shape[:2]
    scale = _CELL_PX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    cell: ImageBGR = np.full((_CELL_PX, _CELL_PX, 3), _DARK[::-1], np.uint8)
    y, x = (_CELL_PX - size[1]) // 2, (_CELL_PX - size[0]) // 2
    cell[y : y + size[1], x : x + size[0]] = small
    return cell


def _fitting(text: str) -> str:
    """As much of a line as a cell is wide."""
    text, font = _drawable(text), _font(12)
    while text and font.getlength(text) > _CELL_PX:
        text = text[:-3] + ".." if len(text) > 3 else ""
    return text


def _drawable(text: str) -> str:
    """The text, without accents where the font has no letters for them."""
    if _font_file() is not None or text.isascii():
        return text
    parts = unicodedata.normalize("NFKD", text.replace("…", "..."))
    return "".join(letter for letter in parts if not unicodedata.combining(letter))


@lru_cache(maxsize=8)
def _font(size: int) -> ImageFont.FreeTypeFont:
    from PIL import ImageFont

    file = _font_file()
    font = ImageFont.truetype(file, size) if file is not None else ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # noqa: S101 - Pillow without FreeType is none of PyPI's
    return font


@cache
def _font_file() -> str | None:
    """A font of this system that has more letters than Pillow's own, which knows ASCII; None for that one."""
    from PIL import ImageFont

    for name in _FONTS:
        try:
            ImageFont.truetype(name, 12)
        except OSError:
            continue
        return name
    found = find_spec("matplotlib")
    if found is not None and found.origin is not None:
        file = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        return str(file) if file.is_file() else None
    return None
