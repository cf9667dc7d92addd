"""homeface: who is in which room, now, and how sure are we?"""

__version__ = "0.1.0"
