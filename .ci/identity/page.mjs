// What a page of an agent does: it gets a token, resolves, watches until the stream ends with the
// token, gets the next one, and goes on where it was. Its server hands it tokens of the provider.
// The address of the page names the server; what happened goes to /done of its own origin.
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { AgentService } from './gen/deskplane/v1/agent_service_pb.js';

let token = '';
const renew = async () => {
    const answer = await fetch('/token');
    if (!answer.ok) throw new Error(`no token: ${answer.status}`);
    token = await answer.text();
};
const bearer = (next) => (request) => {
    if (token) request.header.set('authorization', `Bearer ${token}`);
    return next(request);
};
const baseUrl = new URLSearchParams(location.search).get('server');
const agents = createClient(AgentService, createGrpcWebTransport({ baseUrl, interceptors: [bearer] }));
// The reason of google.rpc.ErrorInfo: its first field, a text.
const reason = (error) => {
    const info = error.details.find((detail) => detail.type === 'google.rpc.ErrorInfo')?.value;
    return info && new TextDecoder().decode(info.subarray(2, 2 + info[1]));
};

async function refused(code, expected) {
    const error = await agents.resolveProfile({}).then(() => { throw new Error('served'); }, (error) => error);
    if (error.code !== code || reason(error) !== expected) throw error;
}

// Watches until the stream ends with its token; answers what came.
async function watch(resumeToken) {
    const seen = { kinds: [], resume: resumeToken, digest: undefined };
    try {
        for await (const { event } of agents.watchProfile({ resumeToken, clientId: 'page' })) {
            seen.kinds.push(event.case);
            seen.resume = event.value.resumeToken || seen.resume;
            seen.digest ??= event.value.profile?.digest;
        }
    } catch (error) {
        if (error.code !== Code.Unauthenticated || reason(error) !== 'TOKEN_EXPIRED') throw error;
        return seen;
    }
    throw new Error('the stream ended without a reason');
}

async function run() {
    await refused(Code.Unauthenticated, 'CREDENTIAL_REQUIRED');
    await renew();
    const resolved = await agents.resolveProfile({});
    const first = await watch('');
    if (first.kinds[0] !== 'snapshot' || first.digest !== resolved.profile.digest) {
        throw new Error(`the first stream: ${first.kinds}`);
    }
    await refused(Code.Unauthenticated, 'TOKEN_EXPIRED');
    await renew();
    const second = await watch(first.resume);
    if (second.kinds[0] !== 'inSync' || second.kinds.includes('snapshot')) {
        throw new Error(`the renewed stream: ${second.kinds}`);
    }
    token = 'dsk_guess';
    await refused(Code.Unauthenticated, 'CREDENTIAL_INVALID');
    return 'all done';
}

run().then((text) => text, (error) => `failed: ${error}`).then((text) =>
    fetch('/done', { method: 'POST', body: text }));
