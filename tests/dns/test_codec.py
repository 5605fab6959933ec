"""The wire codec with every type that there is, judged by dnspython and dnslib, and
packets that are made to cost much."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dnslib
from twisted.trial.unittest import SynchronousTestCase

from netservices.core.errors import SyntaxProblem
from netservices.dns.policy import Client, Transport
from netservices.dns.wire import codes
from netservices.dns.wire.message import Message, Question, Record
from netservices.dns.wire.names import parse_name
from netservices.dns.wire.rdata import check_rdata
from tests.dns.authority import LOOPBACK, make_dialogue

OWNER = "www.Example.com."

# Presentation formats, as the RFCs of the types have them.
SAMPLES = {
    "A": "192.0.2.1",
    "NS": "ns.Example.com.",
    "CNAME": "a.example.com.",
    "SOA": "ns.example.com. host.example.com. 1 2 3 4 5",
    "WKS": "192.0.2.1 6 25 80",
    "PTR": "a.example.com.",
    "HINFO": '"PC" "Linux"',
    "MX": "10 mail.example.com.",
    "TXT": '"one" "two"',
    "RP": "joe.example.com. text.example.com.",
    "AFSDB": "1 afs.example.com.",
    "X25": '"311061700956"',
    "ISDN": '"150862028003217" "004"',
    "RT": "2 relay.example.com.",
    "NSAP": "0x47000580005a0000000001e133ffffff00016100",
    "NSAP_PTR": "foo.example.com.",
    "SIG": (
        "NXT 1 3 3600 20000102030405 19961211100908 2143 foo.nil. "
        "MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGgiWCn/GxHhai6VAuHAoNUz"
    ),
    "KEY": "512 255 1 AQMFD5raczCJHViKtLYhWGz8hMY9UGRuniJDBzC7w0aR",
    "PX": "10 foo.example.com. bar.example.com.",
    "GPOS": "-22.6882 116.8652 250.0",
    "AAAA": "2001:db8::1",
    "LOC": "60 9 0.000 N 24 39 0.000 E 10.00m 20.00m 2000.00m 20.00m",
    "SRV": "1 2 5060 sip.example.com.",
    "NAPTR": '100 10 "u" "sip+E2U" "!^.*$!sip:info@example.com!" a.example.com.',
    "KX": "10 kdc.example.com.",
    "CERT": "65534 65535 254 MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGg=",
    "DNAME": "target.example.com.",
    "APL": "1:192.168.32.0/21 !1:192.168.38.0/28",
    "DS": "12345 3 1 123456789abcdef67890123456789abcdef67890",
    "SSHFP": "1 1 aa549bfe898489c02d1715d97d79c57ba2fa76ab",
    "IPSECKEY": "10 3 2 gate.example.com. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4",
    "RRSIG": (
        "NSEC 1 3 3600 20200101000000 20030101000000 2143 foo.example.com. "
        "MxFcby9k/yvedMfQgKzhH5er0Mu/vILz45IkskceFGgiWCn/GxHhai6VAuHAoNUz"
    ),
    "NSEC": "a.example.com. NSEC NSAP-PTR RRSIG TYPE65534",
    "DNSKEY": "512 255 1 AQMFD5raczCJHViKtLYhWGz8hMY9UGRuniJDBzC7w0aR",
    "DHCID": "AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=",
    "NSEC3": (
        "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA TYPE65534"
    ),
    "NSEC3PARAM": "1 1 12 aabbccdd",
    "TLSA": "3 1 1 a9cdf989b504fe5dca90c0d2167b6550570734f7c763e09fdf88904e06157065",
    "SMIMEA": "3 1 1 a9cdf989b504fe5dca90c0d2167b6550570734f7c763e09fdf88904e06157065",
    "HIP": (
        "2 200100107B1A74DF365639CC39F1D578 "
        "AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cI "
        "rvs1.example.com. rvs2.example.com."
    ),
    "NINFO": '"status"',
    "CDS": "12345 3 1 123456789abcdef67890123456789abcdef67890",
    "CDNSKEY": "512 255 1 AQMFD5raczCJHViKtLYhWGz8hMY9UGRuniJDBzC7w0aR",
    "OPENPGPKEY": "bWFpbA==",
    "CSYNC": "66 3 A NS AAAA",
    "ZONEMD": "2018031500 1 1 " + "62e6cf51b02e54b9b5f967d547ce4313" * 3,
    "SVCB": '1 svc.example.com. alpn="h2,h3" port=8443 ipv4hint=192.0.2.1',
    "HTTPS": '1 . alpn="h2" no-default-alpn',
    "DSYNC": "CDS NOTIFY 5359 rr.example.com.",
    "HHIT": "gkVlZnl9",
    "BRID": "gkVlZnl9",
    "SPF": '"v=spf1 -all"',
    "NID": "10 0014:4fff:ff20:ee64",
    "L32": "10 10.1.2.0",
    "L64": "10 2001:0db8:1140:1000",
    "LP": "10 l64.example.com.",
    "EUI48": "00-00-5e-00-53-2a",
    "EUI64": "00-00-5e-ef-10-00-00-2a",
    "URI": '10 1 "ftp://ftp.example.com/public"',
    "CAA": '0 issue "ca.example.net; policy=ev"',
    "AVC": '"app-name:WOLFGANG"',
    "AMTRELAY": "10 0 1 203.0.113.15",
    "RESINFO": '"qnamemin" "exterr=15-17"',
    "WALLET": '"BTC" "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"',
    "DLV": "12345 3 1 123456789abcdef67890123456789abcdef67890",
    "TYPE65280": r"\# 4 0a000001",
}
NO_DATA = {"OPT", "TSIG", "TKEY"}
"""Types that are part of a message, never of a zone."""


def made(name: str) -> tuple[int, bytes]:
    """Number and octets of a sample, by dnspython."""
    type_ = dns.rdatatype.from_text(name.replace("_", "-"))
    found = dns.rdata.from_text("IN", type_, SAMPLES[name], relativize=False)
    return int(type_), found.to_wire() or b""


def response(*records: Record) -> Message:
    """A response with these answers."""
    asked = (Question(parse_name(OWNER), 255),)
    return Message(id=1, flags=codes.QR, questions=asked, answer=records)


class TypeTests(SynchronousTestCase):
    """Every type that dnspython knows, and one that nobody does."""

    def test_all_are_here(self) -> None:
        """There is a sample of each."""
        known = {
            member.name
            for member in dns.rdatatype.RdataType
            if member.value
            and dns.rdata.get_rdata_class(dns.rdataclass.IN, member)
            is not dns.rdata.GenericRdata
        }
        self.assertEqual(set(), known - set(SAMPLES) - NO_DATA)

    def test_accepted(self) -> None:
        """Each has the shape that we think it has."""
        for name in SAMPLES:
            check_rdata(*made(name))

    def test_written(self) -> None:
        """What we write dnspython reads as it was, and so do we."""
        for name in SAMPLES:
            type_, rdata = made(name)
            record = Record(parse_name(OWNER), type_, 1, 300, rdata)
            data = response(record, record).encode()
            seen = dns.message.from_wire(data, one_rr_per_rrset=True)
            for rrset in seen.answer:
                wire = rrset[0].to_wire() or b""
                self.assertEqual(rdata.lower(), wire.lower(), name)
            for read in Message.parse(data).answer:
                self.assertEqual(type_, read.type, name)
                self.assertEqual(rdata.lower(), read.rdata.lower(), name)

    def test_written_for_dnslib(self) -> None:
        """dnslib reads it too, with the same owner, type and length of data."""
        for name in SAMPLES:
            type_, rdata = made(name)
            record = Record(parse_name(OWNER), type_, 1, 300, rdata)
            seen = dnslib.DNSRecord.parse(response(record).encode())
            self.assertEqual([type_], [rr.rtype for rr in seen.rr], name)
            self.assertEqual(OWNER.lower(), str(seen.rr[0].rname).lower())

    def test_read(self) -> None:
        """What dnspython writes, compressed in its way, we read as it was."""
        for name in SAMPLES:
            type_, rdata = made(name)
            message = dns.message.make_response(dns.message.make_query(OWNER, "ANY"))
            found = dns.rdata.from_wire("IN", type_, rdata, 0, len(rdata))
            message.answer.append(
                dns.rrset.from_rdata(dns.name.from_text(OWNER), 300, found)
            )
            (record,) = Message.parse(message.to_wire()).answer
            self.assertEqual(rdata.lower(), record.rdata.lower(), name)

    def test_cut_short(self) -> None:
        """Data that is cut anywhere is refused, or has a shape that dnspython takes for
        the same octets."""
        for name in SAMPLES:
            type_, rdata = made(name)
            for end in range(len(rdata)):
                record = Record(parse_name(OWNER), 65280, 1, 300, rdata[:end])
                data = bytearray(response(record).encode())
                at = data.index(b"\xff\x00\x00\x01")
                data[at : at + 2] = type_.to_bytes(2, "big")
                try:
                    (seen,) = Message.parse(bytes(data)).answer
                except SyntaxProblem:
                    continue
                self.assertEqual(rdata[:end], seen.rdata, name)


def work(function: Callable[[], Any]) -> int:
    """How many lines of Python a call runs: the work that it does, whatever else the
    machine has to do."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return lines


