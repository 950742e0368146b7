"""How the OpenAPI schema is made."""

from drf_spectacular.openapi import AutoSchema


class AcervoSchema(AutoSchema):
    """The default schema of every view."""
