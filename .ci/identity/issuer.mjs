// A complete OpenID provider (oidc-provider from npm) on this machine, for the stage `identity`.
//
// Usage: issuer.mjs PORT KEYS, where KEYS is a file with a private key set. Clients get access tokens
// for the server by the grant `client_credentials`: the user is the client.

import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const [port, keys] = process.argv.slice(2);
const scopes = ['admin', 'reader', 'agent', 'service'].map((name) => `deskplane.${name}`);
const client = (id) => ({
  client_id: id,
  client_secret: `secret-of-${id}`,
  grant_types: ['client_credentials'],
  redirect_uris: [],
  response_types: [],
  id_token_signed_response_alg: 'ES256',
});
const life = { 'brief.agent': 3 };
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: ['root', 'sam.stone', 'brief.agent'].map(client),
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  scopes,
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (context, resource, owner) => ({
        scope: scopes.join(' '),
        audience: resource,
        accessTokenTTL: life[owner.clientId] ?? 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
