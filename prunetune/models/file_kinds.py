"""Says what a file seems to be that is no file of weights, from its bytes."""

from __future__ import annotations

import io
import zipfile

_BEGINNINGS = (
    (b"version https://git-lfs", "a pointer of Git LFS; `git lfs pull` fetches the file itself"),
    (b"\x89HDF\r\n", "an HDF5 file, as Keras writes"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF file"),
    (b"\x1f\x8b", "a file that gzip packed; unpack it"),
    (b"BZh", "a file that bzip2 packed; unpack it"),
    (b"\xfd7zXZ", "a file that xz packed; unpack it"),
    (b"\x28\xb5\x2f\xfd", "a file that zstd packed; unpack it"),
    (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
    (b"Rar!", "a RAR archive; unpack it"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"\xff\xfe", "a text file in UTF-16"),
)
_TORCH_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The pickled number that PyTorch before 1.6 wrote at the beginning of a file."""

_HEAD = 1024
"""So many bytes tell whether a file is text."""


def kind_of_file(data: bytes) -> str | None:
    """What a file that could not be read as weights seems to be; None if it seems to be weights.

    Example:
        >>> kind_of_file(b"<!DOCTYPE html><html><body>Sign in</body></html>")
        'an HTML page, such as a page of an error or a login'
    """
    if not data:
        return "an empty file"
    for beginning, kind in _BEGINNINGS:
        if data.startswith(beginning):
            return kind
    if data.startswith(b"PK\x03\x04"):
        return _kind_of_zip(data)
    if data.startswith(b"\x80") and _TORCH_MAGIC not in data[:64]:
        return "a pickle that PyTorch did not write, or the beginning of one"
    if _is_onnx(data):
        return "an ONNX file: a graph, not a state dict"
    if not data.strip(b"\0"):
        return "a file of zeros, as an interrupted copy leaves"
    return _kind_of_text(data[:_HEAD])


def _kind_of_zip(data: bytes) -> str | None:
    """What a zip archive seems to be; None if it is one that `torch.save` writes."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return "a torch file or a zip archive that is cut short or damaged"
    endings = {name.rpartition("/")[2] for name in names}
    if "constants.pkl" in endings:
        return "a TorchScript archive: a program; save the network's state_dict() instead"
    if "data.pkl" in endings:
        return None
    if "archive_format" in endings or "serialized_exported_program.json" in endings:
        return "an exported program of torch.export; save the network's state_dict() instead"
    if "model.weights.h5" in endings:
        return "a Keras archive"
    if any(name.endswith(".npy") for name in endings):
        return "an archive of NumPy arrays (.npz)"
    inside = ", ".join(names[:3]) or "nothing"
    return f"a zip archive with {inside} in it, not a torch file"


def _is_onnx(data: bytes) -> bool:
    """Whether the bytes begin with an ONNX model's version, then its producer, opsets or graph."""
    if len(data) < 3:
        return False
    field, version, following = data[:3]
    return field == 0x08 and 0 < version < 32 and following in b"\x12\x1a\x22\x3a\x42"


def _kind_of_text(head: bytes) -> str | None:
    """What a text seems to be; None if the bytes are no text."""
    text = head.decode("utf-8", errors="replace").removeprefix("\ufeff")
    text = text.rstrip("\ufffd")  # the head may end within a character
    if not text or not all(letter.isprintable() or letter.isspace() for letter in text):
        return None
    if "\ufffd" in text:
        return None
    start = text.lstrip().lower()
    if start.startswith("<!doctype html") or "<html" in start:
        return "an HTML page, such as a page of an error or a login"
    if start.startswith("<?xml"):
        return "an XML document, such as a server's error"
    if start.startswith(("{", "[")):
        return "a JSON file"
    return f"a text file that begins with {text.strip()[:30]!r}"
