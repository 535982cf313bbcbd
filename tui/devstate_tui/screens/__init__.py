"""One folder for each screen, and the dialogs."""
