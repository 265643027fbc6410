"""What all pages have in common: links lead somewhere, settings and error codes exist."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from obscura import errors
from obscura.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "training" / "README.md"]
# Read by others than the settings: folders of make and tests, the client's key, the compose file.
ELSEWHERE = re.compile(r"OBSCURA_(DATA_DIR|SHARED|KEY|BIND|TEST_\w+|SWIFT_VENV|FUZZ_\w+|\w+_FILE)")
# Words of our own that the glossary replaced; names of files and modules may still hold them.
PRIVATE = re.compile(
    r"(?<![\w/`._-])"
    r"(ledgers?|scouts?|closer look|second look|keep-out|erasers?|sweepers?|dialects?|fixed masks?)"
    r"(?![\w/`-]|\.\w)",
    re.IGNORECASE,
)
# Said where no error class is: of a batch, of the framework, of the client.
OTHERS = {"erased", "http_error", "method_not_allowed"}
KINDS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.ObscuraError)
]
CODES = {kind.code for kind in KINDS}


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as the forge makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"\[(.*?)\]\(.*?\)", r"\1", text).lower()) for text in headings)
    return {text.replace(" ", "-") for text in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every file that a page links or shows is there, and so is the heading within it."""
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if "://" in link or link.startswith("mailto:"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_pages_name_exist(page: Path) -> None:
    """A path in backticks below one of the root's folders is one of the repository's files or folders."""
    named = re.findall(r"`([a-z]\w*/[\w./-]+)`", page.read_text("utf-8"))
    paths = {path for path in named if (ROOT / path.partition("/")[0]).is_dir() and "NNNN" not in path}
    assert {path for path in paths if not (ROOT / path).exists() and not path.startswith("build/")} == set()


def test_every_page_is_reachable_from_the_index() -> None:
    """Links lead from docs/index.md to every page under docs."""
    seen: set[Path] = set()
    left = [ROOT / "docs" / "index.md"]
    while left:
        page = left.pop()
        if page in seen:
            continue
        seen.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)(?:#\S*)?\)", page.read_text("utf-8"))
        targets = [(page.parent / link).resolve() for link in links if "://" not in link]
        left += [target for target in targets if target.is_relative_to(ROOT / "docs")]
    assert set((ROOT / "docs").rglob("*.md")) <= seen


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_settings_that_pages_name_exist(page: Path) -> None:
    """No page speaks of a variable that nobody reads."""
    named = set(re.findall(r"\bOBSCURA_[A-Z0-9_]*[A-Z0-9]\b(?!_?\*|<)", page.read_text("utf-8")))
    known = {f"OBSCURA_{name.upper()}" for name in Settings.model_fields}
    assert {name for name in named - known if not ELSEWHERE.fullmatch(name)} == set()


@pytest.mark.parametrize(
    "page",
    [
        page
        for page in PAGES
        if page.name not in {"CHANGELOG.md", "settings.md"} and "training" not in page.parts
    ],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_pages_use_the_words_of_the_glossary(page: Path) -> None:
    """No page says in our own words what has a name in the glossary."""
    assert PRIVATE.findall(page.read_text("utf-8")) == []


def test_troubleshooting_has_every_code_that_callers_meet() -> None:
    """Each code of the table by status has a row, and no row has a code that does not exist."""
    page = (ROOT / "docs/reference/errors.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    table = page.split("| status | codes |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) <= set(rows)
    kinds = (errors.ProcessingError, errors.PhotoError)
    assert {kind.code for kind in KINDS if issubclass(kind, kinds) and kind not in kinds} <= set(rows)
    assert set(rows) - CODES <= OTHERS
    assert rows == sorted(set(rows))


def test_the_shell_completes(tmp_path: Path) -> None:
    """The script that is printed names the command; asked as the shell asks, it completes."""
    program = Path(sys.executable).with_name("obscura")
    shown = subprocess.run(
        ["bash", "-c", f"{program} --show-completion; true"], capture_output=True, text=True, check=True
    )
    assert "_OBSCURA_COMPLETE=complete_bash" in shown.stdout
    asked = {"_OBSCURA_COMPLETE": "complete_bash", "COMP_WORDS": "obscura bl", "COMP_CWORD": "1"}
    done = subprocess.run(
        [program], env={**os.environ, **asked}, capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.stdout.split() == ["blur"]
