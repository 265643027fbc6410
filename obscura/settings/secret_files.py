"""Read settings from files named by ``OBSCURA_<FIELD>_FILE``.

Container engines and Kubernetes hand secrets over as files; a variable would show in `docker inspect`, in the
description of a pod, and in what a crashing process writes.
"""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource, SettingsError

__all__ = ["FileSource"]

SUFFIX = "_FILE"


class FileSource(PydanticBaseSettingsSource):
    """Reads ``<PREFIX><FIELD>_FILE`` for every field; a line end at the end of the file is dropped.

    Raises
    ------
    SettingsError
        If a named file cannot be read, or the setting is there twice: as a file and as a value.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[str | None, str, bool]:
        """Return the value of one field or None, its name, and that it is no JSON."""
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
        """Return what files hold, by field."""
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value}
