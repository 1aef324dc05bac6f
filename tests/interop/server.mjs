// Starts the authorization server and the API on loopback and says on stdout, in one line of JSON, where they are.
// Ends with its parent: when stdin closes, or on SIGTERM or SIGINT.

import { verbose } from './quiet.mjs';
import { createServer } from 'node:http';
import { Store } from './adapter.mjs';
import { api } from './api.mjs';
import { control, zero } from './control.mjs';
import { authorizationServer, clients, signingKeys } from './provider.mjs';
import { Rules } from './rules.mjs';

for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(0));
for (const event of ['end', 'close', 'error']) process.stdin.on(event, () => process.exit(0));
process.stdin.resume();

const config = {
  accessTokenTtl: number('INTEROP_ACCESS_TOKEN_TTL', 4),
  refreshTokenTtl: number('INTEROP_REFRESH_TOKEN_TTL', 86_400),
  rotate: process.env.INTEROP_ROTATE !== '0',
};

// The issuer contains its port, and `web`'s redirect URI the API's: so listen first, configure afterwards.
const authorization = await listen(number('INTEROP_PORT', 0));
const resource = await listen(number('INTEROP_API_PORT', 0));
const other = await listen(number('INTEROP_OTHER_PORT', 0));

const { privateKeys, jwks } = signingKeys();
const registered = clients(resource.origin, jwks);
const state = {
  store: new Store(),
  counters: zero(),
  tokensSeen: new Set(),
  apiRules: new Rules(),
  tokenRules: new Rules(),
};
const provider = authorizationServer(authorization.origin, { config, state, registered });

const protectedApi = api({ provider, state });
const commands = control({ provider, state });

serve(authorization, provider.callback());
serve(resource, (req, res) => (req.url.startsWith('/control/') ? commands : protectedApi)(req, res));
serve(other, protectedApi);

process.stdout.write(`${JSON.stringify({
  issuer: authorization.origin,
  token_endpoint: provider.urlFor('token'),
  api: resource.origin,
  other_origin: other.origin,
  access_token_ttl: config.accessTokenTtl,
  clients: { ...registered, signed: { ...registered.signed, private_keys: privateKeys } },
})}\n`);

function listen(port) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve({ server, origin: `http://127.0.0.1:${server.address().port}` }));
  });
}

function serve({ server, origin }, handler) {
  // Node's five seconds are about as long as a test waits for a token to expire: a connection closed by the server just as
  // the client reuses it would be another story than the one told.
  server.keepAliveTimeout = 60_000;
  server.on('request', (req, res) => {
    if (verbose) res.on('close', () => console.error(`${req.method} ${origin}${req.url} ${res.statusCode}`));
    Promise.resolve(handler(req, res)).catch((error) => {
      console.error(error);
      res.destroy();
    });
  });
}

function number(name, otherwise) {
  const value = Number(process.env[name] || otherwise);
  if (Number.isInteger(value) && value >= 0) return value;
  console.error(`${name} must be a whole number, not "${process.env[name]}"`);
  return process.exit(2);
}
