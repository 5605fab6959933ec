"""Every MUST and MUST NOT of RFC 9110 that concerns an origin server.

What clients, proxies, caches and registries must do is left out, and so is what only
those who define fields and schemes can follow.
"""

from __future__ import annotations

from tests.conformance.musts import Must

CONDITIONS = "tests.web.test_conditions.ConditionTests."
CONNECTION = "tests.http.test_connection.ConnectionTests."
DATES = "tests.web.test_dates.DateTests."
DAV = "tests.http.test_dav_files."
ENDS = "tests.http.test_ends."
FILES = "tests.http.test_files.SiteTests."
MESSAGES = "tests.conformance.test_http_messages.MessageTests."
UPLOADS = "tests.conformance.test_http_messages.UploadTests."
PARSE = "tests.web.test_ranges.ParseTests."
RESPOND = "tests.web.test_ranges.RespondTests."
SMUGGLING = "tests.http.test_smuggling.SmugglingTests."
TRAPS = "tests.http.test_traps."
TUNNELS = "tests.http.test_tunnels."

ROWS = (
    Must(
        "2.2",
        "nothing is generated that does not match the grammar",
        MESSAGES + "test_grammar_of_responses",
        ENDS + "ResponseTests.test_injection",
    ),
    Must(
        "2.2",
        "nothing is generated that only another role may say",
        MESSAGES + "test_grammar_of_responses",
    ),
    Must(
        "2.3",
        "what is as long as what we generate is parsed",
        MESSAGES + "test_own_lengths",
    ),
    Must(
        "2.4",
        "elements mean what the standard says, extensions included",
        FILES + "test_options",
        CONDITIONS + "test_table",
        PARSE + "test_table",
    ),
    Must(
        "3.3",
        "requests on one connection are not taken for one user's",
        UPLOADS + "test_connections_log_nobody_in",
    ),
    Must(
        "4.2.1",
        "an http URI with an empty host is rejected",
        SMUGGLING + "test_request_lines",
    ),
    Must(
        "4.2.2",
        "an https URI with an empty host is rejected",
        MESSAGES + "test_empty_host_of_https",
    ),
    Must(
        "4.2.4",
        "no login is generated in references",
        FILES + "test_missing_slash",
        SMUGGLING + "test_request_lines",
    ),
    Must(
        "5.3",
        "no field is generated twice unless it is a list",
        MESSAGES + "test_grammar_of_responses",
    ),
    Must(
        "5.3",
        "no request is applied before all its header fields are there",
        MESSAGES + "test_whole_head_first",
    ),
    Must(
        "5.4",
        "4xx for fields that are larger than is wanted",
        TRAPS + "SizeTests.test_long_head",
        TRAPS + "SizeTests.test_many_fields",
    ),
    Must(
        "5.5",
        "whitespace around a value is not part of it",
        MESSAGES + "test_space_around_values",
        "tests.fuzz.test_http_heads.HeadTests.test_valid_requests",
    ),
    Must(
        "5.5",
        "CR, LF and NUL in a value: the message is rejected",
        SMUGGLING + "test_framing",
        "tests.fuzz.test_http_heads.HeadTests.test_spoilt_requests",
    ),
    Must(
        "5.6.1.1",
        "no empty elements of lists are generated",
        FILES + "test_options",
        MESSAGES + "test_grammar_of_responses",
    ),
    Must(
        "5.6.1.2",
        "empty elements of lists are read over",
        MESSAGES + "test_empty_elements",
        CONDITIONS + "test_table",
    ),
    Must(
        "5.6.3",
        "no bad whitespace is generated",
        MESSAGES + "test_grammar_of_responses",
    ),
    Must(
        "5.6.3",
        "bad whitespace is read over",
        MESSAGES + "test_bad_whitespace",
    ),
    Must(
        "5.6.4",
        "a quoted pair is the octet behind the backslash",
        MESSAGES + "test_quoted_pairs",
    ),
    Must("5.6.7", "all three forms of dates are accepted", DATES + "test_forms"),
    Must(
        "5.6.7",
        "dates are generated in the one form of today",
        DATES + "test_round_trip",
        MESSAGES + "test_date",
    ),
    Must(
        "5.6.7",
        "with no more whitespace than the form has",
        MESSAGES + "test_date",
    ),
    Must(
        "5.6.7",
        "two digits of a year more than 50 years ahead are of the past",
        DATES + "test_two_digits",
    ),
    Must(
        "6.2",
        "no version is sent to which the server does not conform",
        MESSAGES + "test_version",
    ),
    Must(
        "6.5.1",
        "trailers are generated only where their definition allows it",
        ENDS + "ResponseTests.test_trailers",
    ),
    Must(
        "6.5.1",
        "trailers that came are not merged with header fields",
        SMUGGLING + "test_forbidden_trailers",
    ),
    Must("6.6.1", "Date in 2xx, 3xx and 4xx", MESSAGES + "test_date"),
    Must(
        "7.1",
        "asterisk and authority are targets of OPTIONS and CONNECT only",
        SMUGGLING + "test_request_lines",
    ),
    Must(
        "7.4",
        "a request is rejected where the needs of its scheme are not met",
        "tests.http.test_limits.MisdirectedTests.test_other_scheme",
    ),
    Must(
        "7.4",
        "a request for https is rejected where the certificate is not for its host",
        "tests.http.test_limits.MisdirectedTests.test_not_covered",
        "tests.http.test_limits.MisdirectedTests.test_other_scheme",
    ),
    Must(
        "7.6.1",
        "fields about the connection are named in Connection",
        TUNNELS + "TunnelTests.test_upgrade",
        TUNNELS + "TunnelTests.test_not_named",
    ),
    Must(
        "7.6.1",
        "fields for everybody are not",
        MESSAGES + "test_grammar_of_responses",
        ENDS + "ResponseTests.test_fields_of_the_connection",
    ),
    Must("7.8", "101 names the protocol", TUNNELS + "TunnelTests.test_upgrade"),
    Must(
        "7.8",
        "nobody is switched to what was not asked for",
        TUNNELS + "TunnelTests.test_not_asked_for",
    ),
    Must("7.8", "426 names the protocols", TUNNELS + "TunnelTests.test_not_named"),
    Must(
        "7.8",
        "protocols are switched only where the request can be honoured",
        TUNNELS + "TunnelTests.test_in_the_middle_of_a_body",
    ),
    Must(
        "7.8",
        "whoever sends Upgrade says so in Connection",
        TUNNELS + "TunnelTests.test_upgrade",
        TUNNELS + "TunnelTests.test_not_named",
    ),
    Must(
        "7.8",
        "Upgrade in HTTP/1.0 is ignored",
        TUNNELS + "TunnelTests.test_not_asked_for",
    ),
    Must(
        "7.8",
        "100 comes before 101",
        TUNNELS + "TunnelTests.test_continue_first",
    ),
    Must(
        "8.3.3",
        "CRLF parts the parts of multipart content",
        RESPOND + "test_multipart",
    ),
    Must(
        "8.4",
        "Content-Encoding lists the codings that were applied",
        "tests.http.test_codings.CodingTests.test_made",
    ),
    Must(
        "8.6",
        "Content-Length to HEAD is that of GET",
        FILES + "test_head",
        ENDS + "ResponseTests.test_head",
    ),
    Must(
        "8.6",
        "no false Content-Length with 304",
        ENDS + "ResponseTests.test_no_content",
    ),
    Must(
        "8.6",
        "no Content-Length with 1xx and 204",
        ENDS + "ResponseTests.test_no_content",
        TUNNELS + "InterimTests.test_early_hints",
    ),
    Must(
        "8.6",
        "no Content-Length with 2xx to CONNECT",
        TUNNELS + "TunnelTests.test_connect",
    ),
    Must("8.6", "large lengths overflow nothing", MESSAGES + "test_large_numbers"),
    Must(
        "8.6",
        "no Content-Length is sent that is known to be wrong",
        ENDS + "ResponseTests.test_wrong_length",
        ENDS + "ResponseTests.test_length_of_octets",
    ),
    Must(
        "8.7",
        "Content-Location of a request is not kept as metadata",
        UPLOADS + "test_content_location",
    ),
    Must(
        "8.7",
        "and does not change what the request means",
        UPLOADS + "test_content_location",
    ),
    Must(
        "8.8.2.1",
        "Last-Modified is never later than Date",
        RESPOND + "test_future",
    ),
    Must(
        "8.8.2.1",
        "a time of modification in the future becomes that of the response",
        RESPOND + "test_future",
    ),
    Must(
        "8.8.3",
        "entity tags that are not strong are marked as weak",
        CONDITIONS + "test_weak",
        "tests.http.test_codings.CodingTests.test_made",
    ),
    Must("9.1", "GET and HEAD are supported", FILES + "test_head"),
    Must(
        "9.2.1",
        "safe methods cause no unsafe actions",
        "tests.http.test_login.LoginTests.test_methods",
    ),
    Must(
        "9.3.2",
        "no content is sent in response to HEAD",
        FILES + "test_head",
        ENDS + "ResponseTests.test_head",
        CONNECTION + "test_head_that_is_refused",
    ),
    Must("9.3.4", "201 where PUT has made something", DAV + "PutTests.test_new"),
    Must(
        "9.3.4",
        "200 or 204 where PUT has changed something",
        DAV + "PutTests.test_replaced",
    ),
    Must(
        "9.3.4",
        "validators after PUT only where the content was kept as it came",
        DAV + "PutTests.test_new",
    ),
    Must(
        "9.3.6",
        "CONNECT without a valid port is rejected",
        SMUGGLING + "test_request_lines",
    ),
    Must(
        "9.3.6",
        "neither coding nor length with 2xx to CONNECT",
        TUNNELS + "TunnelTests.test_connect",
    ),
    Must(
        "10.1.1",
        "an expectation in HTTP/1.0 is ignored",
        TUNNELS + "InterimTests.test_continue_and_old_clients",
    ),
    Must(
        "10.1.1",
        "a final status follows 100",
        CONNECTION + "test_continue",
    ),
    Must(
        "10.1.1",
        "who expects 100 gets it, or a final status",
        CONNECTION + "test_continue",
        DAV + "QuotaTests.test_quota_before_the_content",
    ),
    Must(
        "10.1.1",
        "without waiting for the content",
        CONNECTION + "test_continue",
        DAV + "PutTests.test_continue",
    ),
    Must("10.2.1", "405 has Allow", FILES + "test_options"),
    Must(
        "11.2",
        "each parameter of a challenge is there once",
        "tests.web.test_basic.BasicTests.test_challenge",
    ),
    Must(
        "11.5",
        "the realm of a challenge is a quoted string",
        "tests.web.test_basic.BasicTests.test_challenge",
    ),
    Must(
        "11.6.1",
        "401 has WWW-Authenticate with a challenge",
        "tests.web.test_basic.BasicTests.test_challenge",
        DAV + "AccessTests.test_challenge",
    ),
    Must(
        "12.5.3",
        "415 for other reasons than codings has no Accept-Encoding",
        MESSAGES + "test_unsupported_media",
    ),
    Must(
        "13.1.1",
        "If-Match compares strongly",
        CONDITIONS + "test_table",
        CONDITIONS + "test_weak",
    ),
    Must(
        "13.1.1",
        "If-Match is evaluated before the method is performed",
        DAV + "PutTests.test_conditions",
        DAV + "PutTests.test_changed_meanwhile",
    ),
    Must(
        "13.1.1",
        "where it is false the method is not performed",
        DAV + "PutTests.test_conditions",
    ),
    Must("13.1.2", "If-None-Match compares weakly", CONDITIONS + "test_table"),
    Must(
        "13.1.2",
        "If-None-Match is evaluated before the method is performed",
        DAV + "PutTests.test_conditions",
        DAV + "PutTests.test_made_meanwhile",
    ),
    Must(
        "13.1.2",
        "where it is false: 304 for GET and HEAD, 412 for others",
        CONDITIONS + "test_table",
        DAV + "PutTests.test_conditions",
    ),
    Must(
        "13.1.3",
        "If-Modified-Since is ignored beside If-None-Match",
        CONDITIONS + "test_table",
    ),
    Must(
        "13.1.3",
        "and where it is no date, several, or the method is not GET or HEAD",
        CONDITIONS + "test_table",
    ),
    Must(
        "13.1.3",
        "and where there is no date of modification",
        CONDITIONS + "test_without_validators",
    ),
    Must(
        "13.1.3",
        "its time is one of our clock",
        CONDITIONS + "test_table",
    ),
    Must(
        "13.1.4",
        "If-Unmodified-Since is ignored beside If-Match",
        CONDITIONS + "test_table",
    ),
    Must("13.1.4", "and where it is no date", CONDITIONS + "test_table"),
    Must(
        "13.1.4",
        "and where there is no date of modification",
        CONDITIONS + "test_without_validators",
    ),
    Must("13.1.4", "its time is one of our clock", CONDITIONS + "test_table"),
    Must(
        "13.1.4",
        "it is evaluated before the method is performed",
        DAV + "PutTests.test_conditions",
    ),
    Must(
        "13.1.4",
        "where it is false the method is not performed",
        DAV + "PutTests.test_conditions",
    ),
    Must(
        "13.1.5",
        "If-Range without Range is ignored",
        MESSAGES + "test_if_range_alone",
    ),
    Must(
        "13.1.5",
        "and so it is where there are no ranges",
        MESSAGES + "test_if_range_alone",
    ),
    Must(
        "13.1.5",
        "If-Range is evaluated before the method is performed",
        RESPOND + "test_if_range",
        CONDITIONS + "test_if_range",
    ),
    Must(
        "13.1.5",
        "where it is false Range is ignored",
        RESPOND + "test_if_range",
    ),
    Must(
        "13.2.1",
        "preconditions come after the usual checks and before the action",
        DAV + "PutTests.test_conditions",
        MESSAGES + "test_conditions_of_what_fails",
    ),
    Must(
        "13.2.1",
        "and are ignored where the answer would be no success anyway",
        MESSAGES + "test_conditions_of_what_fails",
    ),
    Must(
        "13.2.1",
        "and for methods that are about no representation",
        CONDITIONS + "test_methods_without_conditions",
    ),
    Must(
        "13.2.2",
        "preconditions are evaluated in their order",
        CONDITIONS + "test_table",
        RESPOND + "test_conditions_first",
    ),
    Must("14.1.2", "large numbers in ranges overflow nothing", PARSE + "test_table"),
    Must("14.2", "Range of other methods is ignored", RESPOND + "test_only_get"),
    Must("14.2", "Range in unknown units is ignored", PARSE + "test_table"),
    Must(
        "14.4",
        "Content-Range is ignored where it is not defined",
        MESSAGES + "test_content_range_of_get",
        DAV + "PutTests.test_content_range",
    ),
    Must(
        "15.2",
        "HTTP/1.0 gets no 1xx",
        TUNNELS + "InterimTests.test_early_hints",
        TUNNELS + "InterimTests.test_continue_and_old_clients",
    ),
    Must("15.2.2", "101 has Upgrade", TUNNELS + "TunnelTests.test_upgrade"),
    Must("15.3.6", "205 has no content", ENDS + "ResponseTests.test_reset_content"),
    Must(
        "15.3.7",
        "206 has Date, Cache-Control, ETag, Expires, Content-Location and Vary of 200",
        MESSAGES + "test_fields_of_partial_content",
    ),
    Must(
        "15.3.7",
        "and its other fields of the representation, unless If-Range was there",
        MESSAGES + "test_fields_of_partial_content",
    ),
    Must("15.3.7.1", "a single part has Content-Range", RESPOND + "test_single"),
    Must(
        "15.3.7.2",
        "several parts are multipart/byteranges with a boundary",
        RESPOND + "test_multipart",
    ),
    Must(
        "15.3.7.2",
        "and have no Content-Range of their own",
        RESPOND + "test_multipart",
    ),
    Must("15.3.7.2", "each part has its Content-Range", RESPOND + "test_multipart"),
    Must(
        "15.3.7.2",
        "a single range is never answered in parts",
        RESPOND + "test_single",
    ),
    Must(
        "15.4.5",
        "304 has Content-Location, Date, ETag, Vary, Cache-Control, Expires of 200",
        MESSAGES + "test_fields_of_not_modified",
    ),
    Must(
        "15.5.2",
        "401 has a challenge for the resource",
        "tests.web.test_basic.BasicTests.test_challenge",
        DAV + "AccessTests.test_challenge",
    ),
    Must("15.5.6", "405 has Allow", FILES + "test_options"),
    Must("15.5.22", "426 has Upgrade", TUNNELS + "TunnelTests.test_not_named"),
)
