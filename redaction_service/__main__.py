"""``python -m redaction_service``: run a worker of the redaction queue."""

import sys

from obscura.settings.loading import settings_or_exit
from obscura.worker.process import serve
from redaction_service.handler import SERVICE

if __name__ == "__main__":
    sys.exit(serve(settings_or_exit(), (SERVICE,)))
