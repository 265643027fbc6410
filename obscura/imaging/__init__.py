"""Pictures: validation, decoding, orientation, metadata, encoding.

Import-light on purpose: `headers`, `gate`, `containers`, `formats` and `exif` need the standard library
only, so that the gateway can check an upload without loading an image library; `photo` and `encode` load
numpy and Pillow.
"""
