"""Django's SQLite backend, with writers that queue up for their turn (database/turns.py)."""
