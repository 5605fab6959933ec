"""DNS messages as octets and as values (RFC 1035 4, RFC 3597, RFC 6891): linear,
bounded, without dnspython."""
