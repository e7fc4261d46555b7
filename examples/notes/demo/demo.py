"""Uses the notes server as a client should, then attacks it as the advisories say.

    python demo.py PATH-OF-THE-SERVER PATH-OF-THE-ADVISORIES

`cargo xtask demo` runs it. The benign half goes through the official Python client, over stdio
(revision 2025-11-25) and over HTTP (2026-07-28). The attacks are bytes written by hand, because no
polite client sends them; they go to the same two servers. Everything lies in one temporary folder
and stays on the loopback interface.

Ends with 1 if a benign call failed or an attack got through.
"""

import http.client
import json
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import anyio
import httpx2
from mcp import Client, MCPError, types
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

CANARY = "canary-5f1c-a-secret-that-no-caller-may-see"
PATIENCE = 20


# ---- the servers -------------------------------------------------------------------------


class Scene:
    """A folder with notes, and around it what nobody may reach."""

    def __init__(self, folder):
        self.notes = folder / "data" / "notes"
        self.outside = folder / "outside"
        self.state = folder / "state"
        self.state.mkdir(mode=0o700)
        self.write(self.notes / "boat.md", "# The boat\nPaint it before May.\n")
        self.write(self.notes / "ideas" / "garden.md", "# The garden\nA pond for the boat.\n")
        # What is planted in the folder itself.
        self.write(self.notes / ".Git" / "config", CANARY)
        self.write(self.notes / "tools" / "somerepo" / ".git" / "config", CANARY)
        # What is outside.
        self.write(self.outside / "etc" / "passwd", CANARY)
        self.write(self.outside / "home" / ".ssh" / "id_rsa", CANARY)
        self.write(self.outside / "victim.txt", CANARY)
        self.write(folder / "x.xlsx", CANARY)
        (self.outside / "etc" / "cron.d").mkdir()
        (self.notes / "link").symlink_to(self.outside)
        (self.notes / "daemon.pid").symlink_to(self.outside / "victim.txt")

    @staticmethod
    def write(path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def is_whole(self):
        """Nothing outside was changed or made."""
        victim = (self.outside / "victim.txt").read_text() == CANARY
        return victim and not any((self.outside / "etc" / "cron.d").iterdir())

    def environment(self):
        return {
            "HOME": str(self.outside / "home"),
            "XDG_RUNTIME_DIR": str(self.state),
            "PATH": os.environ.get("PATH", ""),
            "API_TOKEN": CANARY,
        }


class Server:
    """What both servers have: options, an audit log, an end."""

    def __init__(self, program, scene, transport, *options):
        self.audit = scene.state / f"{transport}.audit.jsonl"
        self.command = [program, "serve", *options]
        self.command += ["--grant", f"notes={scene.notes}", "--audit", str(self.audit)]
        self.environment = scene.environment()
        self.process = None

    def start(self, **pipes):
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdin=subprocess.PIPE, **pipes
        )

    def records(self):
        if not self.audit.exists():
            return []
        return [json.loads(line) for line in self.audit.read_text().splitlines()]

    def stop(self):
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class OverStdio(Server):
    """A session whose person agrees to everything: the attacks must not hang on that."""

    def __init__(self, program, scene):
        super().__init__(program, scene, "stdio", "--stdio")

    def open(self):
        self.start(stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        answer = self.ask(
            "initialize",
            {
                "protocolVersion": "2025-11-25",
                "capabilities": {"elicitation": {}},
                "clientInfo": {"name": "attacker", "version": "1"},
            },
        )
        assert "result" in answer, answer
        self.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def send(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def raw(self, line):
        """Sends a line and returns the next answer, agreeing to what is asked meanwhile."""
        self.send(line)
        while True:
            message = self.lines.get(timeout=PATIENCE)
            if message.get("method") == "elicitation/create":
                agreed = {"action": "accept", "content": {"approve": True}}
                answer = {"jsonrpc": "2.0", "id": message["id"], "result": agreed}
                self.send(json.dumps(answer))
            elif "method" not in message:
                return message

    def ask(self, method, params):
        return self.raw(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))

    def call(self, tool, **arguments):
        return self.ask("tools/call", {"name": tool, "arguments": arguments})


class OverHttp(Server):
    def __init__(self, program, scene):
        self.token_file = scene.state / "token"
        options = ["--http", "127.0.0.1:0", "--token-file", str(self.token_file)]
        super().__init__(program, scene, "http", *options)

    def open(self):
        self.start(stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        begun = time.monotonic()
        for line in self.process.stderr:
            if b"listening on http://" in line:
                self.url = line.decode().split()[-1]
                break
            assert time.monotonic() - begun < PATIENCE, "the server does not listen"
        while not self.token_file.exists():
            assert time.monotonic() - begun < PATIENCE, "there is no token"
            time.sleep(0.01)
        # Nobody else reads them, and a full pipe would stop the server.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        self.token = self.token_file.read_text().strip()
        self.address = self.url.split("/")[2]

    def post(self, message, headers=None, token=True, announce=None):
        """One request: status, headers, and what is in the answer."""
        body = message.encode()
        sent = {
            "Host": self.address,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Content-Length": str(announce or len(body)),
        }
        if token:
            sent["Authorization"] = f"Bearer {self.token}"
        sent.update(headers or {})
        connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)
        try:
            connection.putrequest("POST", "/mcp", skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            # One JSON object, alone or as an event of a stream.
            lines = answer.read().decode().splitlines()
            found = (line[line.index("{") :] for line in lines if "{" in line)
            return answer.status, answer.headers, json.loads(next(found, "{}"))
        finally:
            connection.close()

    def call(self, tool, headers=None, **arguments):
        """A tool call of the 2026-07-28 revision, which needs no session."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "attacker", "version": "1"},
        }
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        modern = {
            "Mcp-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        return self.post(json.dumps(message), headers={**modern, **(headers or {})})

    def initialize(self):
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "attacker", "version": "1"},
        }
        return self.post(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
        )


# ---- what a client should do -------------------------------------------------------------


async def benign(client, person):
    """Every step, and what came of it. `person` decides what the person at the client says."""

    def text(result):
        assert not result.is_error, result
        return "".join(block.text for block in result.content)

    async def write(name, answer):
        person["answer"] = answer
        try:
            result = await client.call_tool("write_note", {"name": name, "text": "Bought paint."})
            return not result.is_error
        except MCPError:
            return False

    tools = [tool.name for tool in (await client.list_tools()).tools]
    yield "the tools are listed", len(tools) == 4 and "read_note" in tools
    notes = text(await client.call_tool("list_notes", {}))
    yield "all notes are listed", "boat.md" in notes and "ideas/garden.md" in notes
    yield "a note is read", "Paint it" in text(await client.call_tool("read_note", {"name": "boat.md"}))
    found = (await client.call_tool("search_notes", {"word": "pond"})).structured_content
    yield "a word is found", found == {"matches": [{"note": "ideas/garden.md", "line": 2}]}
    prompt = await client.get_prompt("summarize", {"name": "boat.md"})
    yield "a prompt is filled in", "Paint it" in prompt.messages[0].content.text
    index = await client.read_resource("notes://index")
    yield "a resource is read", "boat.md" in index.contents[0].text
    reference = types.PromptReference(type="ref/prompt", name="summarize")
    completion = await client.complete(reference, {"name": "name", "value": "bo"})
    yield "a name is completed", completion.completion.values == ["boat.md"]
    agreed = types.ElicitResult(action="accept", content={"approve": True})
    yield "a note is written when the person agrees on the page", await write("shopping.md", agreed)
    kept = text(await client.call_tool("read_note", {"name": "shopping.md"}))
    yield "what was written is there", kept == "Bought paint."
    declined = types.ElicitResult(action="decline")
    yield "nothing is written when the person declines", not await write("never.md", declined)


async def agree_on_the_page(link):
    """What a person does in a browser: opens the link, reads, and says yes."""
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as browser:
        page = await browser.get(link)
        token = re.search(r'name="token" value="([^"]+)"', page.text)[1]
        origin = "/".join(link.split("/")[:3])
        form = {"token": token, "answer": "approve"}
        await browser.post(link, data=form, headers={"Origin": origin})


async def use(transport, mode):
    """Runs the benign half over one transport: the steps with their verdicts."""
    person = {}

    async def answer(_context, params):
        answer = person["answer"]
        # This client shows links, so the server asks on a page of its own.
        if params.mode == "url" and answer.action == "accept":
            await agree_on_the_page(params.url)
            return types.ElicitResult(action="accept")
        return answer

    verdicts = []
    with anyio.fail_after(60):
        async with Client(transport, mode=mode, elicitation_callback=answer, cache=None) as client:
            async for step, verdict in benign(client, person):
                verdicts.append((step, verdict))
    return verdicts


async def use_both(over_stdio, over_http, scene):
    program, *arguments = over_stdio.command
    parameters = StdioServerParameters(
        command=program, args=arguments, env=over_stdio.environment
    )
    with open(os.devnull, "w") as nowhere:
        stdio = await use(stdio_client(parameters, errlog=nowhere), "legacy")
    assert (scene.notes / "shopping.md").exists() and not (scene.notes / "never.md").exists()
    (scene.notes / "shopping.md").unlink()
    async with httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {over_http.token}"}, timeout=30, trust_env=False
    ) as client:
        transport = streamable_http_client(over_http.url, http_client=client)
        web = await use(transport, "2026-07-28")
    assert (scene.notes / "shopping.md").exists() and not (scene.notes / "never.md").exists()
    return stdio, web


# ---- what nobody should do ---------------------------------------------------------------


def words(answer):
    """What the caller reads in a JSON-RPC answer."""
    if "error" in answer:
        return answer["error"]["message"]
    content = answer.get("result", {}).get("content")
    return content[0]["text"] if content else json.dumps(answer)


def over_http_words(answer):
    status, _, body = answer
    return f"{status} {words(body)}", json.dumps(body)


def read(name):
    def attack(stdio, _http, scene):
        path = name.replace("{out}", str(scene.outside))
        answer = stdio.call("read_note", name=path)
        return words(answer), json.dumps(answer)

    return attack


def write(name):
    def attack(stdio, _http, scene):
        path = name.replace("{out}", str(scene.outside))
        answer = stdio.call("write_note", name=path, text="* * * * * evil")
        return words(answer), json.dumps(answer)

    return attack


def resource(uri):
    def attack(stdio, _http, _scene):
        begun = time.monotonic()
        answer = stdio.ask("resources/read", {"uri": uri})
        late = "" if time.monotonic() - begun < 1 else f" {CANARY}: answered too late"
        return words(answer), json.dumps(answer) + late

    return attack


def page(**headers):
    """A web page in the user's browser. It even has the right token; it may not get in."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}

    def attack(_stdio, web, _scene):
        answer = web.call("read_note", headers=names, name="boat.md")
        readable = "Access-Control-Allow-Origin" in answer[1]
        seen, whole = over_http_words(answer)
        # The page may not read a note, and not even the refusal.
        leaked = "Paint it" in whole or readable
        return seen, whole + (CANARY if leaked else "")

    return attack


def endless_line(stdio, _http, _scene):
    answer = stdio.raw("x" * (8 << 20))
    return words(answer), json.dumps(answer)


def empty_params(stdio, _http, _scene):
    answer = stdio.ask("completion/complete", {})
    return words(answer), json.dumps(answer)


NUL = (
    '{"jsonrpc":"2.0","id":1,"method":"ping","method\\u0000":"tools/call",'
    '"params":{"name":"read_note","arguments":{"name":"boat.md"}}}'
)


def nul_in_a_key(stdio, _http, _scene):
    answer = stdio.raw(NUL)
    return words(answer), json.dumps(answer) + (CANARY if "error" not in answer else "")


def gigabyte(_stdio, web, _scene):
    return over_http_words(web.post(" ", announce=1 << 30))


def stolen_session(_stdio, web, _scene):
    _, headers, _ = web.initialize()
    call = {"name": "read_note", "arguments": {"name": "boat.md"}}
    message = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}
    session = {"Mcp-Session-Id": headers["Mcp-Session-Id"]}
    seen, whole = over_http_words(web.post(json.dumps(message), headers=session, token=False))
    return seen, whole + (CANARY if "Paint it" in whole else "")


def guessed_session(_stdio, web, _scene):
    _, headers, _ = web.initialize()
    own = headers["Mcp-Session-Id"]
    next_to_it = own[:-2] + ("A" if own[-2] != "A" else "B") + own[-1]
    ping = json.dumps({"jsonrpc": "2.0", "id": 2, "method": "ping"})
    answer = web.post(ping, headers={"Mcp-Session-Id": next_to_it})
    seen, whole = over_http_words(answer)
    return seen, whole + (CANARY if answer[0] == 200 else "")


def session_flood(_stdio, web, _scene):
    answers = [web.initialize() for _ in range(80)]
    opened = sum(answer[0] == 200 for answer in answers)
    seen, whole = over_http_words(answers[-1])
    return f"{opened} opened, then {seen}", whole + (CANARY if opened > 64 else "")


# Advisory, attack, the attack in words, and the control that must stop it. What an advisory says
# about its product comes from the file; a row without its advisory there is an error.
ATTACKS = [
    ("CVE-2025-5273", read("{out}/etc/passwd"), "read an absolute path", "validate/schema"),
    ("CVE-2026-40576", read("../../x.xlsx"), "read two folders up", "validate/schema"),
    ("CVE-2026-61560", read("/proc/self/environ"), "read the server's environment", "validate/schema"),
    ("GHSA-j4r7-8ph4-43g3", read("~/.ssh/id_rsa"), "`~` as the home folder", "validate/schema"),
    ("CVE-2026-55557", write("{out}/etc/cron.d/job"), "write among scheduled jobs", "validate/schema"),
    ("CVE-2026-57441", read(".Git/config"), "a closed name in capitals", "fs/policy"),
    ("CVE-2026-57442", read("tools/somerepo/.git/config"), "a closed name, deeper", "fs/policy"),
    ("CVE-2025-67364", read("link/etc/passwd"), "read through a symlink", "fs/escape"),
    ("CVE-2026-53765", write("daemon.pid"), "write to a planted symlink", "fs/symlink"),
    ("CVE-2026-0621", resource("notes://note/" + "a," * 30 + "a/"), "a URI that never matches", "validate/argument"),
    ("CVE-2026-47427", empty_params, "complete without saying what", "authorize/malformed"),
    ("CVE-2026-63119", endless_line, "8 MiB without a newline", "stdio/size"),
    ("GHSA-q382-vc8q-7jhj", nul_in_a_key, "a NUL hides a tool call", "stdio/keys"),
    ("CVE-2026-42559", page(Host="attacker.example"), "DNS rebinding", "http/host"),
    ("CVE-2026-55529", page(Origin="http://localhost.evil.com"), "an origin that looks local", "http/origin"),
    (
        "CVE-2026-81315",
        page(Origin="https://attacker.example", X_Forwarded_Proto="https"),
        "a forged forwarding header",
        "http/origin",
    ),
    ("CVE-2026-33010", page(Origin="http://attacker.example"), "a foreign page reads answers", "http/origin"),
    ("CVE-2026-67432", gigabyte, "a body of 1 GiB", "http/body-size"),
    ("CVE-2026-67431", stolen_session, "a stolen session id", "http/auth"),
    ("CVE-2025-6515", guessed_session, "a guessed session id", "http/session"),
    ("CVE-2026-67430", session_flood, "80 sessions at once", "http/session-cap"),
]


def attack_all(stdio, web, scene, products):
    """Plays all attacks: a row for the table each, and whether it was stopped."""
    rows = []
    for advisory, attack, in_words, control in ATTACKS:
        try:
            seen, whole = attack(stdio, web, scene)
            stopped = CANARY not in whole and scene.is_whole()
        except (OSError, queue.Empty, http.client.HTTPException) as error:
            # No answer is not a refusal.
            seen, stopped = f"no answer: {error!r}", False
        rows.append([advisory, products[advisory], in_words, control, seen, stopped])
    alive = stdio.process.poll() is None and web.process.poll() is None
    works = words(stdio.call("read_note", name="boat.md")).startswith("# The boat")
    # What was refused before a caller was known is counted, and the sums are written at the end.
    stdio.stop()
    web.stop()
    counted = Counter()
    for record in stdio.records() + web.records():
        if record["event"] == "refused":
            counted[record["control"]] += record["count"]
        elif record.get("outcome") != "ok" and "control" in record:
            counted[record["control"]] += 1
    # The control column is not what we hope for: the audit log must have as many refusals.
    for control, rows_of_it in Counter(row[3] for row in rows if row[5]).items():
        if counted[control] < rows_of_it:
            for row in rows:
                if row[3] == control:
                    row[3], row[5] = "not in the audit log", False
    return rows, alive and works


# ---- what the reader sees ----------------------------------------------------------------


def table(head, rows, widths):
    def line(cells):
        cells = (text.replace("\n", " ") for text in cells)
        cut = (
            text if len(text) <= width else text[: width - 1] + "…"
            for text, width in zip(cells, widths)
        )
        return "  ".join(text.ljust(width) for text, width in zip(cut, widths)).rstrip()

    widths = [
        min(width, max(len(row[at]) for row in [head, *rows])) for at, width in enumerate(widths)
    ]
    print(line(head))
    print(line(["─" * width for width in widths]))
    for row in rows:
        print(line(row))


def short(seen):
    """The part of a message that differs from row to row."""
    return seen.replace("the arguments do not match the schema; ", "… ")


def products_by_advisory(path):
    products = {}
    for row in json.loads(Path(path).read_text()):
        for key in (row["ghsa"], row["id"]):
            products[key] = row["product"]
    return products


def main():
    program, advisories = sys.argv[1:]
    products = products_by_advisory(advisories)
    folder = Path(tempfile.mkdtemp(prefix="notes-demo-"))
    servers = []
    try:
        scene = Scene(folder)
        stdio, web = servers = [OverStdio(program, scene), OverHttp(program, scene)]
        web.open()

        print("\nThe official Python client uses the notes server\n")
        over_stdio, over_http = anyio.run(use_both, stdio, web, scene)
        steps = [
            [step, "ok" if one else "FAILED", "ok" if other else "FAILED"]
            for (step, one), (_, other) in zip(over_stdio, over_http, strict=True)
        ]
        table(["step", "stdio, 2025-11-25", "HTTP, 2026-07-28"], steps, [60, 20, 20])
        benign_ok = all(verdict == "ok" for _, *verdicts in steps for verdict in verdicts)

        print("\nPublic attacks are replayed on it\n")
        stdio.open()
        rows, works = attack_all(stdio, web, scene, products)
        shown = [[*row[:4], short(row[4]) if row[5] else f"NOT STOPPED: {row[4]}"] for row in rows]
        head = ["advisory", "product", "attack", "stopped by", "the caller saw"]
        table(head, shown, [20, 30, 30, 20, 62])
        stopped = sum(row[5] for row in rows)
        print(f"\n{stopped} of {len(rows)} attacks stopped")
        if not works:
            print("the server did not survive the attacks")
        if not benign_ok:
            print("a benign call failed")
        return 0 if benign_ok and works and stopped == len(rows) else 1
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main())
