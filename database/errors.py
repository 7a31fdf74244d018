"""What Django raises for a database, told apart by what can be done about it."""

from django.db import InterfaceError, OperationalError

# The database was away or busy. What else it raises comes again however often it is asked.
AWAY = (OperationalError, InterfaceError)
