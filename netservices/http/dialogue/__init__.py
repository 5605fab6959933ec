"""What may be said when on an HTTP/1 connection."""
