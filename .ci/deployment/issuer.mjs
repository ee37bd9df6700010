// An OpenID provider (oidc-provider from npm) at https://login.example.com, for the stage `deployment`.
//
// Usage: issuer.mjs CERTIFICATE KEY KEYS, where KEYS is a file with a private key set.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const [certificate, key, keys] = process.argv.slice(2);
const scope = 'deskplane.admin';
const provider = new Provider('https://login.example.com', {
  clients: ['root', 'kim.root'].map((id) => ({
    client_id: id,
    client_secret: `secret-of-${id}`,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: 'ES256',
  })),
  jwks: JSON.parse(readFileSync(keys, 'utf8')),
  scopes: [scope],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (context, resource) => ({
        scope,
        audience: resource,
        accessTokenTTL: 3600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});
createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, provider.callback())
  .listen(443, '127.0.0.1', () => console.log('listening'));
