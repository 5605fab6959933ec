"""Accounts: domains, logins, passwords, SASL exchanges and Twisted cred adapters.

``service.Accounts`` is what protocols use (``IAccounts``); it starts with the server.
The pure modules below it (``names``, ``precis``, ``passwords``, ``credentials``,
``scram``, ``sasl``, ``sasl_client``) are also used by the ``netservices`` command and
by clients.  Options are those of ``settings.AccountsSettings``; failed logins are
counted by ``core.limits``.

==========  ===========  =============================================================
RFC         State        What
==========  ===========  =============================================================
RFC 1635    partial      anonymous and ftp are nobody's names
RFC 3454    done         stringprep, as far as RFC 4013 uses it
RFC 3696    partial      a domain does not end in a number
RFC 4013    done         SASLprep, for SCRAM keys
RFC 4422    done         SASL; EXTERNAL (appendix A) for identities the caller proved
RFC 4616    done         PLAIN; nobody may act as somebody else
RFC 5321    partial      local parts are Dot-strings (4.1.2), no quoted strings
RFC 5802    done         SCRAM with channel binding
RFC 5890    done         domains are kept as A-labels
RFC 5892    done         contextual rules (appendix A), by ``idna``
RFC 5893    done         the bidi rule, for names
RFC 5929    partial      tls-server-end-point, with data given by the caller
RFC 6531    partial      local parts beyond ASCII
RFC 7677    done         SCRAM-SHA-256
RFC 8264    done         IdentifierClass and FreeformClass
RFC 8265    done         UsernameCaseMapped, OpaqueString
RFC 9266    partial      tls-exporter, with data given by the caller
==========  ===========  =============================================================
"""
