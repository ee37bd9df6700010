// Twilio's Node library as the other side.
// Usage: node twilio.cjs FOLDER sign FILE | judge FILE; FOLDER is where the library is installed.
const assert = require('node:assert');
const fs = require('node:fs');
const { createRequire } = require('node:module');

const [folder, command, path] = process.argv.slice(2);
const library = createRequire(`${folder}/node_modules/`);
const twilio = library('twilio');
const jwt = library('jsonwebtoken');

const authToken = 'auth-token-9a8b7c';
const keySecret = 'key-secret-1f2e3d';
const hook = 'https://desk.example.com/webhooks/contoso_voice';

const grouped = (pairs) => {
    const params = {};
    for (const [name, value] of pairs) {
        params[name] = name in params ? [params[name], value].flat() : value;
    }
    return params;
};

const sign = () => {
    const forms = [
        [['CallSid', 'CA' + 'a'.repeat(32)], ['CallStatus', 'busy'], ['To', 'client:kim_2Elee']],
        [['z', ''], ['Caller', 'Jörg & Söhne'], ['a b', 'x=y&\'"%27'], ['Z', '+ ~']],
        [['Media', 'b'], ['Media', 'a'], ['Media', 'b']],
    ];
    const urls = [`${hook}?call_id=7`, "https://desk.example.com:8443/a?x=o'k", 'http://desk.example.com/a'];
    const made = urls.flatMap((url) =>
        forms.map((params) => ({
            url,
            params,
            json: null,
            signature: twilio.getExpectedTwilioSignature(authToken, url, grouped(params)),
            settings: null,
        })),
    );
    const json = JSON.stringify({ event: 'süß' });
    const url = `${hook}?bodySHA256=${twilio.getExpectedBodyHash(json)}`;
    const signature = twilio.getExpectedTwilioSignature(authToken, url, {});
    made.push({ url, params: [], json, signature, settings: null });
    // Signed with the escaped form, posted to the plain one.
    const plain = `${hook}?name=o'k`;
    const escaped = twilio.getExpectedTwilioSignature(authToken, plain.replace("'", '%27'), {});
    made.push({ url: plain, params: [], json: null, signature: escaped, settings: null });
    fs.writeFileSync(path, JSON.stringify(made));
    console.log(`node: signed ${made.length} requests`);
};

const judge = () => {
    const ours = JSON.parse(fs.readFileSync(path, 'utf8'));
    ours.tokens.forEach((token, number) => {
        const { header, payload } = jwt.verify(token, keySecret, { complete: true, algorithms: ['HS256'] });
        assert.throws(() => jwt.verify(token, 'another', { algorithms: ['HS256'] }));
        const region = [undefined, 'ie1'][number];
        const options = { identity: ours.identity, region, ttl: 3600, nbf: payload.nbf };
        const theirs = new twilio.jwt.AccessToken(ours.account_sid, ours.api_key_sid, keySecret, options);
        const grant = { incomingAllow: true, outgoingApplicationSid: ours.application_sid };
        theirs.addGrant(new twilio.jwt.AccessToken.VoiceGrant(grant));
        const expected = jwt.decode(theirs.toJwt(), { complete: true });
        assert.deepStrictEqual(header, expected.header);
        assert.deepStrictEqual(payload.grants, expected.payload.grants);
        const fields = ['iss', 'sub', 'nbf'];
        for (const field of fields) assert.strictEqual(payload[field], expected.payload[field]);
        assert.strictEqual(payload.exp - payload.nbf, 3600);
        assert.ok(payload.jti.startsWith(`${ours.api_key_sid}-`));
    });
    // This library knows no shared keys.
    const signed = ours.signed.filter((request) => request.settings === null);
    for (const { url, params, signature } of signed) {
        assert.ok(twilio.validateRequest(authToken, signature, url, grouped(params)), url);
        assert.ok(!twilio.validateRequest(authToken, signature, `${url}x`, grouped(params)), url);
    }
    assert.ok(ours.tokens.length === 2 && signed.length >= 6);
    console.log(`node: accepted ${ours.tokens.length} tokens, ${signed.length} signed`);
};

({ sign, judge })[command]();
