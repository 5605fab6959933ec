"""A zone in memory: the tree of its names, the rules by which a question is answered
from it, and the finished answers."""
