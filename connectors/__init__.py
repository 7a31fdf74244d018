"""The outside systems, one folder each, over one session and one tree of errors."""
