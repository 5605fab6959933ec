"""The web without its wire: what every version of HTTP, and every page, has in common.

A handler takes a ``Request`` and gives a ``Response``; it knows neither sockets nor
versions.  Webmail, file manager, WebDAV, DNS over HTTPS and the applications of others
are handlers.  The package ``http`` carries their messages.

==========  ===========  =============================================================
RFC         State        What
==========  ===========  =============================================================
RFC 2046    partial      boundaries of parts
RFC 3986    partial      escapes in paths
RFC 6265    done         cookies, read and set (with rfc6265bis)
RFC 6454    partial      origins
RFC 6585    partial      429, 431
RFC 7578    done         forms with files
RFC 7617    done         Basic, over TLS
RFC 8297    done         103 Early Hints
RFC 9110    partial      fields, content, conditions
RFC 9111    partial      what caches are told
RFC 9659    done         windows of zstd that browsers take
==========  ===========  =============================================================
"""
