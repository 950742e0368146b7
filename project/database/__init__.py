"""Django's backend for PostgreSQL, as Acervo uses it."""
