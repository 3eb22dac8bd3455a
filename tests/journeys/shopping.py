"""What a customer and a merchant do on the pages of the sandbox's shop, and the same order by other ways."""

from __future__ import annotations

import json
from typing import Any

from mcp.client.client import Client

from journeys.browser import Browser
from journeys.running import Capstan, client

ORDER_PATH = "/v1/ordermanagement/v1/orders"
# Elements of the widget stand in a shadow tree of their own.
SHADOW = "document.querySelector('.widget > div').shadowRoot"


class Shop:
    """What a customer and a merchant do on the pages."""

    def __init__(self, browser: Browser, server: Capstan) -> None:
        self.browser, self.server = browser, server
        self.url = f"http://localhost:{8181 + server.offset}"

    async def open(self, page: str = "", capstan: str | None = None) -> None:
        await self.browser.open(f"{self.url}/shop?capstan={capstan or self.server.rest}{page}")

    async def start(self) -> None:
        """The goods, as somebody finds them who was never there."""
        await self.browser.tell("Page.navigate", url="about:blank")
        await self.browser.tell("Storage.clearDataForOrigin", origin=self.url, storageTypes="local_storage")
        await self.open()

    async def add(self, *names: str) -> None:
        for name in names:
            await self.press(f"[aria-label='{name}'] button:last-of-type")

    async def press(self, selector: str) -> None:
        await self.browser.until(f"document.querySelector({json.dumps(selector)})?.checkVisibility()")
        await self.browser.click(selector)

    async def pay(self, decision: str) -> None:
        """From the basket through the widget's window."""
        await self.press("#basket")
        await self.press("form .big")
        await self.browser.until("document.querySelector('form .big').textContent.startsWith('Pay')")
        await self.press("form .big")
        await self.decide(decision)

    async def decide(self, decision: str) -> None:
        button = f"{SHADOW}?.querySelector('dialog [value={decision}]')"
        await self.browser.until(button.replace("').shadowRoot", "')?.shadowRoot"))
        await self.browser.run(f"{button}.click()")

    async def amounts(self) -> dict[str, str]:
        found = await self.browser.run(
            "Object.fromEntries([...document.querySelectorAll('[data-amount]')]"
            ".map(e => [e.dataset.amount, e.textContent]))"
        )
        assert isinstance(found, dict)
        return found

    async def until_amount(self, name: str, value: str) -> None:
        await self.browser.until(f"document.querySelector('[data-amount={name}]')?.textContent === {json.dumps(value)}")

    async def order_id(self) -> str:
        await self.browser.until("location.hash.startsWith('#/order/') && document.querySelector('.amounts')")
        return str(await self.browser.run("location.hash.split('/')[2]"))

    async def trail(self) -> list[str]:
        """Requests in the panel, the oldest first: `POST /v1/... 201`."""
        rows = await self.browser.run(
            "[...document.querySelectorAll('.trail summary')].map(row => "
            "['.verb', '.path', '.good, .bad'].map(part => row.querySelector(part).textContent).join(' ')).reverse()"
        )
        return [str(row) for row in rows]


async def by_rest(server: Capstan, order_id: str) -> dict[str, Any]:
    async with client(server.rest) as http:
        order: dict[str, Any] = (await http.get(f"{ORDER_PATH}/{order_id}")).json()
        return order


async def by_tool(server: Capstan, tool: str, **arguments: Any) -> dict[str, Any]:
    async with Client(server.mcp) as session:
        result = await session.call_tool(tool, arguments)
    assert not result.is_error, result
    told: dict[str, Any] = json.loads(getattr(result.content[0], "text", "{}")) if result.content else {}
    return told
