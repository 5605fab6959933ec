"""TLS for every protocol: certificates, and a layer of our own on the ``ssl`` module.

===========  =====================================================================
RFC          state
===========  =====================================================================
RFC 8446     TLS 1.3: done by OpenSSL; ends of connections (6.1) by ``layer``
RFC 5246     TLS 1.2: done by OpenSSL; renegotiation is refused
RFC 6066     server names (SNI, section 3): done
RFC 7301     ALPN: done
RFC 3207     STARTTLS: done, as far as buffers go (4.2)
RFC 4217     the same for FTP: done (15.1)
RFC 5280     certificates: done by OpenSSL; the limits of names (A.1)
RFC 5929     channel bindings: done as far as the ``ssl`` module gives them
RFC 5077     session tickets: done, keys replaced at intervals
RFC 6125     names in certificates, wildcards (6.4.3): done for choosing
===========  =====================================================================

``settings`` are the options, ``certificates`` chooses what to show to whom,
``selfsigned`` makes a certificate where there is none, ``engine`` is TLS without a
network, ``layer`` (with its sending half ``flow``) puts it between transport and
protocol, and ``plain`` takes it away again.
"""
