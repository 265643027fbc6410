"""``python -m obscura.cli``: the command line."""

from obscura.cli.entry import main

if __name__ == "__main__":
    main()
