"""Photos that tests make: from the public-domain portrait, and drawn ones."""

import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
PORTRAIT = ROOT / "examples" / "portrait.jpg"
# Where the face is in the portrait, by eye: x1, y1, x2, y2.
FACE = (172, 62, 276, 190)
ORIENTATION_TAG = 0x0112
# How a camera must turn the picture so that EXIF orientation n shows it upright.
TO_STORED = {
    1: (),
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_90,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_270,),
}


def portrait() -> Image.Image:
    """Return the portrait as a picture."""
    return Image.open(PORTRAIT).convert("RGB")


def encoded(picture: Image.Image, format_name: str = "JPEG", **options: object) -> bytes:
    """Return the file of a picture."""
    buffer = io.BytesIO()
    picture.save(buffer, format_name, **options)
    return buffer.getvalue()


def turned(picture: Image.Image, orientation: int) -> bytes:
    """Return a JPEG whose EXIF orientation shows ``picture`` upright."""
    stored = picture
    for step in TO_STORED[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return encoded(stored, quality=92, exif=exif)


def group(columns: int = 3, rows: int = 2, tile: int = 256) -> Image.Image:
    """Return a picture of several people: the portrait, mirrored in turn, side by side."""
    canvas = Image.new("RGB", (columns * tile, rows * tile))
    for number in range(columns * rows):
        person = portrait().crop((90, 20, 90 + 300, 20 + 300)).resize((tile, tile), Image.Resampling.LANCZOS)
        if number % 2:
            person = person.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        canvas.paste(person, ((number % columns) * tile, (number // columns) * tile))
    return canvas


def car() -> tuple[Image.Image, tuple[int, int, int, int]]:
    """Return the drawn rear of a car and the box of its number plate."""
    picture = Image.new("RGB", (800, 600), (130, 140, 150))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 430, 800, 600), fill=(70, 70, 72))
    draw.rounded_rectangle((160, 190, 640, 500), radius=50, fill=(150, 20, 25))
    draw.polygon(((230, 200), (280, 100), (520, 100), (570, 200)), fill=(40, 50, 60))
    draw.rectangle((180, 240, 250, 290), fill=(220, 60, 40))
    draw.rectangle((550, 240, 620, 290), fill=(220, 60, 40))
    draw.rectangle((160, 430, 640, 500), fill=(30, 30, 32))
    draw.ellipse((190, 450, 280, 560), fill=(15, 15, 15))
    draw.ellipse((520, 450, 610, 560), fill=(15, 15, 15))
    plate = (300, 330, 500, 376)
    draw.rectangle(plate, fill=(245, 245, 240), outline=(20, 20, 20), width=3)
    draw.rectangle((303, 333, 322, 373), fill=(20, 60, 160))
    draw.text((330, 332), "KA 7391", fill=(10, 10, 10), font=ImageFont.load_default(38))
    return picture, plate


def opened(data: bytes) -> Image.Image:
    """Return the picture in a file."""
    return Image.open(io.BytesIO(data))
