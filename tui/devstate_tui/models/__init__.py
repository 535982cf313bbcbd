"""What a screen shows, computed from a reading; nothing here imports textual."""
