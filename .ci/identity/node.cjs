// A Node client (grpc-js) with a token of the issuer resolves, and is refused without one.
//
// Usage: node.cjs ADDRESS PROTO TOKEN

const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, proto, token] = process.argv.slice(2);
const definition = loader.loadSync('deskplane/v1/agent_service.proto', { includeDirs: [proto] });
const { AgentService } = grpc.loadPackageDefinition(definition).deskplane.v1;
const client = new AgentService(address, grpc.credentials.createInsecure());

function resolve(token) {
  const metadata = new grpc.Metadata();
  if (token) metadata.set('authorization', `Bearer ${token}`);
  return new Promise((done) => {
    const deadline = Date.now() + 20_000;
    client.ResolveProfile({}, metadata, { deadline }, (error, answer) => done({ error, answer }));
  });
}

(async () => {
  const right = await resolve(token);
  if (right.error) throw right.error;
  const wrong = await resolve();
  if (wrong.error?.code !== grpc.status.UNAUTHENTICATED) throw new Error(`served: ${wrong}`);
  client.close();
})();
