"""Workers that read or compute off the screen and post messages; no widgets here."""
