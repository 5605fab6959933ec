"""Sessions of browsers, kept by the server.

The browser holds nothing but a random name (256 bits) in a cookie; what belongs to the
name is in the store, which any number of processes share and which survives a restart.
The store holds no names, but their hashes: who reads a copy of it cannot take over a
session.

- ``record``: what is kept of one session
- ``held``: a session as it was read, and the operations that keep and end it
- ``storage``: where it is kept, how many of them, how they end
- ``session``: what a handler does with the session of its request
- ``layer``: what finds it and keeps it
"""

from netservices.web.sessions.layer import SessionLayer
from netservices.web.sessions.record import Record
from netservices.web.sessions.session import Session
from netservices.web.sessions.storage import SessionLimits, Sessions

__all__ = ["Record", "Session", "SessionLayer", "SessionLimits", "Sessions"]
