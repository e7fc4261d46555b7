// A real authorization server on loopback, for the tests of a resource server.
//
//   node issuer.mjs '{"port": 0, "keys": [{"pem": "…", "kid": "…", "alg": "ES256", "use": "sig"}], "resources": {"URL": "jwt" | "opaque"}, "scopes": "a b"}'
//
// Prints its issuer on one line, then serves until its standard input ends. Who logs in is said
// by `login_hint`, and they agree to everything: the browser is a loop of redirects.

import { createPrivateKey } from "node:crypto";
import { createServer } from "node:http";

import { createLocalJWKSet, jwtVerify } from "jose";
import Provider, { errors } from "oidc-provider";

const given = JSON.parse(process.argv[2]);
const server = createServer();
await new Promise((done) => server.listen(given.port ?? 0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const scopes = given.scopes;
const known = (resource, grant) => {
  const format = given.resources[resource];
  if (!format) throw new errors.InvalidTarget();
  return {
    scope: scopes,
    audience: resource,
    accessTokenFormat: format,
    accessTokenTTL: (grant === "refresh_token" && given.renewed) || (given.lifetime ?? 300),
    jwt: { sign: { alg: given.alg ?? "ES256" } },
  };
};

const redirect_uris = [
  "http://127.0.0.1/callback",
  "http://localhost/callback",
  "http://127.0.0.1/connect/callback",
];
const native = {
  application_type: "native",
  token_endpoint_auth_method: "none",
  redirect_uris,
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
};
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";
const machine = {
  client_secret: "machine-secret",
  grant_types: ["client_credentials"],
  redirect_uris: [],
  response_types: [],
};

const provider = new Provider(issuer, {
  jwks: {
    keys: given.keys.map(({ pem, ...rest }) => ({
      ...createPrivateKey(pem).export({ format: "jwk" }),
      ...rest,
    })),
  },
  clientDefaults: { id_token_signed_response_alg: given.alg ?? "ES256" },
  scopes: ["openid", "offline_access", ...scopes.split(" ")],
  clients: [
    { client_id: "native", ...native },
    { client_id: "machine", ...machine },
    { client_id: "other-machine", ...machine },
    { client_id: "dpop-machine", ...machine, dpop_bound_access_tokens: true },
    {
      client_id: "television",
      token_endpoint_auth_method: "none",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
      redirect_uris: [],
      response_types: [],
    },
    // A server where its callers' browsers come back to.
    ...Object.entries(given.web ?? {}).map(([client_id, redirect_uris]) => ({
      client_id,
      ...native,
      application_type: "web",
      redirect_uris,
      ...(given.web_secret && {
        token_endpoint_auth_method: "client_secret_basic",
        client_secret: given.web_secret,
      }),
    })),
    // The resource server where it calls others: for its callers, and for itself.
    {
      client_id: "notes-server",
      ...machine,
      client_secret: "exchange-secret",
      grant_types: [EXCHANGE, "client_credentials"],
    },
    // The resource server itself: it may ask about tokens and nothing else.
    { client_id: "resource-server", ...machine, client_secret: "introspection-secret" },
  ],
  extraTokenClaims: (ctx) => (ctx.act ? { act: ctx.act } : undefined),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: (_, client) => client.grantTypeAllowed("refresh_token"),
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  interactions: { url: (_, interaction) => `/agree/${interaction.uid}` },
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    deviceFlow: {
      enabled: true,
      // The pages are the provider's forms without their words.
      userCodeInputSource: (ctx, form) => void (ctx.body = form),
      userCodeConfirmSource: (ctx, form) => void (ctx.body = form),
      successSource: (ctx) => void (ctx.body = "agreed"),
    },
    introspection: {
      enabled: true,
      allowedPolicy: (_, client) => client.clientId === "resource-server",
    },
    revocation: { enabled: true },
    registration: { enabled: true },
    dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 7), requireNonce: () => false },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource) => known(resource, ctx.oidc.params?.grant_type),
    },
  },
  loadExistingGrant: async (ctx) => {
    const { client, session, provider: it } = ctx.oidc;
    const grant = new it.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(`openid offline_access ${scopes}`);
    for (const resource of Object.keys(given.resources)) {
      grant.addResourceScope(resource, scopes);
    }
    await grant.save();
    return grant;
  },
});

