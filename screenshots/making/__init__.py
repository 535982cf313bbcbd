"""What `screenshots/make.py` is made of."""
