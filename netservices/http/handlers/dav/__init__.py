"""WebDAV: files of accounts that are read and written over HTTP (RFC 4918, class 2).

Below one path each account finds its own home, the tree that FTP shows it.  All that
matters is the file service's: rights, quotas, whole uploads, locks and dead properties.
Here is what HTTP says about it.

- ``handler``: which method is whose, and who may ask
- ``place``: what a request is about
- ``getting``, ``putting``, ``patching``, ``changing``: contents and names; ``telling``
  says so to machines
- ``propfind``, ``proppatch``, ``properties``: what is known of them
- ``locking``, ``ifheader``, ``conditions``: who may change them, and in which version
- ``elements``, ``answers``: XML in and out
- ``problems``: what failures of the file service mean here
"""
