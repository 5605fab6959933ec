"""Options of TLS: certificates, versions, sessions, deadlines."""

from __future__ import annotations

from netservices.core.settings import Duration, setting, settings


@settings
class TLSSettings:
    """Options of TLS, for ``tls`` listeners and STARTTLS alike."""

    certificates: str = setting(
        "",
        "Directory of certificates with their keys: NAME.pem with both,"
        " NAME.pem or NAME.crt beside NAME.key, or NAME/fullchain.pem beside"
        " NAME/privkey.pem. Empty: a self-signed one is made in the state directory.",
    )
    minimum_version: str = setting(
        "1.2", "Oldest version of TLS to speak.", choices=("1.2", "1.3")
    )
    ciphers: str = setting(
        "", "OpenSSL cipher list for TLS 1.2. Empty: OpenSSL's own secure choice."
    )
    session_tickets: int = setting(
        2,
        "Tickets for resuming that a client gets after a handshake; 0 switches them"
        " off.",
        minimum=0,
        maximum=16,
    )
    ticket_key_lifetime: Duration = setting(
        "12h", "Age at which the key of session tickets is replaced.", minimum=60
    )
    handshake_timeout: Duration = setting(
        "30s", "How long a peer may take for a handshake.", minimum=0.1
    )
    close_timeout: Duration = setting(
        "5s", "How long a peer may take to answer the end of a connection.", minimum=0.1
    )
    reload_interval: Duration = setting(
        "10s", "How often certificate files are looked at for changes.", minimum=0
    )
    warn_before: Duration = setting(
        "14d", "How long before a certificate expires the log starts to warn."
    )
    self_signed_lifetime: Duration = setting(
        "365d", "How long a self-signed certificate is valid.", minimum=86400
    )
    client_authorities: str = setting(
        "",
        "PEM file of authorities: clients are then asked for a certificate, which must"
        " be signed by one of them if it is given. Empty: nobody is asked.",
    )
