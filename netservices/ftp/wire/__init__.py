"""FTP on the wire: commands, replies, addresses, listings and text; no I/O, no clock.

Both sides use it: the server's dialogue and the client.  What only the client needs
(``listed``), and rare representations (``blocks``, ``compressed``, ``records``), are
imported from their own modules.
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
    parse_command,
    strip_telnet,
    verb_of,
)
from netservices.ftp.wire.contents import (
    ContentReceiver,
    ContentSender,
    Structure,
    Type,
)
from netservices.ftp.wire.facts import (
    FACTS,
    USUAL_FACTS,
    chosen_facts,
    facts_of,
    format_facts,
    format_time,
    parse_facts,
    parse_time,
)
from netservices.ftp.wire.listing import (
    line_of_node,
    list_line,
    list_line_of,
    printable,
    split_list_options,
)
from netservices.ftp.wire.names import UTF8, Names, names_in
from netservices.ftp.wire.nvt import FromNVT, ToNVT
from netservices.ftp.wire.parts import Mark, Marker, Part
from netservices.ftp.wire.replies import (
    Replies,
    Reply,
    ReplyReader,
    is_preliminary,
    quoted,
    unquoted,
)
from netservices.ftp.wire.representation import (
    Mode,
    PartReader,
    PartWriter,
    Representation,
)
from netservices.ftp.wire.secrets import masked

__all__ = [
    "FACTS",
    "USUAL_FACTS",
    "UTF8",
    "Command",
    "ContentReceiver",
    "ContentSender",
    "FromNVT",
    "HostPort",
    "Mark",
    "Marker",
    "Mode",
    "Names",
    "Part",
    "PartReader",
    "PartWriter",
    "Replies",
    "Reply",
    "ReplyReader",
    "Representation",
    "Structure",
    "ToNVT",
    "Type",
    "chosen_facts",
    "facts_of",
    "format_eprt",
    "format_epsv",
    "format_facts",
    "format_pasv",
    "format_port",
    "format_time",
    "is_preliminary",
    "line_of_node",
    "list_line",
    "list_line_of",
    "masked",
    "names_in",
    "normal_address",
    "parse_command",
    "parse_eprt",
    "parse_epsv_argument",
    "parse_epsv_reply",
    "parse_facts",
    "parse_pasv_reply",
    "parse_port",
    "parse_time",
    "printable",
    "quoted",
    "split_list_options",
    "strip_telnet",
    "unquoted",
    "verb_of",
]
