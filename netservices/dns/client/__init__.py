"""DNS from the other side: questions to one server, and zones from a primary.

No resolver: it follows nothing and caches nothing.
"""
