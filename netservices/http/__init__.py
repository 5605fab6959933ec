"""HTTP: an origin server for static sites, files of accounts, and applications.

Start it alone with ``twistd -n netservices --http``; on ports that need no privilege
with ``--port-offset 8000``, then open ``http://127.0.0.1:8080/``.

What is where, from the outside in; each package says more:

- ``server``: sockets, time, and the sending of responses; ``server.service`` puts
  everything together
- ``application``: which handler answers, and the layers around it
- ``handlers``: what answers: sites, and whatever else is mounted
- ``mounts``, ``mounting``, ``guests``: what answers where; the lines that say so, and
  the applications of others that they name
- ``dialogue``: what may follow what on a connection, and how a response is framed
- ``wire``: heads and chunks as octets

Requests and responses themselves are in ``netservices.web``, and so is all that does
not depend on the version of HTTP.

==========  ===========  =============================================================
RFC         State        What
==========  ===========  =============================================================
RFC 3339    done         times in listings for programs
RFC 3986    partial      request targets; links of listings
RFC 4331    done         quota and room of a home
RFC 4648    partial      base64url without padding
RFC 4918    done         WebDAV, class 1, 2 and 3: files of accounts
RFC 5789    done         PATCH, with a table of what it understands
RFC 6585    done         429 for too many requests, 431 for too large heads
RFC 6797    done         Strict-Transport-Security, where the operator wants it
RFC 7396    done         JSON Merge Patch
RFC 8484    done         DNS over HTTPS, where the plugin ``dns`` runs
RFC 8555    partial      challenges over HTTP are never redirected
RFC 8615    done         .well-known is seen
RFC 9110    partial      semantics, for an origin server
RFC 9111    partial      what caches are told of files
RFC 9112    done         HTTP/1.1: every MUST in tests/conformance
RFC 9457    done         errors as JSON
==========  ===========  =============================================================
"""
