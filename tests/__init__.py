"""The tests of netservices; they mirror the package, one file a module.

Random examples are the same at every run, so that a failure is one for everybody;
``make soak`` sets ``NETSERVICES_SOAK`` and gets new ones each time.
"""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("soak", deadline=None, print_blob=True)
settings.load_profile("soak" if os.environ.get("NETSERVICES_SOAK") else "same")
