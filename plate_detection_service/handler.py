"""The plate detection service; its handler is in ``obscura.handlers.detection``."""

from obscura.contract import ObjectClass
from obscura.handlers.detection import detection_service

SERVICE = detection_service(ObjectClass.PLATE)
