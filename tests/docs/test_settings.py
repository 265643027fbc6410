"""The page of settings is generated from the code: ``python -m tests.docs.test_settings`` writes it."""

from pathlib import Path

from pydantic_core import PydanticUndefined

from obscura.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"
HEAD = """# Settings

Read once at the start of a process from variables named `OBSCURA_...`. `OBSCURA_<NAME>_FILE` names a file
that holds the value instead. Unknown variables and values that are not allowed end the start with a line
each; `obscura settings` prints the settings in force and where each comes from.
"""
TABLE = ("| variable | default | meaning |", "|---|---|---|")
FOOT = "`OBSCURA_DATA_DIR` moves the folder of `obscura serve`; `OBSCURA_KEY` is the API key of `--server`."


def areas() -> list[type]:
    """Return the models of the areas, in the order of the page."""
    own = [kind for kind in Settings.__mro__ if kind.__module__.startswith("obscura.settings.")]
    return [kind for kind in reversed(own) if kind is not Settings]


def page() -> str:
    """Return the page as it should be."""
    text = [HEAD]
    for area in areas():
        names = [name for name in area.__annotations__ if name in Settings.model_fields]
        title = area.__name__.removesuffix("Settings")
        text += [
            f"## {title}",
            "",
            f"{area.__doc__}",
            "",
            "| variable | default | meaning |",
            "|---|---|---|",
        ]
        for name in names:
            field = Settings.model_fields[name]
            default = "" if field.default in {None, PydanticUndefined, ""} else f"`{field.default}`"
            text.append(f"| `OBSCURA_{name.upper()}` | {default} | {field.description} |")
        text.append("")
    text += [
        "`OBSCURA_DATA_DIR` moves the folder of `obscura serve`; `OBSCURA_KEY` is the API key of `--server`.",
        "",
    ]
    return "\n".join(text)


def test_the_page_is_what_the_code_says() -> None:
    """Every setting is on the page, under its area, with name, default and meaning of the code."""
    assert PAGE.read_text("utf-8") == page()
    listed = page().count("\n| `OBSCURA_")
    assert listed == len(Settings.model_fields)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
