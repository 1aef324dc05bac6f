// The authorization server: oidc-provider, its clients, and a way to disturb and count what happens at its token endpoint.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';
import { JWT_BEARER, TOKEN_EXCHANGE, jwtBearer, tokenExchange } from './grants.mjs';
import { answer } from './rules.mjs';

export const SCOPES = 'openid offline_access api:read api:write';
const API_SCOPES = 'api:read api:write';

/** Key pairs for a client that signs: the private halves as PEM by algorithm, the public ones as a JWK set. */
export function signingKeys() {
  const pairs = {
    RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
    EdDSA: generateKeyPairSync('ed25519'),
  };
  const privateKeys = {};
  const keys = [];
  for (const [alg, pair] of Object.entries(pairs)) {
    privateKeys[alg] = pair.privateKey.export({ format: 'pem', type: 'pkcs8' });
    keys.push({ ...pair.publicKey.export({ format: 'jwk' }), kid: alg, alg, use: 'sig' });
  }
  return { privateKeys, jwks: { keys } };
}

/**
 * Clients by what they are for. The secrets are no secrets: this server serves one test run on loopback.
 * `nasty` has in its id and its secret everything that has to be form-urlencoded inside Basic (RFC 6749 2.3.1).
 */
export function clients(api, jwks) {
  const machine = {
    grant_types: ['client_credentials', TOKEN_EXCHANGE, JWT_BEARER],
    redirect_uris: [],
    response_types: [],
    scope: API_SCOPES,
  };
  const person = {
    grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    response_types: ['code'],
    scope: SCOPES,
  };
  // Any port matches, which is what makes them native.
  const native = {
    ...person,
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1/callback', 'http://[::1]/callback', 'http://localhost/callback'],
  };
  const both = { ...native, grant_types: [...native.grant_types, ...machine.grant_types] };
  return {
    machine: {
      ...machine,
      client_id: 'machine',
      client_secret: 'machine-secret',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    nasty: {
      ...machine,
      client_id: 'na:sty %7E+client',
      client_secret: 's:e%63ret+with spaces/&=?"~!*()',
      token_endpoint_auth_method: 'client_secret_basic',
    },
    post: {
      ...machine,
      client_id: 'post',
      client_secret: 'post secret+&=%',
      token_endpoint_auth_method: 'client_secret_post',
    },
    web: {
      ...person,
      client_id: 'web',
      client_secret: 'web-secret',
      redirect_uris: [`${api}/open/callback`],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    native: {
      ...native,
      client_id: 'native',
      token_endpoint_auth_method: 'none',
    },
    pushed: {
      ...native,
      client_id: 'pushed',
      token_endpoint_auth_method: 'none',
      require_pushed_authorization_requests: true,
    },
    signed: {
      ...both,
      client_id: 'signed',
      token_endpoint_auth_method: 'private_key_jwt',
      jwks,
    },
    hmac: {
      ...both,
      client_id: 'hmac',
      client_secret: 'hmac-secret-of-more-than-32-bytes-for-HS256',
      token_endpoint_auth_method: 'client_secret_jwt',
    },
  };
}

/** The server for `issuer`; `state` is what all parts of this process share (see server.mjs). */
export function authorizationServer(issuer, { config, state, registered }) {
  const provider = new Provider(issuer, {
    adapter: state.store.adapter,
    clients: Object.values(registered),
    scopes: SCOPES.split(' '),
    claims: { openid: ['sub', 'name'] },
    conformIdTokenClaims: true,
    cookies: { keys: [randomBytes(32).toString('hex')] },
    jwks: { keys: [generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' })] },
    pkce: { required: (ctx, client) => client.clientAuthMethod === 'none' },
    rotateRefreshToken: config.rotate,
    issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
    findAccount: (ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId, name: accountId }) }),
    clientBasedCORS: () => false,
    // Its own refuses loopback addresses; sites that it tells of sign-outs are there.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      dPoP: { enabled: false },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientAuthMethod !== 'none' },
      pushedAuthorizationRequests: { enabled: true },
      resourceIndicators: { enabled: true, defaultResource: () => undefined, getResourceServerInfo },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => client.clientId === token.clientId },
    },
    ttl: {
      AccessToken: config.accessTokenTtl,
      ClientCredentials: config.accessTokenTtl,
      RefreshToken: config.refreshTokenTtl,
      Grant: config.refreshTokenTtl,
      AuthorizationCode: 60,
      DeviceCode: 300,
      IdToken: 300,
      Interaction: 300,
      Session: 3600,
    },
  });
  provider.registerGrantType(TOKEN_EXCHANGE, tokenExchange(getResourceServerInfo), tokenExchange.parameters);
  provider.registerGrantType(JWT_BEARER, jwtBearer, jwtBearer.parameters);
  provider.on('server_error', (ctx, error) => console.error(error));
  provider.on('backchannel.error', (ctx, error, client) => console.error(client.clientId, error));
  provider.use(tokenEndpoint(state));
  return provider;
}

