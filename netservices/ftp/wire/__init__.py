"""FTP on the wire: commands, replies, addresses, listings and text; no I/O, no clock.

Both sides use it: the server's dialogue and the client.
"""

from netservices.ftp.wire.addresses import (
    HostPort,
    format_eprt,
    format_epsv,
    format_pasv,
    format_port,
    normal_address,
    parse_eprt,
    parse_epsv_argument,
    parse_epsv_reply,
    parse_pasv_reply,
    parse_port,
)
from netservices.ftp.wire.commands import (
    Command,
    decode_path,
    encode_path,
    parse_command,
    plain_line,
    strip_telnet,
)
from netservices.ftp.wire.facts import (
    FACTS,
    chosen_facts,
    facts_of,
    format_facts,
    format_time,
    parse_facts,
    parse_time,
)
from netservices.ftp.wire.listing import list_line, printable, split_list_options
from netservices.ftp.wire.nvt import FromNVT, ToNVT
from netservices.ftp.wire.replies import (
    Replies,
    Reply,
    ReplyReader,
    is_preliminary,
    quoted,
    unquoted,
)

__all__ = [
    "FACTS",
    "Command",
    "FromNVT",
    "HostPort",
    "Replies",
    "Reply",
    "ReplyReader",
    "ToNVT",
    "chosen_facts",
    "decode_path",
    "encode_path",
    "facts_of",
    "format_epsv",
    "format_eprt",
    "format_facts",
    "format_pasv",
    "format_port",
    "format_time",
    "is_preliminary",
    "list_line",
    "normal_address",
    "parse_command",
    "parse_epsv_argument",
    "parse_epsv_reply",
    "parse_eprt",
    "parse_facts",
    "parse_pasv_reply",
    "parse_port",
    "parse_time",
    "plain_line",
    "printable",
    "quoted",
    "split_list_options",
    "strip_telnet",
    "unquoted",
]
