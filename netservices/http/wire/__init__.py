"""HTTP/1 as octets: heads (RFC 9112 2, 3, 5) and chunks (RFC 9112 7.1)."""
