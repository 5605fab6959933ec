"""The running house: what starts in which order, is told to stop, and says how it is.

``house`` is the service tree itself, without a process around it, as tests use it;
``process`` puts it under ``twistd``: signals, exit statuses, the first words on the
terminal (``banner``), logs, readiness for systemd.  ``state`` is the state directory
and its lock, ``reload`` says what can change while it runs, ``drain`` ends connections
politely.
"""
