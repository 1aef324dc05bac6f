// Grants that oidc-provider does not have: token exchange (RFC 8693) and JWT bearer assertions (RFC 7523 2.1).

import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** A living access token of this server becomes another one: for one `resource` or `audience`, with no more scopes. */
export const tokenExchange = (getResourceServerInfo) => async (ctx) => {
  const { client, params, provider } = ctx.oidc;
  need(params, 'subject_token', 'subject_token_type');
  if (params.subject_token_type !== ACCESS_TOKEN) throw new errors.InvalidRequest('subject_token_type is not supported');
  if ((params.requested_token_type ?? ACCESS_TOKEN) !== ACCESS_TOKEN) {
    throw new errors.InvalidRequest('requested_token_type is not supported');
  }
  if (params.actor_token) throw new errors.InvalidRequest('there are no actors here');
  if (params.resource && params.audience) throw new errors.InvalidTarget('one target only');

  const subject = await provider.AccessToken.find(params.subject_token)
    ?? await provider.ClientCredentials.find(params.subject_token);
  if (!subject || subject.isExpired) throw new errors.InvalidRequest('subject_token is not valid');
  const scope = narrowed(params.scope, subject.scopes);

  const { accountId, grantId } = subject;
  const token = accountId
    ? new provider.AccessToken({ accountId, client, grantId, gty: 'token_exchange', scope })
    : new provider.ClientCredentials({ client, scope });
  const target = params.resource ?? params.audience;
  if (target) token.resourceServer = new provider.ResourceServer(target, getResourceServerInfo(ctx, target));
  ctx.body = { ...await issued(token), issued_token_type: ACCESS_TOKEN };
};
tokenExchange.parameters = [
  'subject_token', 'subject_token_type', 'requested_token_type', 'actor_token', 'actor_token_type', 'audience', 'resource', 'scope',
];

/** The assertion's `iss` is a client with registered keys, one of which signed it; its `sub` is who the token is for. */
export async function jwtBearer(ctx) {
  const { client, params, provider } = ctx.oidc;
  need(params, 'assertion');
  let subject;
  try {
    const issuer = await provider.Client.find(String(decodeJwt(params.assertion).iss));
    const { payload } = await jwtVerify(params.assertion, createLocalJWKSet(issuer?.jwks ?? { keys: [] }), {
      audience: [provider.issuer, provider.urlFor('token')],
      requiredClaims: ['sub', 'exp'],
    });
    subject = payload.sub;
  } catch (cause) {
    throw new errors.InvalidGrant(`the assertion is refused: ${cause.message}`);
  }
  const scope = narrowed(params.scope, client.scope.split(' '));

  const grant = new provider.Grant({ accountId: subject, clientId: client.clientId });
  grant.addOIDCScope(scope);
  const grantId = await grant.save();
  const token = new provider.AccessToken({ accountId: subject, client, grantId, gty: 'jwt_bearer', scope });
  ctx.body = await issued(token);
}
jwtBearer.parameters = ['assertion', 'scope'];

async function issued(token) {
  return {
    access_token: await token.save(),
    token_type: 'Bearer',
    expires_in: token.expiration,
    scope: token.scope,
  };
}

// Scopes of the API only, since nobody signs in here; all that there are when none is asked for.
function narrowed(asked, granted) {
  const names = [...granted].filter((name) => name.startsWith('api:'));
  for (const name of asked?.split(' ') ?? []) {
    if (!names.includes(name)) throw new errors.InvalidScope('requested scope is not granted', name);
  }
  return asked ?? (names.join(' ') || undefined);
}

function need(params, ...names) {
  for (const name of names) {
    if (params[name] === undefined) throw new errors.InvalidRequest(`missing required parameter ${name}`);
  }
}
