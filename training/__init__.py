"""How the weights in ``models/`` were made; a tool for developers, not part of the installed product."""
