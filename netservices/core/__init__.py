"""What every protocol stands on: lines, sessions, limits, settings, dates, errors.

Two kinds of module live here.  The pure ones (``errors``, ``settings``, ``lines``,
``dialogue``, ``limits``, ``dates``) import the standard library and attrs only, so that
``wire`` and ``dialogue`` modules may use them.  The others (``deferreds``,
``exchange``, ``session``, ``trace``, ``write``, ``poll``, ``wheel``, ``threads``) touch
Twisted and are for servers, clients and services.
"""
