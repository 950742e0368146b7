"""What the tests of strangers and of guests reach for."""

import pytest

from knowledge.models import Space
from tests.conftest import Api
from tests.support.belongings import Belongings, belongings_made


@pytest.fixture
def belongings(api: Api, space: Space) -> Belongings:
    """One of everything, of the owner's; each holds the secret word."""
    return belongings_made(api, space)
