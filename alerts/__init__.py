"""What a person should know of: raised, grouped, muted, told and cleared in one place."""
