// Writes a private key set with keys of these names, the first of which signs.
//
// Usage: keys.mjs FOLDER OUT NAME...: keys are kept in FOLDER by their name.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { exportJWK, generateKeyPair } from 'jose';

const [folder, out, ...names] = process.argv.slice(2);
const keys = [];
for (const name of names) {
  const path = `${folder}/${name}.jwk`;
  if (!existsSync(path)) {
    const { privateKey } = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(privateKey)), kid: name, alg: 'ES256', use: 'sig' };
    writeFileSync(path, JSON.stringify(jwk));
  }
  keys.push(JSON.parse(readFileSync(path, 'utf8')));
}
writeFileSync(out, JSON.stringify({ keys }));
