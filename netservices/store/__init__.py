"""The store: everything that the servers keep, behind one ``IStore``.

``SQLiteStore(directory, settings, reactor)`` (``sqlite.py``) is the embedded store: one
SQLite file, with larger content in files beside it.  With ``reactor=None`` it is
inline, without threads; with ``directory=None`` it is in memory.  All three pass the
same contract (``tests/contract``).

How it is divided:

* ``migrations``, ``schema``, ``connections``: the tables, and bringing a database here;
* ``engine`` and ``jobs``: groups of units committed with one sync, and what is true
  after a failure; ``writer``: the thread that does so; ``checkpoint``: copying the
  write-ahead log;
  ``lock``, ``space``, ``directory``: the processes and the disk around it;
* one module an area, each with its operations (``HANDLERS``) and its reads:
  ``records``, ``files``, ``zones`` (with ``rrsets``), ``values``, ``leases``,
  ``changes``, ``blobs`` (with ``sinks`` and ``blobfiles``), ``housekeeping``;
  ``handlers`` puts them together;
* ``readers``: reads in the reactor thread and in others;
* care: ``admin``, ``check``, ``repair``, ``backup``, ``restore``, ``manifest``.

A new kind of thing takes a migration, operations in ``netservices.units``, and a module
with their handlers and reads; nothing else changes.
"""
