"""The state table: which verbs may come when, and what is said to those that may not.

The diagrams of RFC 959 6 are the same machine: USER, PASS; RNFR, RNTO; everything else
is one command and its replies.  ``RENAMING`` lasts for one command only (RFC 959 4.1.3:
RNFR "must be immediately followed" by RNTO).
"""

from __future__ import annotations

from enum import Enum, auto

from netservices.ftp.wire import Reply


class State(Enum):
    """How far a session has come."""

    CONNECTED = auto()
    """Nobody has logged in."""
    NAMED = auto()
    """USER was accepted; PASS comes."""
    LOGGED_IN = auto()
    RENAMING = auto()
    """RNFR was accepted; RNTO comes."""


ANYTIME = frozenset(
    {
        "CLNT", "CSID", "FEAT", "HELP", "LANG", "NOOP", "QUIT", "SITE", "STAT", "SYST",
    }
)  # fmt: skip

SECURITY = frozenset({"AUTH", "PBSZ", "PROT", "CCC", "ADAT", "MIC", "CONF", "ENC"})
"""RFC 2228 and RFC 4217: before the login, and after."""

AFTER_LOGIN = frozenset(
    {
        # paths
        "CWD", "XCWD", "CDUP", "XCUP", "PWD", "XPWD", "MKD", "XMKD", "RMD", "XRMD",
        "DELE", "RNFR", "MFMT", "MFF",
        # parameters
        "TYPE", "STRU", "MODE", "PASV", "EPSV", "PORT", "EPRT", "ALLO", "REST", "RANG",
        "OPTS",
        # transfers
        "RETR", "STOR", "APPE", "STOU", "LIST", "NLST", "MLSD", "ABOR",
        # information
        "MLST", "SIZE", "MDTM", "AVBL",
        "HASH", "XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512", "MD5",
        # login
        "ACCT", "REIN", "SMNT",
    }
)  # fmt: skip

ALLOWED: dict[State, frozenset[str]] = {
    State.CONNECTED: ANYTIME | SECURITY | {"USER", "HOST"},
    State.NAMED: ANYTIME | SECURITY | {"USER", "PASS", "HOST"},
    State.LOGGED_IN: ANYTIME | SECURITY | AFTER_LOGIN | {"USER"},
    State.RENAMING: ANYTIME | SECURITY | AFTER_LOGIN | {"USER", "RNTO"},
}

# RFC 7151 3: HOST after the login is out of order.
_LOGGED_IN = {
    "PASS": Reply(503, "You are logged in already"),
    "HOST": Reply(503, "You are logged in already"),
}

LOG_IN_FIRST = Reply(530, "Log in with USER and PASS first")

OUT_OF_ORDER: dict[State, dict[str, Reply]] = {
    State.CONNECTED: {"PASS": Reply(503, "Say USER first")},
    State.NAMED: {},
    State.LOGGED_IN: {**_LOGGED_IN, "RNTO": Reply(503, "Say RNFR first")},
    State.RENAMING: _LOGGED_IN,
}
"""The replies to verbs that the table does not allow; any other gets LOG_IN_FIRST."""


def refusal(state: State, verb: str) -> Reply | None:
    """None where ``verb`` may come now, or what is said to it."""
    if verb in ALLOWED[state]:
        return None
    return OUT_OF_ORDER[state].get(verb, LOG_IN_FIRST)