/** A refresh token (and an access token) as the end of a sign-in would have left them, without the browser. */
export async function mint(provider, { client, account, scope, resource }) {
  const grant = new provider.Grant({ accountId: account, clientId: client.clientId });
  grant.addOIDCScope(scope);
  if (resource) grant.addResourceScope(resource, scope);
  const grantId = await grant.save();

  const shared = { accountId: account, client, grantId, gty: 'authorization_code', expiresWithSession: false, scope };
  const refresh = new provider.RefreshToken({ ...shared, resource, rotations: 0 });
  const access = new provider.AccessToken(shared);
  if (resource) access.resourceServer = new provider.ResourceServer(resource, getResourceServerInfo(null, resource));

  return {
    access_token: await access.save(),
    token_type: 'Bearer',
    expires_in: access.expiration,
    refresh_token: await refresh.save(),
    scope,
    grant_id: grantId,
  };
}

// Any `urn:` is an API with the same two scopes. Its tokens stay opaque: the API looks them up, so they can be revoked.
function getResourceServerInfo(ctx, resource) {
  if (!resource.startsWith('urn:')) throw new errors.InvalidTarget('resources here are "urn:…"');
  return { audience: resource, scope: API_SCOPES, accessTokenFormat: 'opaque' };
}

function tokenEndpoint({ counters, tokenRules }) {
  let inFlight = 0;

  return async (ctx, next) => {
    if (ctx.path !== '/token' || ctx.method !== 'POST') return next();

    const count = counters.token;
    count.requests += 1;
    inFlight += 1;
    count.max_in_flight = Math.max(count.max_in_flight, inFlight);
    try {
      const rule = await tokenRules.take(ctx.path);
      if (rule?.drop === 'request' || rule?.status) count.disturbed += 1;
      if (rule?.drop === 'request') return hangUp(ctx);
      if (rule?.status) {
        const { status, headers, body } = answer(rule);
        ctx.status = status;
        ctx.set(headers);
        ctx.body = body;
        return undefined;
      }

      await next();

      record(count, ctx);
      if (rule?.drop === 'answer') {
        count.dropped += 1;
        return hangUp(ctx);
      }
    } finally {
      inFlight -= 1;
    }
    return undefined;
  };
}

function record(count, ctx) {
  const ok = ctx.status === 200;
  count[ok ? 'ok' : 'error'] += 1;
  const params = ctx.oidc?.params ?? {};
  const proof = proofOf(ctx, params);
  count.client_auth[proof] = (count.client_auth[proof] ?? 0) + 1;
  const grant = params.grant_type ?? 'unknown';
  count.grants[grant] ??= { ok: 0, error: 0 };
  count.grants[grant][ok ? 'ok' : 'error'] += 1;
  if (!ok) {
    const code = ctx.body?.error ?? String(ctx.status);
    count.errors[code] = (count.errors[code] ?? 0) + 1;
  }
}

function proofOf(ctx, params) {
  if (ctx.headers.authorization) return 'basic';
  if (params.client_assertion) return 'jwt';
  return params.client_secret ? 'post' : 'none';
}

function hangUp(ctx) {
  ctx.respond = false;
  ctx.req.socket.destroy();
}
