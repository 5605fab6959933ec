"""Every MUST and MUST NOT of RFC 9112 that concerns an origin server."""

from __future__ import annotations

from tests.conformance.musts import Must

CONNECTION = "tests.http.test_connection.ConnectionTests."
ENDS = "tests.http.test_ends."
FUZZ = "tests.fuzz.test_http_heads.HeadTests."
MESSAGES = "tests.conformance.test_http_messages.MessageTests."
SMUGGLING = "tests.http.test_smuggling.SmugglingTests."
TRAPS = "tests.http.test_traps."
TUNNELS = "tests.http.test_tunnels."

ROWS = (
    Must(
        "2.2",
        "messages are parsed as octets in a superset of US-ASCII",
        MESSAGES + "test_octets_above_ascii",
        FUZZ + "test_valid_requests",
    ),
    Must("2.2", "no bare CR is generated", ENDS + "ResponseTests.test_injection"),
    Must(
        "2.2",
        "a bare CR in a request makes it invalid",
        SMUGGLING + "test_framing",
        SMUGGLING + "test_request_lines",
    ),
    Must(
        "2.2",
        "no whitespace is sent between start line and first field",
        MESSAGES + "test_grammar_of_responses",
    ),
    Must(
        "2.2",
        "a request with whitespace there is rejected",
        MESSAGES + "test_space_before_the_first_field",
    ),
    Must(
        "3",
        "414 for a target that is longer than is parsed",
        TRAPS + "SizeTests.test_long_request_line",
    ),
    Must(
        "3.2",
        "400 for a request in HTTP/1.1 without Host",
        SMUGGLING + "test_hosts",
    ),
    Must("3.2", "400 for two lines of Host", SMUGGLING + "test_hosts"),
    Must("3.2", "400 for a Host whose value is invalid", SMUGGLING + "test_hosts"),
    Must(
        "3.2.2",
        "the host of an absolute target counts, Host is ignored",
        SMUGGLING + "test_target_before_host",
    ),
    Must(
        "3.2.2",
        "targets in absolute form are accepted",
        SMUGGLING + "test_target_before_host",
        FUZZ + "test_valid_requests",
    ),
    Must(
        "4",
        "a space follows the status code even where no reason does",
        MESSAGES + "test_space_behind_the_status",
    ),
    Must(
        "5.1",
        "400 for whitespace between a field's name and its colon",
        SMUGGLING + "test_framing",
    ),
    Must(
        "5.2",
        "no folded lines are generated",
        ENDS + "ResponseTests.test_injection",
    ),
    Must("5.2", "a folded line is rejected with 400", SMUGGLING + "test_framing"),
    Must(
        "6.1",
        "the chunked coding is parsed",
        "tests.fuzz.test_http_chunks.ChunkTests.test_valid_bodies",
    ),
    Must(
        "6.1",
        "chunked is applied once only",
        ENDS + "ResponseTests.test_fields_of_the_connection",
        ENDS + "ResponseTests.test_iterated",
    ),
    Must(
        "6.1",
        "chunked is the last coding that is applied to a response",
        ENDS + "ResponseTests.test_fields_of_the_connection",
    ),
    Must(
        "6.1",
        "no Transfer-Encoding with 1xx and 204",
        ENDS + "ResponseTests.test_no_content",
        TUNNELS + "TunnelTests.test_upgrade",
        TUNNELS + "InterimTests.test_early_hints",
    ),
    Must(
        "6.1",
        "no Transfer-Encoding with 2xx to CONNECT",
        TUNNELS + "TunnelTests.test_connect",
    ),
    Must(
        "6.1",
        "no Transfer-Encoding in answers to HTTP/1.0",
        ENDS + "ResponseTests.test_iterated_for_old_clients",
    ),
    Must(
        "6.1",
        "after a request with Transfer-Encoding and Content-Length the connection ends",
        SMUGGLING + "test_framing",
        CONNECTION + "test_smuggling",
    ),
    Must(
        "6.1",
        "Transfer-Encoding in HTTP/1.0 is a faulty framing, and the connection ends",
        SMUGGLING + "test_old_clients",
    ),
    Must(
        "6.2",
        "no Content-Length beside Transfer-Encoding",
        ENDS + "ResponseTests.test_iterated",
        ENDS + "ResponseTests.test_fields_of_the_connection",
    ),
    Must(
        "6.3",
        "400 and the end where chunked is not the last coding of a request",
        SMUGGLING + "test_framing",
    ),
    Must(
        "6.3",
        "an invalid Content-Length is an error without remedy",
        SMUGGLING + "test_framing",
    ),
    Must(
        "6.3",
        "it is answered with 400, and the connection ends",
        SMUGGLING + "test_framing",
    ),
    Must(
        "6.3",
        "where a body ends or stalls too early the message is incomplete, and the "
        "connection is closed",
        ENDS + "BrokenBodyTests.test_peer_ends_its_direction",
        ENDS + "BrokenBodyTests.test_peer_goes",
        "tests.http.test_patience.DeadlineTests.test_slow_body",
    ),
    Must(
        "7.1",
        "the chunked coding is parsed and decoded",
        "tests.fuzz.test_http_chunks.ChunkTests.test_valid_bodies",
        "tests.fuzz.test_http_chunks.ChunkTests.test_pieces",
    ),
    Must(
        "7.1",
        "large chunk sizes overflow nothing",
        MESSAGES + "test_large_numbers",
        SMUGGLING + "test_chunks",
    ),
    Must(
        "7.1.1",
        "chunk extensions that are not known are ignored",
        "tests.fuzz.test_http_chunks.ChunkTests.test_valid_bodies",
    ),
    Must(
        "7.1.2",
        "trailers are kept apart from header fields",
        SMUGGLING + "test_forbidden_trailers",
    ),
    Must(
        "7.1.2",
        "trailers are not merged where their definition does not allow it",
        SMUGGLING + "test_forbidden_trailers",
    ),
    Must(
        "9.3",
        "where the connection does not persist, responses say close",
        CONNECTION + "test_close",
        "tests.http.test_patience.RoomTests.test_requests_of_a_connection",
    ),
    Must(
        "9.3",
        "the whole body is read, or the connection ends",
        ENDS + "LingeringTests.test_early_answer",
        ENDS + "LingeringTests.test_short_rest",
        SMUGGLING + "test_answer_before_the_body",
    ),
    Must(
        "9.3.2",
        "pipelined requests are answered in their order",
        CONNECTION + "test_pipeline",
        CONNECTION + "test_waiting",
        TRAPS + "SplitTests.test_pipeline",
    ),
    Must(
        "9.6",
        "the server closes after the answer to a request that says close",
        CONNECTION + "test_close",
    ),
    Must(
        "9.6",
        "and processes nothing that follows it",
        MESSAGES + "test_nothing_behind_close",
    ),
    Must(
        "9.6",
        "the server closes after a response of its own that says close",
        "tests.http.test_patience.RoomTests.test_requests_of_a_connection",
        "tests.http.test_patience.RoomTests.test_drain",
    ),
    Must(
        "9.6",
        "and processes nothing that follows it",
        "tests.http.test_patience.RoomTests.test_requests_of_a_connection",
        "tests.http.test_patience.RoomTests.test_drain",
    ),
    Must(
        "9.7",
        "over TLS all of HTTP is application data",
        "tests.tls.test_layer.ConversationTests.test_every_split",
    ),
    Must(
        "9.8",
        "closure alerts are exchanged before the connection is closed",
        "tests.tls.test_layer.ConversationTests.test_every_split",
    ),
)
