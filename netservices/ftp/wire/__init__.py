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
from netservices.ftp.wire.blocks import BlockReader, block_writer
from netservices.ftp.wire.commands import (
    Command,
    parse_command,
    strip_telnet,
    verb_of,
)
from netservices.ftp.wire.compressed import CompressedReader, compressing_writer
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
from netservices.ftp.wire.listed import (
    Entry,
    check_name,
    entry_of_facts,
    parse_list_line,
    parse_mlsd_line,
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
from netservices.ftp.wire.records import RecordReader, RecordWriter
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
    "BlockReader",
    "Command",
    "CompressedReader",
    "ContentReceiver",
    "ContentSender",
    "Entry",
    "FromNVT",
    "HostPort",
    "Mark",
    "Marker",
    "Mode",
    "Names",
    "Part",
    "PartReader",
    "PartWriter",
    "RecordReader",
    "RecordWriter",
    "Replies",
    "Reply",
    "ReplyReader",
    "Representation",
    "Structure",
    "ToNVT",
    "Type",
    "block_writer",
    "check_name",
    "chosen_facts",
    "compressing_writer",
    "entry_of_facts",
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
    "parse_list_line",
    "parse_mlsd_line",
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
