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
    # Who starts a job in the background may have it ignore Ctrl-C, which is then for others.
    is_ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if not is_ignored:
        # Nothing is begun while libraries load: the signal may end the process by itself.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from obscura.cli.main import main as run

    interruptions: list[int] = []

    def interrupt(number: int, _frame: object) -> None:
        interruptions.append(number)
        raise KeyboardInterrupt

    if not is_ignored:
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
        if not is_ignored:
            # The results are reported; processes that still end need no message.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
