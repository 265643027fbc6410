"""Read settings from files named by ``OBSCURA_<FIELD>_FILE``.

Container engines and Kubernetes provide secrets as files; a variable would show in `docker inspect`, in the
description of a pod, and in crash reports.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource, SettingsError

__all__ = ["FileSource"]

SUFFIX = "_FILE"


class FileSource(PydanticBaseSettingsSource):
    """A pydantic settings source: the content of the file that ``<PREFIX><FIELD>_FILE`` names, by field.

    Line ends at the end of the file are dropped.

    Raises
    ------
    SettingsError
        If a file cannot be read, or a setting is given both as a file and as a value.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """Return the value of one field or None, the field's name, and False: the value is not JSON."""
        del field
        variable = f"{self.config.get('env_prefix', '')}{field_name}".upper()
        named = os.environ.get(variable + SUFFIX)
        # A field may end in `_file` itself; then the variable is that field's.
        if not named or f"{field_name}{SUFFIX}".lower() in self.settings_cls.model_fields:
            return None, field_name, False
        if os.environ.get(variable):
            message = f"{variable} and {variable}{SUFFIX} are both set; set one of them"
            raise SettingsError(message)
        try:
            return Path(named).read_text(encoding="utf-8").rstrip("\r\n"), field_name, False
        except (OSError, UnicodeDecodeError) as error:
            message = f"{variable}{SUFFIX} names a file that cannot be read: {named}"
            raise SettingsError(message) from error

    def __call__(self) -> dict[str, Any]:
        """Return the values of all fields that files contain."""
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value}
