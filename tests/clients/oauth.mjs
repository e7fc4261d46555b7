// The official TypeScript client, which is told nothing but the URL of a server: it finds the
// authorization server, registers, lets the person log in, and comes back with more scopes when
// it is told to. Prints what happened as JSON and judges nothing.
//
//   node oauth.mjs '{"generation": "2026-07-28", "url": "…", "person": "alice", "client": null, "dpop": false, "refresh": false}'

import { Client, DpopSession, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";

const target = JSON.parse(process.argv[2]);
const modern = target.generation >= "2026-07-28";
const callback = "http://127.0.0.1/callback";

// The person's browser: follows redirects, keeps cookies, agrees.
async function browse(start) {
  const cookies = new Map();
  let url = new URL(start);
  for (let hop = 0; hop < 20; hop += 1) {
    const header = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(url, { redirect: "manual", headers: { cookie: header } });
    for (const cookie of response.headers.getSetCookie()) {
      const [pair] = cookie.split(";");
      const at = pair.indexOf("=");
      cookies.set(pair.slice(0, at), pair.slice(at + 1));
    }
    const location = response.headers.get("location");
    if (!location) throw new Error(`${response.status} at ${url.pathname}: ${await response.text()}`);
    url = new URL(location, url);
    if (url.href.startsWith(callback)) return url.searchParams;
  }
  throw new Error("too many redirects");
}

const seen = { asked: [], requests: [] };
let returned;

class Provider {
  #store = {};
  #dpop = target.dpop ? DpopSession.create() : undefined;
  redirectUrl = callback;
  clientMetadata = {
    client_name: "typescript",
    redirect_uris: [callback],
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    ...(target.dpop ? { dpop_bound_access_tokens: true } : {}),
  };
  // One that is known there, or one that registers itself: its scopes are then those of the first
  // challenge, for good.
  clientInformation = () => this.#store.client ?? (target.client && { client_id: target.client });
  saveClientInformation = (client) => void (this.#store.client = client);
  tokens = () => this.#store.tokens;
  saveTokens = (tokens) => void (this.#store.tokens = tokens);
  codeVerifier = () => this.#store.verifier;
  saveCodeVerifier = (verifier) => void (this.#store.verifier = verifier);
  state = () => "a-state-of-the-test";
  dpop = () => this.#dpop;
  async redirectToAuthorization(url) {
    seen.asked.push({
      scope: url.searchParams.get("scope"),
      resource: url.searchParams.get("resource"),
      method: url.searchParams.get("code_challenge_method"),
    });
    url.searchParams.set("login_hint", target.person);
    returned = await browse(url);
  }
}

const provider = new Provider();

async function connect() {
  const transport = new StreamableHTTPClientTransport(new URL(target.url), { authProvider: provider });
  const client = new Client(
    { name: "typescript", version: "1.0.0" },
    { versionNegotiation: { mode: modern ? { pin: target.generation } : "legacy" } },
  );
  await client.connect(transport);
  return { client, transport };
}

// Does the work, and once more after the person has logged in.
async function loggedIn(work, transport) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UnauthorizedError) || !returned) throw error;
    const finish =
      transport ?? new StreamableHTTPClientTransport(new URL(target.url), { authProvider: provider });
    await finish.finishAuth(returned);
    returned = undefined;
    return await work();
  }
}

const text = (result) => result.content.map((block) => block.text).join("");

try {
  const { client, transport } = await loggedIn(connect);
  seen.tools = (await client.listTools()).tools.map((tool) => tool.name);
  seen.who = text(await client.callTool({ name: "who", arguments: {} }));
  for (const name of ["read", "write"]) {
    seen[name] = text(await loggedIn(() => client.callTool({ name, arguments: {} }), transport));
  }
  seen.token_type = provider.tokens().token_type;
  if (target.refresh) {
    // The token is over, as far as the server can tell.
    const before = provider.tokens();
    provider.saveTokens({ ...before, access_token: `${before.access_token.slice(0, -8)}AAAAAAAA` });
    seen.again = text(await client.callTool({ name: "read", arguments: {} }));
    const after = provider.tokens();
    seen.refreshed = after.access_token !== before.access_token && after.refresh_token !== before.refresh_token;
  }
  await client.close();
} catch (error) {
  seen.error = `${error?.name}: ${error?.message} ${error?.cause ?? ""}`;
}
console.log(JSON.stringify(seen));
process.exit(0);
