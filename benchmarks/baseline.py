"""The proxy somebody would write by hand for the same two calls: Starlette, httpx2 and uvicorn, each as it comes.

Usage: baseline.py PORT ORIGIN_URL
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import AsyncIterator

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    limits = httpx2.Limits(max_connections=100, max_keepalive_connections=100)
    async with httpx2.AsyncClient(base_url=sys.argv[2], auth=("user", "password"), limits=limits) as client:
        app.state.client = client
        yield


async def get_order(request: Request) -> Response:
    answer = await request.app.state.client.get(f"/orders/{request.path_params['order_id']}")
    return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])


async def capture(request: Request) -> Response:
    answer = await request.app.state.client.post(
        f"/orders/{request.path_params['order_id']}", json=await request.json()
    )
    return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])


app = Starlette(
    routes=[Route("/orders/{order_id}", get_order), Route("/orders/{order_id}", capture, methods=["POST"])],
    lifespan=lifespan,
)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_level="warning")
