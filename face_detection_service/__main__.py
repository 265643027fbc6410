"""``python -m face_detection_service``: run a worker of the face detection queue."""

import sys

from face_detection_service.handler import SERVICE
from obscura.settings.loading import settings_or_exit
from obscura.worker.process import serve

if __name__ == "__main__":
    sys.exit(serve(settings_or_exit(), (SERVICE,)))
