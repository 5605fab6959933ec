"""Accounts: domains, logins, passwords, SASL exchanges and Twisted cred adapters.

``service.Accounts`` is what protocols use (``IAccounts``); the pure modules below it
(``names``, ``precis``, ``passwords``, ``scram``, ``sasl``, ``sasl_client``) are also
used by the ``netservices`` command and by clients.

========  =============================================  =========================
RFC       What                                           Here
========  =============================================  =========================
4013      SASLprep                                       ``precis`` (SCRAM keys)
4422      SASL; appendix A: EXTERNAL                     ``sasl``, ``sasl_client``
4616      PLAIN                                          ``sasl``, ``sasl_client``
5802      SCRAM, channel binding                         ``scram``, ``sasl``
5929      tls-server-end-point                           the caller's data
7677      SCRAM-SHA-256                                  ``scram``, ``sasl``
8265      UsernameCaseMapped, OpaqueString               ``precis``
9266      tls-exporter                                   the caller's data
========  =============================================  =========================
"""
