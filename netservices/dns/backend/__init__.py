"""The DNS server's view of the store: its zones, and what is kept beside them."""
