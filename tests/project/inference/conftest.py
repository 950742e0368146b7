"""A local model server, and endpoints that point to it."""

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from project.inference import breaker, clients, embeddings
from project.inference.models import ModelEndpoint
from tests.support.model_server import ModelServer

MakeEndpoint = Callable[..., ModelEndpoint]


@pytest.fixture(scope="module")
def running_server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def model_server(running_server: ModelServer) -> ModelServer:
    running_server.reset()
    breaker.forget_local()
    embeddings.forget_cached_queries()
    return running_server


@pytest.fixture
def make_endpoint(model_server: ModelServer) -> MakeEndpoint:
    def make(model_name: str = "good", **extra: Any) -> ModelEndpoint:
        values: dict[str, Any] = {"name": model_name, "base_url": model_server.base_url}
        endpoint = ModelEndpoint(model_name=model_name, **{**values, **extra})
        endpoint.set_api_key("sk-very-secret")
        endpoint.full_clean()
        endpoint.save()
        return endpoint

    return make


@pytest.fixture
async def closed_clients() -> AsyncIterator[None]:
    yield
    await clients.close_clients()
