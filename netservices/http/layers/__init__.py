"""What every request and response passes on its way; see ``application``."""
