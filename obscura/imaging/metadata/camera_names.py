"""Recognise names of cameras and lenses: makers, series and type designations. Standard library only.

The EXIF fields for camera and lens are free text and may contain a person's name, an address or a note. They
are kept only where every word is known; a text with an unknown word is dropped as a whole.
"""

import re
from typing import Final

__all__ = ["is_camera_name"]

MAX_LENGTH: Final = 63
MAX_DIGITS: Final = 12
"""Digits in a name; a lens with two focal lengths and two apertures has ten."""

_MAKERS: Final = """
    acer agfaphoto alcatel amazon apple asus blackberry blackmagic canon casio computer dji drift eastman
    epson ericsson fairphone fujifilm fuji garmin google gopro hasselblad hewlett-packard hmd honor hp htc
    huawei infinix insta360 itel kandao kodak konica kyocera labpano leica lenovo lg lge mamiya meizu
    microsoft minolta motorola nikon nokia nothing olympus om oneplus oppo panasonic parrot pentax phase
    polaroid praktica realme red reflecta ricoh rollei samsung samyang seiko sharp sigma skydio sony tcl
    tecno toshiba trimble vivo voigtlander xiaomi xiaoyi yi zeiss zte ag camera cameras co co. co.,ltd
    co.,ltd. communications company company,ltd. corp corp. corporation corporation. digital electronics
    gmbh global imaging inc inc. ltd ltd. mobile optical photo solutions technologies technology the
"""
_SERIES: Final = """
    alpha black coolpix cyber-shot cybershot dimage easyshare elph eos exilim finepix galaxy hero ixus kiss
    lumix mavic mi mark max mini mkii mkiii moto nexus note one osmo pad phantom phone pixel plus poco
    powershot gr hs typ pro pro+ rebel redmi reno silver studio theta tough tab ultra white xperia zenfone
    air fold flip active lite edge edition ipad iphone ipod mirrorless se xl xr xs i ii iii iv v vi vii viii
"""
_LENSES: Final = """
    af af-p af-s aspherical apo art asph back contemporary dc dg di dn dual dx ed ef ef-m ef-s elmar elmarit
    fe fisheye front fx g gm hsm is l lens lm m k p r g macro micro nano nikkor non-ai nor oss ois os optics
    power pz quad rear rf rf-s rokinon rs sam sel sonnar sport sports ssm stm summicron summilux super swm
    tamron tc tele telephoto tessar tokina triple truedepth usd usm vario vario-elmar vario-sonnar
    vario-tessar vc vr vxd wide wide-angle wr x xc xf z za zoom zuiko m.zuiko a d e s t di-ii rxd ultrawide
    ultra-wide
"""
_MAKER_WORDS: Final = frozenset(_MAKERS.split())
_WORDS: Final = frozenset(f"{_MAKERS} {_SERIES} {_LENSES}".split())
_GENERATION: Final = re.compile(r"(?<=[0-9])(Mark)(?=[IV]+\b)")

_DESIGNATION: Final = re.compile(
    r"(?=[^0-9]*[0-9])(?!.*[A-Za-z]{6})(?!.*[a-z]{3})(?!(?:[^0-9]*[0-9]){9})[A-Za-z0-9._/+-]{1,20}"
)
"""A word with a digit, as in types, focal lengths and apertures: SM-G991B, 70-200mm, f/1.78. At most five
letters in a row, two lower-case letters in a row and eight digits."""
_EDGES: Final = "(),;:"
_SIGNS: Final = frozenset({"", "|", "/", "-", "&"})


def is_camera_name(text: str) -> bool:
    """Return whether a text consists of the name of a camera or lens only."""
    if not 0 < len(text) <= MAX_LENGTH or sum(letter.isdigit() for letter in text) > MAX_DIGITS:
        return False
    words = [word.strip(_EDGES) for word in _GENERATION.sub(r" \1 ", text).split()]
    plain = [word for word in words if word.isdigit()]
    # Some series are also names of persons, so a maker or a type designation is required.
    names_device = any(word.lower() in _MAKER_WORDS or _DESIGNATION.fullmatch(word) for word in words)
    return names_device and len(plain) <= 1 and all(map(_is_known, words))


def _is_known(word: str) -> bool:
    return word.lower() in _WORDS or word in _SIGNS or _DESIGNATION.fullmatch(word) is not None
