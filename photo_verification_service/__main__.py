"""``python -m photo_verification_service``: run a worker of the verification queue."""

import sys

from obscura.settings import Settings
from obscura.worker.process import serve
from photo_verification_service.handler import SERVICE

if __name__ == "__main__":
    sys.exit(serve(Settings(), (SERVICE,)))
