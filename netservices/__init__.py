"""The application layer of the Internet in one Twisted process."""

__version__ = "0.1.0"
