// The longest refusals that callers can provoke, and user ids of every form, as grpc-js sees them.
//
// Usage: node refusals.cjs ADDRESS FOLDER_OF_PROTOS FOLDER_OF_PACKAGES TABLE
//
// TABLE is what refusals.py wrote; the server still holds what it made.

'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');

const [address, protos, packages, table] = process.argv.slice(2);
const load = createRequire(path.join(path.resolve(packages), 'package.json'));
const grpc = load('@grpc/grpc-js');
const loader = load('@grpc/proto-loader');
const protobuf = load('protobufjs');

const WAIT = 30_000;
const AWKWARD = "#%|'\\";
const IDS = [
    'kim_fabrikam.example#EXT#@contoso.example',
    "o'brien@contoso.example",
    'auth0|64a1b2',
    'CONTOSO\\kim',
    '5b1f3c0e-8d0a-4f6e-9d59-0b9e3f6f4f11',
    '100%41',
];

const files = fs.readdirSync(path.join(protos, 'deskplane/v1')).map((file) => `deskplane/v1/${file}`);
const definition = loader.loadSync(
    files.filter((file) => file.endsWith('_service.proto')),
    { includeDirs: [protos], keepCase: true, enums: String, longs: String, oneofs: true },
);
const api = grpc.loadPackageDefinition(definition).deskplane.v1;
const details = `syntax = "proto3"; package google;
    message Any { string type_url = 1; bytes value = 2; }
    message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
    message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }`;
const { root } = protobuf.parse(details, { keepCase: true });
const [Status, ErrorInfo] = ['google.Status', 'google.ErrorInfo'].map((name) => root.lookupType(name));

/** Clients of every service on one connection. */
function connect(options = {}) {
    // Requests are compressed with gzip.
    options = { 'grpc.default_compression_algorithm': 2, ...options };
    const credentials = grpc.credentials.createInsecure();
    // One channel for all, so that a connection that is lost is lost for each of them.
    const channel = new grpc.Channel(address, credentials, options);
    const client = (name) => new api[name](address, credentials, { channelOverride: channel });
    return { channel, client };
}

const { channel, client } = connect();

/** Runs a call to its end: what it answered first, or the error, and the headers. */
function call(method, request, metadata = {}, from = client) {
    const [service, name] = method.split('/');
    const headers = new grpc.Metadata();
    for (const [key, value] of Object.entries(metadata)) headers.set(key, value);
    const options = { deadline: Date.now() + WAIT };
    const stub = from(service);
    return new Promise((resolve) => {
        let initial;
        const started = stub[name].requestStream || stub[name].responseStream
            ? stub[name](request, headers, options)
            : stub[name](request, headers, options, (error, answer) => resolve({ error, answer, initial }));
        started.on('metadata', (found) => (initial = found));
        if (stub[name].responseStream) {
            started.on('data', (answer) => resolve({ answer, initial }));
            started.on('error', (error) => resolve({ error, initial }));
        }
    });
}

async function ok(method, request, metadata) {
    const { error, answer } = await call(method, request, metadata);
    assert.ok(!error, `${method} ${JSON.stringify(request).slice(0, 300)}: ${error}`);
    return answer;
}

function check(what, error, code, why, says = '') {
    const found = grpc.status[error.code];
    assert.strictEqual(found, code, `${what}: ${found} ${error.details.slice(0, 300)}`);
    const [bytes] = error.metadata.get('grpc-status-details-bin');
    const status = Status.decode(bytes);
    assert.strictEqual(status.code, error.code, what);
    // grpc-js reads the text of the header by decodeURI, which leaves these two encoded.
    const shown = status.message.replaceAll('#', '%23').replaceAll('?', '%3F');
    assert.strictEqual(error.details, shown, what);
    const info = status.details.find((detail) => detail.type_url.endsWith('google.rpc.ErrorInfo'));
    const { reason, domain } = ErrorInfo.decode(info.value);
    assert.deepStrictEqual([domain, reason], ['deskplane', why], what);
    // Names compare without case, and some refusals say them in lower case.
    const named = status.message.toLowerCase().includes(says.toLowerCase());
    assert.ok(named, `${what}: no ${says} in ${status.message}`);
}

