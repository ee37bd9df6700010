// What a page does: it resolves, watches until a change comes, stops, and reads a refusal.
// The address of the page names server and user; what happened goes to /done of its own origin.
import { Code, createClient } from '@connectrpc/connect';
import { createGrpcWebTransport } from '@connectrpc/connect-web';
import { AgentService } from './gen/deskplane/v1/agent_service_pb.js';
import { ProfileService } from './gen/deskplane/v1/profile_service_pb.js';

const query = new URLSearchParams(location.search);
const user = query.get('user');
const transport = createGrpcWebTransport({ baseUrl: query.get('server') });
const agents = createClient(AgentService, transport);
const profiles = createClient(ProfileService, transport);

async function run() {
    const resolved = await agents.resolveProfile({ user });
    const watched = new AbortController();
    const seen = [];
    try {
        for await (const message of agents.watchProfile({ user }, { signal: watched.signal })) {
            if (message.event.case !== 'snapshot') continue;
            seen.push(message.event.value.profile.digest);
            if (seen.length === 1) {
                const name = `page_${Date.now()}`;
                await profiles.createProfile({ profile: { uniqueName: name, displayName: 'Page' } });
                await profiles.addUsers({ name, users: [user], move: true });
            } else {
                watched.abort();
            }
        }
    } catch (error) {
        if (error.code !== Code.Canceled) throw error;
    }
    if (seen[0] !== resolved.profile.digest || seen[0] === seen[1]) throw new Error(`saw ${seen}`);
    try {
        await agents.resolveProfile({ user: 'nobody' });
    } catch (error) {
        if (error.code !== Code.NotFound || error.details.length === 0) throw error;
        return 'all done';
    }
    throw new Error('nobody was found');
}

run().then((text) => text, (error) => `failed: ${error}`).then((text) =>
    fetch('/done', { method: 'POST', body: text }));
