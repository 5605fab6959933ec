"""DNS: an authoritative name server that answers from zones in memory.

Zones come from the store, where ``netservices zone import`` puts them, and every
change there is in force at once.  Start it alone with ``twistd -n netservices --dns``;
on ports that need no privilege with ``--port-offset 8000``, then ask it with
``dig @127.0.0.1 -p 8053 example.com``.

What is where, from the outside in; each package says more:

- ``server``: sockets, and all that goes on by itself: NOTIFY, refresh, health checks;
  ``server.authority`` puts everything together
- ``client``: questions, transfers and notifications to other servers
- ``dialogue``: from a packet to its reply, for each opcode; caches, cookies, rates
- ``policy``, ``settings``; ``options``: what is decided, for all zones; for one
- ``rules``; ``grants``; ``views``: who may ask and have; change what; sees which zones
- ``zone``: one zone in memory, and the answers it gives; overlays, ALIAS, distribution
- ``backend``: zones in memory kept equal to the store, and what lies beside them there
- ``zonefile``: zones as text: read, written, compared, checked
- ``wire``: messages, names and signatures as octets

==========  ===========  =============================================================
RFC         State        What
==========  ===========  =============================================================
RFC 768     done         port 0 gets no answer
RFC 1034    done         names, the answer algorithm (4.3.2), delegation and glue
RFC 1035    done         messages, compression, UDP and TCP, master files
RFC 1123    done         names of hosts, in the check of a zone
RFC 1912    done         SOA timers of a new zone
RFC 1982    done         serial arithmetic
RFC 1995    done         IXFR, both ways
RFC 1996    done         NOTIFY, both ways
RFC 2136    done         dynamic update, passed on by secondaries (6)
RFC 2142    done         hostmaster, in the SOA of a new zone
RFC 2181    done         RRsets, TTLs, truncation only where something is missing
RFC 2182    partial      a zone has two servers: the check says so
RFC 2230    done         KX is not compressed
RFC 2308    done         negative answers and their TTL
RFC 2317    done         classless reverse zones, made on request
RFC 2782    done         SRV, its targets in the additional section
RFC 3225    done         DO is repeated
RFC 3596    done         AAAA
RFC 3597    done         unknown types, compression only where RFC 1035 has it
RFC 4034    partial      canonical order; nothing is signed
RFC 4035    partial      DS is answered by the parent; nothing is signed
RFC 4343    done         letter case
RFC 4592    done         wildcards, empty non-terminals
RFC 4892    done         version.bind, id.server, by policy
RFC 5001    done         NSID
RFC 5358    done         no recursion for strangers
RFC 5452    partial      what the client takes for an answer
RFC 5890    partial      A-labels of names that are written in all scripts
RFC 5936    done         AXFR, both ways
RFC 6604    done         response code of a chain
RFC 6672    done         DNAME, YXDOMAIN
RFC 6891    done         EDNS(0), BADVERS
RFC 6895    done         numbers of classes and opcodes
RFC 7301    done         ALPN: ``dot``
RFC 7208    partial      one SPF policy at a name: the check says so
RFC 7489    partial      one DMARC policy, at _dmarc: the check says so
RFC 7505    done         a null MX is no dangling one
RFC 7766    done         TCP: pipelining, idle time, limits
RFC 7828    done         the keepalive option over TCP
RFC 7830    done         padding over TLS
RFC 7858    done         DNS over TLS on listeners of the kind ``tls``
RFC 7873    done         cookies
RFC 8020    done         nothing is below a name that does not exist
RFC 8467    done         blocks of 468 octets
RFC 8482    done         small answers to ANY
RFC 8484    partial      what of it is DNS: answers and how long they hold
RFC 8767    done         stale addresses of ALIAS targets, where resolvers fail
RFC 8914    done         extended errors with what we refuse or cannot do
RFC 8945    partial      TSIG; signed updates are remembered, not times (5.2.3)
RFC 9018    done         cookies that other makers' servers take too
RFC 9103    partial      zones over TLS 1.3, both ways; transfers are not padded
RFC 9112    partial      the requests of health checks
RFC 9432    done         catalog zones, made and followed
RFC 9460    partial      SVCB and HTTPS with the addresses of their targets
RFC 9471    done         all glue inside the delegated domain, or TC
RFC 9619    done         one question
==========  ===========  =============================================================
"""
