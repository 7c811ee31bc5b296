"""Shebao Switch: pay social insurance at any bank and have it count the same second.

The five folders beside ``src/`` are this package's sub-packages (``src/shebao/<name>`` is a link to
``../../<name>``), because a top-level package called ``codecs`` could never be imported.
"""

__version__ = "0.1.0"
