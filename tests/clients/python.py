"""Drives one server with the official Python client and prints what happened as JSON.

    python python.py '{"generation": "2026-07-28", "server": "notes", "url": "…", "token": "…"}'
    python python.py '{"generation": "2025-11-25", "server": "fixture", "stdio": ["program", "argument", …]}'

It judges nothing: the test that starts it does. The results are those of `typescript.mjs`.
"""

import html
import json
import os
import re
import sys
import time

import anyio
import httpx2
from mcp import Client, MCPError, types
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

TARGET = json.loads(sys.argv[1])
MODERN = TARGET["generation"] >= "2026-07-28"

# How the person answers the next question, and what they were asked so far.
person = None
asked = []

# Log lines that arrived.
lines = []


async def log(params):
    lines.append(params.data)


async def logged(it, level=None):
    """How many arrive while a tool runs that writes three."""
    meta = None
    if level and MODERN:
        meta = {"io.modelcontextprotocol/logLevel": level}
    elif level:
        await it.set_logging_level(level)
    before = len(lines)
    await it.call_tool("test_tool_with_logging", {}, meta=meta)
    return len(lines) - before


async def answer(_context, params):
    said = person(params)
    if params.mode != "url":
        asked.append(params.message)
        return said
    # This client shows links as well, so the server asks on a page of its own. A person who
    # declines has looked at it and closes it.
    answer = None
    if said.action == "accept":
        answer = "approve" if said.content["approve"] else "refuse"
    asked.append(await at_the_page(params.url, answer))
    return types.ElicitResult(action=said.action)


async def at_the_page(link, answer):
    """What a person does there, and all that they read."""
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as browser:
        page = await browser.get(link)
        if answer:
            token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
            origin = "/".join(link.split("/")[:3])
            await browser.post(
                link, data={"token": token, "answer": answer}, headers={"Origin": origin}
            )
    return html.unescape(re.sub(r"<[^>]*>", "", page.text))


def accept(content):
    return lambda _params: types.ElicitResult(action="accept", content=content)


def client(token):
    if "stdio" in TARGET:
        command, *args = TARGET["stdio"]
        transport = stdio_client(
            StdioServerParameters(command=command, args=args, env=dict(os.environ)),
            errlog=open(os.devnull, "w"),
        )
    else:
        http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
        )
        transport = streamable_http_client(TARGET["url"], http_client=http)
    return Client(
        transport,
        # "auto" discovers and takes the newest; a pinned version would not even ask.
        mode="auto" if MODERN else "legacy",
        elicitation_callback=answer,
        logging_callback=log,
        # What is asked here is asked again on purpose.
        cache=None,
    )


def text(result):
    return "".join(block.text for block in result.content)


async def refusal(work):
    try:
        result = await work()
    except MCPError as error:
        return {"code": error.error.code, "message": error.error.message}
    return {"isError": result.is_error or False, "text": text(result)}


async def notes(it):
    global person

    async def write(name):
        return await it.call_tool("write_note", {"name": name, "text": "written by a client"})

    read = await it.call_tool("read_note", {"name": "boat.md"})
    found = await it.call_tool("search_notes", {"word": "boat"})
    person = accept({"approve": True})
    accepted = await refusal(lambda: write("accepted.md"))
    person = lambda _params: types.ElicitResult(action="decline")
    declined = await refusal(lambda: write("declined.md"))
    person = accept({"approve": False})
    unticked = await refusal(lambda: write("unticked.md"))

    prompt = await it.get_prompt("summarize", {"name": "boat.md"})
    index = await it.read_resource("notes://index")
    note = await it.read_resource("notes://note/boat.md")
    completion = await it.complete(
        types.PromptReference(type="ref/prompt", name="summarize"), {"name": "name", "value": "bo"}
    )
    return {
        "read": text(read),
        "found": found.structured_content,
        "unknown": await refusal(lambda: it.call_tool("no_such_tool", {})),
        "escape": await refusal(lambda: it.call_tool("read_note", {"name": "../boat.md"})),
        "prompts": [prompt.name for prompt in (await it.list_prompts()).prompts],
        "prompt": prompt.messages[0].content.text,
        "resources": [str(one.uri) for one in (await it.list_resources()).resources],
        "templates": [
            one.uri_template for one in (await it.list_resource_templates()).resource_templates
        ],
        "index": index.contents[0].text,
        "note": note.contents[0].text,
        "missing": await refusal(lambda: it.read_resource("notes://note/none.md")),
        "completion": completion.completion.values,
        "accepted": accepted,
        "declined": declined,
        "unticked": unticked,
    }


async def fixture(it):
    global person
    progress = []

    async def collect(done, total, _message):
        progress.append([done, total])

    await it.call_tool("test_tool_with_progress", {}, progress_callback=collect)

    # Cancelled as soon as the tool says that it runs.
    begun = time.monotonic()
    cancelled = {}
    with anyio.CancelScope() as scope:

        async def stop(_done, _total, _message):
            scope.cancel()

        cancelled = await refusal(
            lambda: it.call_tool("test_wait", {"millis": 20_000}, progress_callback=stop)
        )
    if scope.cancelled_caught:
        cancelled = {"message": "cancelled"}
    waited = round((time.monotonic() - begun) * 1000)

    person = accept({"username": "ada", "email": "ada@example.org"})
    elicited = await it.call_tool("test_elicitation", {"message": "Who?"})

    def fill_in(params):
        (field, *_) = params.requested_schema["properties"]
        return types.ElicitResult(action="accept", content={field: f"a {field}"})

    person = fill_in
    rounds = await it.call_tool("test_input_required_result_multi_round", {})
    asking = await it.get_prompt("test_input_required_result_prompt")
    header = await it.call_tool("test_custom_header", {"value": "a value", "count": 42})
    after = await it.call_tool("test_simple_text", {})
    return {
        "progress": progress,
        "cancelled": cancelled,
        "waited": waited,
        "after": text(after),
        "elicited": text(elicited),
        "rounds": text(rounds),
        "prompt": asking.messages[0].content.text,
        "header": text(header),
        "logs": [await logged(it), await logged(it, "info"), await logged(it, "error")],
        "sampling": await refusal(
            lambda: it.call_tool("test_sampling", {"prompt": "Are you there?"})
        ),
    }


async def stranger():
    """The status is on the wire; what the client makes of it is its own affair."""
    statuses = []

    async def look(response):
        statuses.append(response.status_code)

    http = httpx2.AsyncClient(
        headers={"Authorization": "Bearer not-the-token"},
        trust_env=False,
        event_hooks={"response": [look]},
    )
    transport = streamable_http_client(TARGET["url"], http_client=http)
    try:
        async with Client(transport, mode="auto" if MODERN else "legacy"):
            return {"message": "connected"}
    except BaseException as error:  # a group of whatever was running
        return {"message": repr(error), "status": statuses[0] if statuses else None}


async def main():
    async with client(TARGET.get("token")) as it:
        results = {
            "version": it.protocol_version,
            "server": it.server_info.name if it.server_info else None,
            "tools": [tool.name for tool in (await it.list_tools()).tools],
        }
        results |= await (notes(it) if TARGET["server"] == "notes" else fixture(it))
        results["asked"] = asked
    if "url" in TARGET:
        results["stranger"] = await stranger()
    print(json.dumps(results, indent=2))


anyio.run(main)
