"""What the operator says: TOML, ``--set`` and flags, made into typed settings.

``loading`` reads and checks, ``conversion`` gives written values their types,
``discovery`` finds the plugins whose settings count, ``endpoint`` reads where to
listen, ``settings`` holds the sections that belong to the process itself, and
``manual`` writes ``etc/netservices.toml`` and the page of all settings.
"""
