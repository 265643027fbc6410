"""Pictures: validation, decoding, orientation, metadata, encoding.

`validation`, `headers`, `containers`, `formats` and `metadata.exif` need the standard library only, so that
the gateway validates an upload without loading an image library; `open` and `encode` load numpy and Pillow.
"""