// RFC 8693, which the provider leaves to who needs it.
let exchanged = 0;
const verified = async (token) => {
  const keys = given.keys.map(({ pem, ...rest }) => {
    const { d, ...jwk } = createPrivateKey(pem).export({ format: "jwk" });
    return { ...jwk, ...rest };
  });
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys }), { issuer });
    return payload;
  } catch {
    throw new errors.InvalidGrant("the token is not good");
  }
};
provider.registerGrantType(
  EXCHANGE,
  async (ctx) => {
    const { params, client } = ctx.oidc;
    exchanged += 1;
    if (given.slow_exchange) await new Promise((done) => setTimeout(done, given.slow_exchange));
    if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest("type");
    const subject = await verified(params.subject_token);
    if (params.actor_token) ctx.act = { sub: (await verified(params.actor_token)).sub };
    const token = new provider.AccessToken({
      accountId: subject.sub,
      client,
      grantId: "exchange",
      gty: "token_exchange",
      scope: params.scope,
    });
    token.resourceServer = new provider.ResourceServer(params.resource, known(params.resource));
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: ACCESS_TOKEN,
      token_type: "Bearer",
      expires_in: token.expiration,
      scope: token.scope,
    };
  },
  ["subject_token", "subject_token_type", "actor_token", "actor_token_type", "requested_token_type", "resource", "audience", "scope"],
);
provider.on("grant.success", (ctx) => {
  if (ctx.oidc.params.grant_type === "client_credentials") exchanged += 1;
});
// Each time somebody showed a refresh token, and what became of it.
let refreshed = 0;
let refused = 0;
let revoked = 0;
// Questions for a token, answered or not.
let begun = 0;
const is_refresh = (ctx) => ctx.oidc?.params?.grant_type === "refresh_token";
provider.on("grant.success", (ctx) => void (is_refresh(ctx) && (refreshed += 1)));
provider.on("grant.error", (ctx) => void (is_refresh(ctx) && (refused += 1)));
provider.on("server_error", (_, error) => console.error(error));

const callback = provider.callback();
let asked = 0;
server.on("request", async (request, response) => {
  const path = request.url.split("?")[0];
  // What a test counts.
  if (path === "/asked") return void response.end(String(asked));
  if (path === "/exchanged") return void response.end(String(exchanged));
  if (path === "/refreshed") return void response.end(String(refreshed));
  if (path === "/refused") return void response.end(String(refused));
  if (path === "/revoked") return void response.end(String(revoked));
  if (path === "/begun") return void response.end(String(begun));
  if (path === "/token/revocation") revoked += 1;
  if (path === "/token") begun += 1;
  if (path === "/token" && given.late_token) {
    const end = response.end.bind(response);
    response.end = (...said) => void setTimeout(() => end(...said), given.late_token);
  }
  if (path === "/token" && given.slow_token) {
    await new Promise((done) => setTimeout(done, given.slow_token));
  }
  if (path === "/jwks") {
    asked += 1;
    if (given.slow) await new Promise((done) => setTimeout(done, given.slow));
  }
  if (!path.startsWith("/agree/")) return void callback(request, response);
  try {
    const { prompt, params } = await provider.interactionDetails(request, response);
    const result =
      prompt.name === "login"
        ? { login: { accountId: params.login_hint ?? "alice" } }
        : { consent: {} };
    await provider.interactionFinished(request, response, result, {
      mergeWithLastSubmission: true,
    });
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
});

console.log(issuer);
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
