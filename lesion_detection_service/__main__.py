"""``python -m lesion_detection_service``: run a worker of the lesion detection queue."""

import sys

from obscura.handlers.lesions import SERVICE
from obscura.settings import Settings
from obscura.worker.process import serve

if __name__ == "__main__":
    sys.exit(serve(Settings(), (SERVICE,)))
