//! What a connected client takes of memory: computed, and measured.

use super::{
    super::{app_client_id::AppClientId, client::More},
    *,
};

const CLIENTS: usize = 100_000;
/// Most bytes that a client takes in all.
const LIMIT: usize = 200;
/// The same while it has not applied what it was sent, or rejected it without words.
const BEHIND: usize = 300;

/// Bytes that the allocator (glibc's, of 64 bits) takes for so many.
fn allocated(bytes: usize) -> usize {
    (bytes + 8).next_multiple_of(16).max(32)
}

/// Most bytes of the index for each client. Nodes of std's B-trees have 11 places for keys, which are
/// pointers here, a pointer up and two lengths; inner nodes 12 pointers down. Of keys there are at
/// least 5: these and the one above for each leaf, and one inner node for each 6 nodes below.
fn of_the_index() -> usize {
    let (leaf, down) = (104, 12 * size_of::<usize>());
    let inner_of_a_leaf = allocated(leaf + down).div_ceil(6 - 1);
    (allocated(leaf) + inner_of_a_leaf).div_ceil(5 + 1)
}

fn uuid(at: usize) -> String {
    let spread = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
    uuid::Uuid::from_u128(spread.wrapping_mul(at as u128 + 1)).to_string()
}

fn short(at: usize) -> String {
    format!("workplace-{at:05}")
}

fn content(number: usize) -> Arc<ContentId> {
    let profile = Some(UniqueName::parse("contoso_rep").unwrap());
    Arc::new(ContentId { digest: format!("d1:{number:064}"), profile })
}

fn report(client: &Client, content: &ContentId, status: ReportStatus) {
    let (user, app, client_id) = (client.user.clone(), client.id.app(), client.id.to_string());
    let digest = content.digest.clone();
    let report = Report { user, app, client_id, revision: 7, digest, status };
    assert_eq!(client.report(report, None), Ok(false));
}

fn send_and_apply(client: &Client, content: &Arc<ContentId>) {
    client.deliver(content, 7, Time::from_micros(1));
    report(client, content, ReportStatus::Applied);
}

#[test]
fn s10_8_a_client_takes_at_most_two_hundred_bytes() {
    let counts = 2 * size_of::<usize>();
    let computed = allocated(counts + size_of::<Client>()) + of_the_index();
    assert!(computed <= LIMIT, "{computed}");
    let behind = computed + allocated(size_of::<More>());
    println!("computed: {computed} bytes, {behind} while behind");
    let rejected = behind + allocated(size_of::<client::Rejected>());
    assert!(rejected <= BEHIND, "{rejected}");
    // That is all: the text of the id is kept in place, and so is all that is known of a client
    // that applied what it was sent last.
    for id in [uuid(0), short(0)] {
        let client = Client::new(UserId::parse("ann").unwrap(), App::Workspace, &id);
        assert!(!matches!(client.id, AppClientId::Long(..)), "{id}");
        for number in 0..3 {
            send_and_apply(&client, &content(number));
            assert!(client.state().more.is_none());
        }
    }
}

/// Bytes of memory that the process has, without pages of files: the program's own are among them.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1_024
}

#[test]
#[ignore = "measures alone: cargo test --release --lib live::fleet -- --ignored --nocapture"]
fn s10_8_a_client_is_measured_to_take_at_most_two_hundred_bytes() {
    let (first, second) = (content(1), content(2));
    // The catalog holds the ids of users anyway.
    let users: Vec<_> =
        (0..CLIENTS).map(|at| UserId::parse(&format!("agent{at:06}")).unwrap()).collect();
    // All are kept to the end: what one gave back would be used again for another.
    let fleets = [uuid as fn(usize) -> String, short].map(|id| {
        let (fleet, before) = (fleet(), resident());
        let each = || (resident() - before) / CLIENTS;
        for (at, user) in users.iter().enumerate() {
            let client = Client::new(user.clone(), App::Workspace, &id(at));
            let client = fleet.shared.index().connect(client, Time::from_micros(1));
            send_and_apply(&client, &first);
        }
        let applied = each();
        for client in fleet.shared.index().after(None, CLIENTS) {
            client.deliver(&second, 8, Time::from_micros(2));
        }
        let behind = each();
        println!("ids like {}: {applied} bytes, {behind} while behind", id(0));
        assert!(applied <= LIMIT && behind <= BEHIND, "{applied} {behind}");
        fleet
    });
    for fleet in fleets {
        assert_eq!(fleet.statuses(None, 7).count(), CLIENTS);
    }
}
