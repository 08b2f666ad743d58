"""The pixels of an image file as a person sees them: 8-bit RGB, upright, on white."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

_ORIENTATION, _SUBFILE, _BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 274, 254, 258, 262, 339
"""Tags of EXIF and TIFF."""
_WHITE_IS_ZERO, _SIGNED, _REDUCED = 0, 2, 1
"""Values of the tags `_PHOTOMETRIC`, `_SAMPLE_FORMAT` and `_SUBFILE`."""


def as_seen(image: Image) -> Image:
    """The image as 8-bit RGB: deep grey scaled, turned as its EXIF data say, laid on white.

    Raises:
        ValueError: the file has several pictures, nothing to be seen, or values without a white.
        Exception: whatever Pillow raises for a file that is broken.
    """
    _check_single(image)
    image.load()  # before the EXIF data, which may stand at the end of a file
    turned = _turn(image)
    rgb = _on_white(_eight_bits(image))
    return rgb if turned is None else rgb.transpose(turned)


def _check_single(image: Image) -> None:
    """Refuse animations and files of several pages.

    A camera's MPO file has previews behind its picture; a TIFF file may have smaller copies.
    """
    count = getattr(image, "n_frames", 1)
    if count == 1 or image.format == "MPO":
        return
    if image.format == "TIFF":
        count = 1 + sum(
            not _tags(image, page).get(_SUBFILE, 0) & _REDUCED for page in range(1, count)
        )
        image.seek(0)
    if count > 1:
        raise ValueError(f"has {count} pictures; allowed: one")


def _tags(image: Image, page: int = 0) -> Any:
    """The tags of one page of a TIFF file; empty for other files."""
    if page:
        image.seek(page)
    return getattr(image, "tag_v2", {})


def _turn(image: Image) -> Any | None:
    """How the image must be turned to stand upright; None: not at all."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    if image.format == "TIFF":  # Pillow has turned it
        return None
    try:
        with warnings.catch_warnings(action="ignore"):
            return turns.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # broken EXIF data of a sound image; every viewer shows it as it is stored
        return None


def _eight_bits(image: Image) -> Image:
    """The same picture with 8 bits a channel; an alpha channel and a palette stay."""
    tags = _tags(image)
    if image.mode == "F" or (image.mode == "I" and image.format not in ("PNG", "PPM")):
        kind = "floating point" if image.mode == "F" else "32-bit"
        raise ValueError(f"has {kind} pixels, for which no white is defined; allowed: 8 or 16 bits")
    if _SIGNED in tags.get(_SAMPLE_FORMAT, ()):
        raise ValueError("has signed pixels; allowed: 8 or 16 bits without a sign")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _from_deep_grey(image, tags)
    return image


def _from_deep_grey(image: Image, tags: Any) -> Image:
    """Grey of 16 bits (or as many as a TIFF file states) as 8 bits, rounded."""
    import numpy as np
    from PIL import Image as Pillow

    deep = np.asarray(image).astype(np.int64)
    white = 2 ** tags.get(_BITS, (16,))[0] - 1
    if deep.min() < 0 or deep.max() > white:
        raise ValueError(f"has pixels from {deep.min()} to {deep.max()}; allowed: 0 to {white}")
    grey = (2 * 255 * deep + white) // (2 * white)
    if tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        grey = 255 - grey
    alpha = np.where(deep == image.info.get("transparency", -1), 0, 255)
    return Pillow.fromarray(np.stack([grey, grey, grey, alpha], axis=2).astype(np.uint8))


def _on_white(image: Image) -> Image:
    """8-bit RGB; what is transparent shows white behind it."""
    from PIL import Image as Pillow

    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    least, most = rgba.getchannel("A").getextrema()
    if most == 0:
        raise ValueError("every pixel is transparent")
    if least == 255:
        return rgba.convert("RGB")
    white = Pillow.new("RGBA", rgba.size, "white")
    return Pillow.alpha_composite(white, rgba).convert("RGB")
