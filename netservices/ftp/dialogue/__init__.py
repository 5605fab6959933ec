"""What may be said when, and the answers: one module for each group of commands."""
