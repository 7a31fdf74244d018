"""What must still be told to another system, and the proof that it was."""
