"""Widgets that render what they are given; none of them reads a file."""
