"""Pictures of text: files of them (Pillow), and scanned pages of PDFs (pypdfium2).

A picture says how large it is before it is decoded, and one that is too large never is.
PDFium renders a page whatever its pictures are made of (JBIG2, CCITT, JPEG 2000, several tiles,
turned by 90 degrees), at a size that is chosen here; taking the pictures out of the file would
leave each of these to us.
"""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from knowledge.parsing._faults import readable
from knowledge.parsing._ocr import DPI, LONGEST_SIDE, Seen, missing, read_picture
from knowledge.parsing._speech import gettext as _
from knowledge.parsing.pages import RawPage
from knowledge.parsing.types import Limits, Ocr, UnreadableDocument

if TYPE_CHECKING:
    from PIL.Image import Image

LEAST_SURE = 60.0  # percent, below which a reader is warned
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP")
_SMALL_SIDE = 1000  # pixels, below which a picture is read at twice its size


def read_picture_file(data: bytes, limits: Limits, ocr: Ocr | None) -> Iterator[RawPage]:
    """One page a picture; a TIFF file may hold many.

    Raises ``UnreadableDocument``: ``too_large``, ``too_many_pages``, ``broken``, ``ocr_missing``,
    ``ocr_failed``.
    """
    from PIL import Image, UnidentifiedImageError

    Image.MAX_IMAGE_PIXELS = None  # measured here, against our own limit
    with readable(UnidentifiedImageError):
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        frames = int(getattr(image, "n_frames", 1))
        _size_require(image, limits)
    if frames > limits.pages:
        raise UnreadableDocument("too_many_pages", _("The file has too many pictures."))
    if ocr is None:
        raise missing()
    for index in range(frames):
        with readable(Image.DecompressionBombError):
            if frames > 1:
                image.seek(index)
                _size_require(image, limits)
            gray = _gray(image)
        seen = read_picture(gray.tobytes(), gray.width, gray.height, ocr)
        yield RawPage(
            index=index,
            total=frames,
            number=index + 1,
            label=str(index + 1) if frames > 1 else "",
            lines=seen.lines,
            has_images=True,
            info={"has_ocr": True, **({"ocr": round(seen.confidence)} if seen.lines else {})},
        )


def _size_require(image: "Image", limits: Limits) -> None:
    if image.width * image.height > limits.pixels:
        message = _("The picture has %(pixels)s million pixels; at most %(limit)s can be read.")
        values = {"pixels": image.width * image.height // 10**6, "limit": limits.pixels // 10**6}
        raise UnreadableDocument("too_large", message % values)


def _gray(image: "Image") -> "Image":
    """The picture upright, on white, gray, and of a size that tesseract reads well."""
    from PIL import Image, ImageOps

    if image.format == "JPEG":
        image.draft("L", (LONGEST_SIDE, LONGEST_SIDE))  # decodes to a smaller size at once
    picture = ImageOps.exif_transpose(image)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture)
    elif picture.mode.startswith("I"):
        picture = picture.point(lambda value: value / 256)  # 16 bits a pixel
    picture = picture.convert("L")
    longest = max(picture.size)
    scale = min(1.0, LONGEST_SIDE / longest) if longest > _SMALL_SIDE else 2.0
    if scale != 1.0:
        wanted = (max(1, int(picture.width * scale)), max(1, int(picture.height * scale)))
        picture = picture.resize(wanted, Image.Resampling.LANCZOS)
    return picture


class PagePictures:
    """The pages of a PDF as pictures; the document is opened when the first is wanted."""

    def __init__(self, data: bytes, ocr: Ocr) -> None:
        self._data = data
        self._ocr = ocr
        self._document: Any = None

    def read(self, index: int) -> Seen:
        """What tesseract sees on a page. Raises ``UnreadableDocument``."""
        import pypdfium2

        with readable(pypdfium2.PdfiumError):
            if self._document is None:
                self._document = pypdfium2.PdfDocument(self._data)
            page = self._document[index]
            longest = max(page.get_size())
            scale = min(DPI / 72, LONGEST_SIDE / longest)
            bitmap = page.render(scale=scale, grayscale=True)
            width, height, stride = bitmap.width, bitmap.height, bitmap.stride
            rows = memoryview(bitmap.buffer).cast("B")
            gray = b"".join(rows[at * stride : at * stride + width] for at in range(height))
            bitmap.close()
            page.close()
        return read_picture(gray, width, height, self._ocr)
