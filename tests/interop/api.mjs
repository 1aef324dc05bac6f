// The protected API: takes the authorization server's opaque tokens, shows what it received, and answers badly on order.

import { answer } from './rules.mjs';

/** A handler for one origin of the API. `state` is what all parts of this process share (see server.mjs). */
export function api({ provider, state }) {
  const { apiRules, counters } = state;

  return async (req, res) => {
    const url = new URL(req.url, 'http://api.invalid');
    const body = await text(req);
    const count = counters.api;
    count.requests += 1;

    const send = (status, value, headers = {}) => {
      count.statuses[status] = (count.statuses[status] ?? 0) + 1;
      res.writeHead(status, { 'content-type': 'application/json', ...headers });
      res.end(typeof value === 'string' ? value : JSON.stringify(value));
    };
    const refuse = (status, challenge, error) => send(status, { error }, { 'www-authenticate': challenge });

    const presented = /^Bearer +(\S+)$/i.exec(req.headers.authorization ?? '')?.[1];
    if (presented) state.tokensSeen.add(presented);
    count.distinct_tokens = state.tokensSeen.size;

    const rule = await apiRules.take(url.pathname);
    if (rule?.drop === 'request') return req.socket.destroy();
    if (rule?.status) {
      const challenge = rule.challenge ?? (rule.status === 401 ? INVALID : undefined);
      const ordered = answer({ ...rule, challenge });
      return send(ordered.status, ordered.body, ordered.headers);
    }

    let token;
    if (!url.pathname.startsWith('/open')) {
      if (!presented) return refuse(401, 'Bearer realm="api"', 'no token');
      token = await find(provider, presented);
      if (!token) return refuse(401, INVALID, 'invalid_token');
      const [, needed] = /^\/needs\/(.+)$/.exec(decodeURIComponent(url.pathname)) ?? [];
      if (needed && !token.scopes.has(needed)) {
        return refuse(403, `Bearer realm="api", error="insufficient_scope", scope="${needed}"`, 'insufficient_scope');
      }
    }
    if (rule?.drop === 'answer') return req.socket.destroy();

    const to = url.pathname.endsWith('/redirect') && url.searchParams.get('to');
    if (to) return send(Number(url.searchParams.get('status') ?? 302), {}, { location: to });

    return send(200, {
      method: req.method,
      path: url.pathname,
      query: Object.fromEntries(url.searchParams),
      headers: req.headers,
      body,
      token: token && {
        kind: token.kind,
        client_id: token.clientId,
        account: token.accountId ?? null,
        scope: token.scope ?? null,
        audience: token.aud ?? null,
        expires_in: token.exp - Math.floor(Date.now() / 1000),
      },
    });
  };
}

const INVALID = 'Bearer realm="api", error="invalid_token", error_description="the token is unknown, expired or revoked"';

async function find(provider, value) {
  for (const model of [provider.ClientCredentials, provider.AccessToken]) {
    const token = await model.find(value);
    if (token && !token.isExpired) return token;
  }
  return undefined;
}

export async function text(req) {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