MOST_LINES = 20_000
"""A millisecond or two; the slowest machine that serves anybody does a thousand lines
in less than one."""


class WorkTests(SynchronousTestCase):
    """Packets that are made to cost much cost little."""

    def assert_cheap(self, data: bytes, most: int = MOST_LINES) -> None:
        dialogue = make_dialogue()
        for client in (LOOPBACK, Client("127.0.0.1", Transport.TCP)):
            self.assertLess(work(partial(dialogue.answer, data, client)), most)

    def hostile(self) -> dict[str, bytes]:
        """What the threats of the last years looked like."""
        head = b"\x12\x34\0\0\0\1\0\0\0\0"
        asked = b"\3www\7example\3com\0\0\1\0\1"
        record = b"\0\1\0\1\0\0\0\0\0\0"
        chain = b"".join(
            (0xC000 | at).to_bytes(2, "big") for at in range(12, 12 + 2 * 8000, 2)
        )
        many = b"\xc0\x0c" + record
        options = b"\0\x64\0\0" * 16000
        opt = b"\0\0\x29\x04\xd0\0\0\0\0" + len(options).to_bytes(2, "big") + options
        long_name = b"\1a" * 127 + b"\0"
        return {
            "pointers": head + b"\0\0" + chain + bytes(5),
            "pointers behind": head + b"\0\1" + asked + chain,
            "records": head + b"\x15\x50" + asked + many * 5400,
            "records that are fewer": head + b"\xff\xff" + asked + many * 5400,
            "options": head + b"\0\1" + asked + opt,
            "a long name": head + b"\0\0" + long_name + b"\0\1\0\1",
            "questions": b"\x12\x34\0\0\xff\xff" + bytes(6) + asked * 3000,
            "nothing": bytes(65535),
            "ones": head + b"\xff" * 60000,
        }

    def test_questions(self) -> None:
        """Chains of pointers, thousands of records and options, over UDP and TCP."""
        for name, data in self.hostile().items():
            with self.subTest(name):
                self.assert_cheap(data[:65535])

    def test_every_opcode(self) -> None:
        """The same with every opcode."""
        for data in self.hostile().values():
            for opcode in range(1, 16):
                changed = data[:2] + bytes((opcode << 3,)) + data[3:]
                self.assert_cheap(changed[:65535])

    def test_deep_names(self) -> None:
        """A message in which every owner is a name of 127 labels behind a pointer costs
        a transfer no more than its records do: work grows with the octets."""
        deep = b"\1a" * 127 + b"\0"
        costs = []
        for count in (500, 1000):
            head = b"\x12\x34\x80\0\0\1" + count.to_bytes(2, "big") + bytes(4)
            record = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"
            data = head + deep + b"\0\1\0\1" + record * count
            costs.append(work(partial(Message.parse, data)))
        self.assertLess(costs[1], 2.2 * costs[0])
        self.assertLess(costs[1], 1000 * 1500)
