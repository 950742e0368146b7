"""The database's share of the memory."""

import pytest

from project.embedded.memory import MEGABYTE, memory_settings


@pytest.mark.parametrize(
    ("gigabytes", "pages", "building"),
    [
        (1, "128MB", "64MB"),
        (8, "1024MB", "512MB"),
        (24, "3072MB", "1536MB"),
        (512, "8192MB", "2048MB"),
    ],
)
def test_the_database_grows_with_the_machine_between_bounds(
    gigabytes: int, pages: str, building: str
) -> None:
    settings = memory_settings(gigabytes * 1024 * MEGABYTE)
    assert (settings["shared_buffers"], settings["maintenance_work_mem"]) == (pages, building)
