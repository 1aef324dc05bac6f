// What a test tells this process to do. See README.md for the shapes.

import { text } from './api.mjs';
import { SCOPES, mint } from './provider.mjs';
import { BadRequest } from './rules.mjs';

/** Counters as they are at the start and after a reset. */
export const zero = () => ({
  token: {
    requests: 0, max_in_flight: 0, ok: 0, error: 0, disturbed: 0, dropped: 0, grants: {}, errors: {}, client_auth: {},
  },
  api: { requests: 0, distinct_tokens: 0, statuses: {} },
});

/** A handler for everything under /control/. */
export function control({ provider, state }) {
  const commands = {
    async 'POST mint'({ client_id: clientId = 'web', account = 'alice', scope = SCOPES, resource }) {
      const client = await provider.Client.find(clientId);
      if (!client) throw new BadRequest(`no client "${clientId}"`);
      if (!client.grantTypeAllowed('refresh_token')) throw new BadRequest(`"${clientId}" may not use refresh tokens`);
      return mint(provider, { client, account, scope, resource });
    },

    // Access tokens only: through the revocation endpoint their refresh tokens would go with them.
    'POST revoke-access'(whose) {
      return {
        client_credentials: state.store.drop('ClientCredentials', belongsTo(whose)),
        access_tokens: state.store.drop('AccessToken', belongsTo(whose)),
      };
    },

    'POST revoke-refresh'(whose) {
      return { refresh_tokens: state.store.drop('RefreshToken', belongsTo(whose)) };
    },

    async 'POST client'(metadata) {
      if (typeof metadata.client_id !== 'string') throw new BadRequest('"client_id" is missing');
      await provider.Client.adapter.upsert(metadata.client_id, metadata);
      try {
        await provider.Client.find(metadata.client_id);
      } catch (error) {
        await provider.Client.adapter.destroy(metadata.client_id);
        throw new BadRequest(error.error_description ?? error.message);
      }
      return { client_id: metadata.client_id };
    },

    'POST api'(rule) {
      state.apiRules.add(rule);
      return {};
    },

    'POST token'(rule) {
      state.tokenRules.add(rule);
      return {};
    },

    'GET counters': () => state.counters,

    // Forgets rules and counts; tokens and clients stay. Answers with the counts as they were.
    'POST reset'() {
      const before = structuredClone(state.counters);
      Object.assign(state.counters, zero());
      state.tokensSeen.clear();
      state.apiRules.clear();
      state.tokenRules.clear();
      return before;
    },
  };

  return async (req, res) => {
    const name = `${req.method} ${req.url.slice('/control/'.length)}`;
    let status = 200;
    let value;
    try {
      const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
      if (!command) throw new BadRequest(`no such command; there are: ${Object.keys(commands).join(', ')}`);
      value = await command(parse(await text(req)));
    } catch (error) {
      status = error instanceof BadRequest ? 400 : 500;
      value = { error: error.message };
      if (status === 500) console.error(error);
    }
    res.writeHead(status, { 'content-type': 'application/json' });
    res.end(JSON.stringify(value));
  };
}

// Without a client and without an account: everybody's.
function belongsTo({ client_id: clientId, account }) {
  return (token) => (clientId === undefined || token.clientId === clientId)
    && (account === undefined || token.accountId === account);
}

function parse(body) {
  if (body === '') return {};
  try {
    return JSON.parse(body);
  } catch {
    throw new BadRequest('the body is not JSON');
  }
}
