"""Provenance inside the picture: Content Credentials (C2PA), which any tool of that standard reads.

The signed manifest of `obscura.manifest` is a file beside the picture and needs nothing; Content Credentials
need the extra ``c2pa``, a certificate chain and its private key.
"""

from obscura.provenance.claim import claim_of
from obscura.provenance.credentials import Credentials

__all__ = ["Credentials", "claim_of"]
