"""The signed manifest and Content Credentials: what was done to a photo, and its verification.

A manifest is one JSON object (`Manifest` says what is in it). Its signature covers the canonical form of all
but the field ``signature``: keys sorted, no spaces, UTF-8, whole numbers without a fraction. A manifest that
was indented or passed through another JSON library therefore still verifies; one with another value does not.

It is signed where input, output and findings are at hand, which is before the second look of a job: it states
``redaction_verdict``, the verdict of that moment, and ``review_verdict`` is null. A later ``needs_review`` is
in the job's report only. The command line looks twice before it signs, and states both.

Content Credentials (C2PA) say the same inside the picture; they need the extra ``c2pa``, a certificate
chain and its private key.

A manifest without a signature proves only that a file is the one it speaks of, not who says so.
"""

from obscura.provenance.build_manifest import Work, manifest_of
from obscura.provenance.claim import claim_of
from obscura.provenance.credentials import Credentials
from obscura.provenance.manifest import Manifest, read
from obscura.provenance.signing import (
    Ed25519Key,
    HmacKey,
    Key,
    Signature,
    canonical,
    check,
    read_key,
    signed,
    signing_key,
)

__all__ = [
    "Credentials",
    "Ed25519Key",
    "HmacKey",
    "Key",
    "Manifest",
    "Signature",
    "Work",
    "canonical",
    "check",
    "claim_of",
    "manifest_of",
    "read",
    "read_key",
    "signed",
    "signing_key",
]
