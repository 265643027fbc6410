"""The service that finds one class of objects: the same for faces and for plates."""

from collections.abc import Mapping
from functools import partial

from obscura.contract import STEP_TASKS, ObjectClass
from obscura.detection.detector import Detector
from obscura.finding import check_weights, detection_options, find_objects, load_for, open_photo
from obscura.jobs import Claimed
from obscura.worker import Handler, Service, Tools, threads

__all__ = ["detection_service"]


def _detect(tools: Tools, detector: Detector, claimed: Claimed) -> Mapping[str, str]:
    row = claimed.row
    photo = open_photo(tools.storage.get(row.photo), tools.settings)
    part = find_objects(detector, photo, detection_options(row.options))
    return {f"p:{claimed.step}": part.model_dump_json(by_alias=True)}


def detection_service(class_name: ObjectClass) -> Service:
    """Return the service that finds ``class_name``."""

    def build(tools: Tools) -> Handler:
        return partial(_detect, tools, load_for(tools.settings, class_name, threads(tools.settings)))

    return Service(STEP_TASKS[class_name.step], build, lambda settings: check_weights(settings, class_name))
