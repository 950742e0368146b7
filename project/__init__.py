"""Acervo's ground and wiring."""
