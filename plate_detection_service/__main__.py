"""``python -m plate_detection_service``: run a worker of the plate detection queue."""

import sys

from obscura.settings import Settings
from obscura.worker.process import serve
from plate_detection_service.handler import SERVICE

if __name__ == "__main__":
    sys.exit(serve(Settings(), (SERVICE,)))
