"""``python -m face_detection_service``: run a worker of the face detection queue."""

import sys

from face_detection_service.handler import SERVICE
from obscura.settings import Settings
from obscura.worker.process import serve

if __name__ == "__main__":
    sys.exit(serve(Settings(), (SERVICE,)))
