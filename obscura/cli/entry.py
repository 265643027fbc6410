"""The entry point of the command line, which loads nothing else before it hears Ctrl-C.

Ctrl-C ends it at any moment without a traceback: while libraries load and after the last answer by the signal
itself, in between with exit code 130.
"""

import signal
import sys

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Run the command line in a process of its own; see `obscura.cli.main.main`."""
    # Nothing is begun while libraries load: the signal may end the process by itself.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    from obscura.cli.main import main as run

    interruptions: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interruptions.append(number)
        raise KeyboardInterrupt

    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, interrupt)
    try:
        run()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception:
        # Libraries that are interrupted while they load raise what they like.
        if not interruptions:
            raise
        sys.exit(INTERRUPTED)
    finally:
        # What was done is told; whatever still runs down needs no word about its end.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
