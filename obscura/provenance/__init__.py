"""The signed manifest and Content Credentials: records of what was done to a photo, and their verification.

A manifest is one JSON object (see `Manifest`). Its signature covers the canonical form of all fields but
``signature``: sorted keys, no spaces, UTF-8, whole numbers without a fraction. A manifest that was indented
or passed through another JSON library still verifies; one with a changed value does not.

A worker signs it after the redaction and before the residual check of a job: ``redaction_verdict`` is the
verdict of the redaction, ``review_verdict`` is null, and a later ``needs_review`` is in the job's report
only. The command line runs the residual check first and states both verdicts.

Content Credentials (C2PA) state the same inside the picture; they need the extra ``c2pa``, a certificate
chain and its private key.

A manifest without a signature proves that a file is the one it describes, but not who created it.
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
