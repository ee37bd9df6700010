// Clients from npm over TLS: gRPC-Web by connect over HTTP/1.1 and HTTP/2, and grpc-js.
// Usage: node node.mjs ADDRESS CA PROTO USER
import assert from 'node:assert';
import { readFileSync } from 'node:fs';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-node';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';
import { AgentService } from './gen/deskplane/v1/agent_service_pb.js';

const [address, ca, proto, user] = process.argv.slice(2);

for (const httpVersion of ['1.1', '2']) {
    const transport = createGrpcWebTransport({ baseUrl: `https://${address}`, httpVersion });
    const agents = createClient(AgentService, transport);
    const resolved = await agents.resolveProfile({ user });
    assert.ok(resolved.profile.digest.startsWith('d1:'));
    const watched = new AbortController();
    try {
        for await (const message of agents.watchProfile({ user }, { signal: watched.signal })) {
            if (message.event.case === 'snapshot') {
                assert.equal(message.event.value.profile.digest, resolved.profile.digest);
                watched.abort();
            }
        }
        assert.fail('the stream ended by itself');
    } catch (error) {
        assert.equal(ConnectError.from(error).code, Code.Canceled);
    }
    await assert.rejects(agents.resolveProfile({ user: 'nobody' }), (error) => {
        assert.equal(error.code, Code.NotFound);
        assert.ok(error.details.length > 0);
        return true;
    });
    await assert.rejects(agents.watchProfile({ user }, { timeoutMs: 300 })[Symbol.asyncIterator]()
        .next().then(async () => { for await (const _ of agents.watchProfile({ user }, { timeoutMs: 300 })); }),
    (error) => error.code === Code.DeadlineExceeded);
}

const definition = loader.loadSync('deskplane/v1/agent_service.proto', { includeDirs: [proto] });
const { AgentService: Agents } = grpc.loadPackageDefinition(definition).deskplane.v1;
const client = new Agents(address, grpc.credentials.createSsl(readFileSync(ca)));
await new Promise((resolve, reject) => client.resolveProfile({ user }, (error, answer) => {
    if (error) return reject(error);
    assert.ok(answer.profile.digest.startsWith('d1:'));
    resolve();
}));
const stream = client.watchProfile({ user });
await new Promise((resolve, reject) => {
    stream.on('data', (message) => { if (message.snapshot) resolve(); });
    stream.on('error', reject);
});
stream.on('error', () => {});
stream.cancel();
client.close();
