"""The official Python client, which is told nothing but the URL of a server: it finds the
authorization server, registers, and lets the person log in. Prints what happened as JSON and
judges nothing.

    python oauth.py '{"generation": "2026-07-28", "url": "…", "person": "alice", "authority": "ca.pem"}'
"""

import json
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.oauth2 import AuthorizationCodeResult
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientMetadata

TARGET = json.loads(sys.argv[1])
CALLBACK = "http://127.0.0.1/callback"
seen = {"asked": []}


class Storage:
    tokens = None
    client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Browser:
    """Follows redirects, keeps cookies, agrees."""

    returned = None

    async def go(self, url):
        asked = parse_qs(urlsplit(url).query)
        seen["asked"].append(
            {
                "scope": asked.get("scope", [None])[0],
                "resource": asked.get("resource", [None])[0],
                "method": asked.get("code_challenge_method", [None])[0],
            }
        )
        url += f"&login_hint={TARGET['person']}"
        async with httpx2.AsyncClient(trust_env=False) as browser:
            for _ in range(20):
                response = await browser.get(url, follow_redirects=False)
                url = str(response.url.join(response.headers["location"]))
                if url.startswith(CALLBACK):
                    self.returned = parse_qs(urlsplit(url).query)
                    return
        raise RuntimeError("too many redirects")

    async def back(self):
        of = lambda name: self.returned.get(name, [None])[0]
        return AuthorizationCodeResult(code=of("code"), state=of("state"), iss=of("iss"))


def text(result):
    return "".join(block.text for block in result.content)


async def main():
    browser = Browser()
    provider = OAuthClientProvider(
        server_url=TARGET["url"],
        client_metadata=OAuthClientMetadata(
            client_name="python",
            redirect_uris=[CALLBACK],
            application_type="native",
            token_endpoint_auth_method="none",
            grant_types=["authorization_code", "refresh_token"],
            response_types=["code"],
        ),
        storage=Storage(),
        redirect_handler=browser.go,
        callback_handler=browser.back,
    )
    trusted = ssl.create_default_context(cafile=TARGET["authority"])
    async with httpx2.AsyncClient(auth=provider, timeout=30, trust_env=False, verify=trusted) as http:
        transport = streamable_http_client(TARGET["url"], http_client=http)
        mode = "auto" if TARGET["generation"] >= "2026-07-28" else "legacy"
        async with Client(transport, mode=mode) as client:
            seen["tools"] = [tool.name for tool in (await client.list_tools()).tools]
            for name in ["who", "read", "write"]:
                seen[name] = text(await client.call_tool(name, {}))


try:
    anyio.run(main)
except BaseException as error:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    seen["error"] = f"{type(error).__name__}: {error}"
print(json.dumps(seen))
