"""The control socket: how the ``netservices`` command talks to a running server.

One JSON object a line asks, one answers.  ``server`` listens, ``verbs`` is what may be
asked, ``client`` asks; it is plain standard library, so that commands start at once.
"""
