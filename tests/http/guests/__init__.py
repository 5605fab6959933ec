"""Applications that the tests mount."""