async function ids() {
    for (const known of IDS) {
        const id = `js-${known}`;
        const { user } = await ok('DirectoryService/UpsertUser', { user: { id } });
        assert.strictEqual(user.id, id);
        for (const name of [id, user.name, `users/${encodeURIComponent(id)}`]) {
            const { answer, initial } = await call('DirectoryService/GetUser', { name });
            assert.strictEqual(answer?.uid, user.uid, name);
            assert.ok(Number(initial.get('deskplane-revision')[0]) > 0, 'no revision');
            const resolved = await ok('AgentService/ResolveProfile', { user: name });
            assert.strictEqual(resolved.profile.user, id);
        }
        const own = { 'x-deskplane-user': id, 'x-deskplane-scopes': 'agent' };
        const resolved = await ok('AgentService/ResolveProfile', {}, own);
        assert.strictEqual(resolved.profile.user, id);
        for (const text of [id, id.replaceAll('\\', '\\\\')]) {
            const { users } = await ok('DirectoryService/ListUsers', { filter: `id = "${text}"` });
            assert.deepStrictEqual(users.map((found) => found.id), [id], text);
        }
    }
}

/** A stream whose events are taken one by one; the last is the error that ends it. */
function watch(user) {
    const [waiting, events] = [[], []];
    const put = (event) => (waiting.shift() ?? ((kept) => events.push(kept)))(event);
    const stream = client('AgentService').WatchProfile({ user });
    stream.on('data', (answer) => put({ answer }));
    stream.on('error', (error) => put({ error }));
    const next = () =>
        events.length ? Promise.resolve(events.shift()) : new Promise((resolve) => waiting.push(resolve));
    return async () => {
        const late = new Promise((_, reject) => {
            setTimeout(() => reject(new Error('the stream says nothing')), WAIT).unref();
        });
        return Promise.race([next(), late]);
    };
}

async function main() {
    await ids();
    const watched = `js-watched${AWKWARD}`;
    await ok('DirectoryService/UpsertUser', { user: { id: watched } });
    const next = watch(watched);
    assert.strictEqual((await next()).answer.snapshot.profile.user, watched);
    const refusals = JSON.parse(fs.readFileSync(table, 'utf8'));
    for (const [what, method, request, code, why, metadata, says] of refusals) {
        // JSON has update masks as one text.
        const mask = request.update_mask && { update_mask: { paths: request.update_mask.split(',') } };
        const { error, answer } = await call(method, { ...request, ...mask }, metadata);
        assert.ok(error, `${what} is accepted: ${JSON.stringify(answer)}`);
        check(what, error, code, why, says);
        await ok('SettingsService/GetSettings', {});
    }
    const foreign = connect({ 'grpc.default_authority': `${'foreign-'.repeat(99)}.example` });
    const { error } = await call('DirectoryService/ListUsers', {}, {}, foreign.client);
    check('authority', error, 'PERMISSION_DENIED', 'AUTHORITY_REFUSED');
    foreign.channel.close();

    // The stream is still there, and ends with a reason of its own.
    await ok('ProfileService/AddUsers', { name: 'longr_other', users: [watched] });
    const changed = await next();
    assert.ok(changed.answer, `the connection did not survive: ${changed.error}`);
    assert.strictEqual(changed.answer.snapshot.profile.content.profile.unique_name, 'longr_other');
    await ok('DirectoryService/DeleteUser', { name: watched });
    check('the end of a stream', (await next()).error, 'NOT_FOUND', 'USER_DELETED');
    channel.close();
    console.log(`node: ${refusals.length + 2} long refusals and ${IDS.length} user ids, read as they are`);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
