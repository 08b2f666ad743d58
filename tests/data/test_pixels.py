"""What a file holds is shown as a person sees it, or refused by file name."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from prunetune.data.decode import read_rgb
from prunetune.data.files import CorruptDataError


def random_pixels(*shape: int, top: int = 256, dtype: str = "uint8") -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def shown(path: Path) -> np.ndarray:
    image = read_rgb(path)
    assert image.mode == "RGB"
    return np.asarray(image).astype(int)


def as_grey(path: Path) -> np.ndarray:
    pixels = shown(path)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ppm"])
def test_grey_of_16_bits_is_scaled(tmp_path, name):
    deep = random_pixels(9, 7, top=65536, dtype="uint16")
    deep[0, :2] = 0, 65535
    Image.fromarray(deep).save(tmp_path / name)
    assert (as_grey(tmp_path / name) == np.round(deep / 257)).all()


@pytest.mark.parametrize(
    ("order", "mark", "photometric"), [("<", b"II", 0), ("<", b"II", 1), (">", b"MM", 1)]
)
def test_byte_order_and_the_sense_of_grey_are_heeded(tmp_path, order, mark, photometric):
    deep = random_pixels(4, 5, top=65536, dtype="uint16")
    facts = [(256, 5), (257, 4), (258, 16), (259, 1), (262, photometric), (273, 8), (279, 40)]
    entry = np.dtype([("tag", f"{order}u2"), ("type", f"{order}u2"), ("n", f"{order}u4"),
                      ("value", f"{order}u2"), ("rest", f"{order}u2")])  # fmt: skip
    table = np.array([(tag, 3, 1, value, 0) for tag, value in facts], dtype=entry).tobytes()
    number = np.dtype(f"{order}u2")
    head = mark + np.array([42], number).tobytes() + np.array([48], f"{order}u4").tobytes()
    data = head + deep.astype(number).tobytes()
    data += np.array([len(facts)], number).tobytes() + table + bytes(4)
    (tmp_path / "a.tif").write_bytes(data)
    expected = np.round(deep / 257)
    assert (as_grey(tmp_path / "a.tif") == (255 - expected if photometric == 0 else expected)).all()


def test_grey_of_10_bits_fills_the_range(tmp_path):
    deep = random_pixels(4, 6, top=1024, dtype=">u2")
    (tmp_path / "a.ppm").write_bytes(b"P5 6 4 1023\n" + deep.tobytes())
    assert np.abs(as_grey(tmp_path / "a.ppm") - deep / 1023 * 255).max() <= 0.51


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "YCbCr", "LAB"])
def test_usual_modes_are_shown_as_pillow_converts_them(tmp_path, mode):
    image = Image.fromarray(random_pixels(8, 8, 3))
    if mode == "LAB":
        from PIL import ImageCms

        srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(image, srgb, lab, outputMode="LAB")
    else:
        image = image.convert(mode)
    image.save(tmp_path / "a.tif")
    assert (shown(tmp_path / "a.tif") == np.asarray(image.convert("RGB"))).all()


def test_what_is_transparent_shows_white(tmp_path):
    rgba = random_pixels(6, 6, 4)
    rgba[0, 0], rgba[0, 1, 3] = (9, 9, 9, 0), 255
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + 255 * (1 - alpha)
    Image.fromarray(rgba).save(tmp_path / "rgba.png")
    assert np.abs(shown(tmp_path / "rgba.png") - expected).max() <= 1
    la = np.stack([rgba[..., 0], rgba[..., 3]], axis=2)
    Image.fromarray(la).save(tmp_path / "la.png")
    assert np.abs(as_grey(tmp_path / "la.png") - expected[..., 0]).max() <= 1


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "I;16"])
def test_a_transparent_colour_shows_white(tmp_path, mode):
    grey = np.zeros((4, 4), dtype="uint16" if mode == "I;16" else "uint8")
    grey[1:] = 255
    image = Image.fromarray(grey)
    image = image if mode == "I;16" else image.convert(mode)
    key = (0, 0, 0) if mode == "RGB" else image.getpixel((0, 0))
    image.save(tmp_path / "a.png", transparency=key)
    pixels = shown(tmp_path / "a.png")
    assert (pixels[0] == 255).all()
    assert (pixels[1:] == (1 if mode == "I;16" else 255)).all()


def test_an_opaque_alpha_channel_changes_nothing(tmp_path):
    rgba = random_pixels(6, 6, 4)
    rgba[..., 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert (shown(tmp_path / "a.png") == rgba[..., :3]).all()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright(tmp_path, suffix, orientation):
    """A viewer turns the stored pixels as EXIF says (its figure 2); rows and columns may swap."""
    stored = np.zeros((16, 32, 3), dtype=np.uint8)
    stored[:8, :16] = 250  # bright in its first quarter
    exif = Image.Exif()
    exif[274] = orientation
    kept = {} if suffix in ("jpg", "tif") else {"lossless": True}
    Image.fromarray(stored).save(tmp_path / f"a.{suffix}", exif=exif, **kept)
    pixels = shown(tmp_path / f"a.{suffix}")
    height, width = pixels.shape[:2]
    assert (width, height) == ((32, 16) if orientation < 5 else (16, 32))
    corners = {
        "top left": (1, 5),
        "top right": (2, 6),
        "bottom right": (3, 7),
        "bottom left": (4, 8),
    }
    expected = next(corner for corner, codes in corners.items() if orientation in codes)
    rows = slice(0, 4) if "top" in expected else slice(height - 4, height)
    columns = slice(0, 4) if "left" in expected else slice(width - 4, width)
    assert pixels[rows, columns].mean() > 200
    assert pixels.mean() < 80


def test_broken_exif_data_do_not_refuse_a_sound_image(tmp_path):
    image = Image.fromarray(random_pixels(8, 8, 3))
    image.save(tmp_path / "a.jpg", exif=b"Exif\0\0II\x2a\0\xff\xff\xff\xff")
    assert shown(tmp_path / "a.jpg").shape == (8, 8, 3)


def save_pages(path: Path, **options) -> None:
    pages = [Image.fromarray(random_pixels(8, 8, 3) // k) for k in (1, 2)]
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif"])
def test_animations_and_several_pages_are_refused(tmp_path, name):
    save_pages(tmp_path / name)
    with pytest.raises(CorruptDataError, match=rf"{name}: .*has 2 pictures; allowed: one"):
        read_rgb(tmp_path / name)


def test_previews_behind_a_picture_are_passed_over(tmp_path):
    save_pages(tmp_path / "a.jpg", format="MPO")
    page = Image.fromarray(random_pixels(8, 8, 3))
    small = Image.fromarray(random_pixels(4, 4, 3))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    page.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    assert shown(tmp_path / "a.jpg").shape == (8, 8, 3)
    assert (shown(tmp_path / "a.tif") == np.asarray(page)).all()


@pytest.mark.parametrize("dtype", ["int32", "float32"])
def test_pixels_without_a_white_are_refused(tmp_path, dtype):
    Image.fromarray(random_pixels(8, 8, dtype=dtype)).save(tmp_path / "a.tif")
    with pytest.raises(CorruptDataError, match=r"a\.tif: .*no white is defined"):
        read_rgb(tmp_path / "a.tif")


def test_an_image_of_nothing_is_refused(tmp_path):
    Image.new("RGBA", (4, 4), (9, 9, 9, 0)).save(tmp_path / "a.png")
    with pytest.raises(CorruptDataError, match=r"a\.png: .*every pixel is transparent"):
        read_rgb(tmp_path / "a.png")


def test_whatever_pillow_raises_names_the_file_in_one_line(tmp_path, monkeypatch):
    picture = Image.fromarray(random_pixels(40, 40, 3))
    comment = PngImagePlugin.PngInfo()
    comment.add_text("comment", "x" * 3_000_000, zip=True)
    picture.save(tmp_path / "text.png", pnginfo=comment)
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "mac.jpg").write_bytes(b"\0\5\x16\7" + bytes(99))
    picture.save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 700)
    for path in tmp_path.iterdir():
        with pytest.raises(CorruptDataError) as caught:
            read_rgb(path)
        assert str(caught.value).startswith(f"{path}: cannot be read as an image: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.ppm", "a.tif", "a.webp"])
def test_a_truncated_file_is_shown_whole_or_refused(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(random_pixels(20, 20, 3)).save(path)
    data, whole = path.read_bytes(), shown(path)
    for length in range(0, len(data), 13):
        path.write_bytes(data[:length])
        with suppress(CorruptDataError):
            assert (shown(path) == whole).all()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(CorruptDataError, match=name):
        read_rgb(path)
