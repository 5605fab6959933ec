"""The FTP package."""
