"""What this service does; everything that it shares with other detectors stands in the library."""

from obscura.contract import ObjectClass
from obscura.handlers.detection import detection_service

SERVICE = detection_service(ObjectClass.FACE)
