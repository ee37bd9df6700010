//! A role or a profile that very many hold goes in one small record.

use std::collections::BTreeSet;

pub(crate) use super::submission;
use super::*;
use crate::{
    command::{
        BatchUpsertUsers, CreateProfile, DeleteProfile, DeleteRole, Displace, RolePatch,
        SetRankAndRoles, UpsertRole, UserPatch, UserRow,
    },
    store::Record,
};

/// Rows of one batch.
const ROWS: usize = 1_000;

pub(crate) fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

pub(crate) fn user(number: usize) -> UserId {
    UserId::parse(&format!("u{number:06}")).unwrap()
}

pub(crate) fn upsert_role(text: &str, display_name: &str) -> Box<dyn Command> {
    let display_name = Some(display_name.to_owned());
    let patch = RolePatch { display_name, ..RolePatch::default() };
    Box::new(UpsertRole { name: text.into(), etag: None, patch })
}

pub(crate) fn delete_role(text: &str) -> Box<dyn Command> {
    Box::new(DeleteRole { name: name(text), etag: None })
}

pub(crate) fn delete_profile(text: &str) -> Box<dyn Command> {
    Box::new(DeleteProfile::new(name(text), None, true))
}

fn profile(text: &str) -> Box<dyn Command> {
    let patch = ProfilePatch { display_name: Some("P".into()), ..ProfilePatch::default() };
    Box::new(CreateProfile { unique_name: text.into(), patch })
}

/// Who gets a profile by the role that all users hold, and who by a link.
const BY_ROLE: &str = "contoso_by_role";
pub(crate) const BY_LINK: &str = "contoso_by_link";
/// The role, and the one that it is a copy of.
pub(crate) const COPY: &str = "contoso_unit";
pub(crate) const ROOT: &str = "contoso_agents";

/// So many users who hold the role, the first `linked` of them with a direct link.
pub(crate) async fn fill(ledger: &Ledger, users: usize, linked: usize) {
    let root_role = Some(Some(name(ROOT)));
    let display_name = Some("Copy".to_owned());
    let patch = RolePatch { display_name, root_role, ..RolePatch::default() };
    let rank = SetRankAndRoles {
        profile: name(BY_ROLE),
        etag: None,
        rank: Some(1),
        roles: vec![ROOT.to_owned()],
        displace: Displace::default(),
        override_managed: false,
    };
    let copy = UpsertRole { name: COPY.into(), etag: None, patch };
    let first: Vec<Box<dyn Command>> = vec![
        upsert_role(ROOT, "Agents"),
        Box::new(copy),
        profile(BY_ROLE),
        profile(BY_LINK),
        Box::new(rank),
    ];
    for command in first {
        ledger.submit(submission(command)).await.unwrap();
    }
    let roles = Some(BTreeSet::from([name(COPY)]));
    let row = |number| UserRow {
        id: user(number),
        etag: None,
        patch: UserPatch { roles: roles.clone(), ..UserPatch::default() },
        profile: (number < linked).then(|| name(BY_LINK)),
    };
    let numbers: Vec<_> = (0..users).collect();
    for part in numbers.chunks(ROWS) {
        let rows = part.iter().copied().map(row).collect();
        ledger.submit(submission(Box::new(BatchUpsertUsers { rows }))).await.unwrap();
    }
}

async fn recording(store: &Arc<Memory>) -> (Ledger, Arc<Mutex<Vec<Record>>>) {
    let records = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&records);
    let publish = move |p: &Committed| sink.lock().unwrap().extend(p.records.iter().cloned());
    let store = Arc::clone(store) as Arc<dyn Store>;
    (
        Ledger::open(&crate::tasks::Tasks::default(), store, Clock::system(), adapters(), publish)
            .await
            .unwrap(),
        records,
    )
}

/// Roles and links of all users together, as readers see them.
fn held(ledger: &Ledger) -> (usize, usize) {
    let catalog = ledger.catalog();
    catalog.users().fold((0, 0), |(roles, links), seated| {
        (roles + seated.user().roles.len(), links + seated.user().direct.len())
    })
}

#[tokio::test]
async fn what_very_many_hold_goes_in_one_small_record() {
    let store = Arc::new(Memory::new());
    let (ledger, records) = recording(&store).await;
    fill(&ledger, 2_000, 1_100).await;
    assert_eq!(held(&ledger), (2_000, 1_100));
    let etags = |ledger: &Ledger| -> Vec<_> {
        ledger.catalog().users().map(|seated| seated.user().stamp.etag()).collect()
    };
    let before = etags(&ledger);

    // Command, users whose profile changes, holders and links that are left.
    let steps = [
        (delete_profile(BY_LINK), 1_100, (2_000, 0)),
        (delete_role(COPY), 2_000, (0, 0)),
        (upsert_role(COPY, "Another"), 0, (0, 0)),
        (profile(BY_LINK), 0, (0, 0)),
    ];
    for (command, affected, left) in steps {
        let asked = format!("{command:?}");
        let revision = ledger.catalog().revision;
        let outcome = ledger.submit(submission(command)).await.unwrap();
        assert_eq!(outcome.revision, revision + 1, "{asked}");
        assert_eq!(outcome.affected.total_count, affected, "{asked}");
        let listed: Vec<_> = outcome.affected.users.iter().map(|one| one.user.clone()).collect();
        let first = (0..usize::try_from(affected).unwrap()).take(100).map(user);
        assert_eq!(listed, first.collect::<Vec<_>>(), "{asked}");
        let size = records.lock().unwrap().last().unwrap().encode().unwrap().len();
        assert!(size < 1_024, "{size} bytes: {asked}");
        assert_eq!(held(&ledger), left, "{asked}");
        let (again, _) = open(&store).await;
        assert_eq!(held(&again), left, "started again after {asked}");
    }
    assert_eq!(etags(&ledger), before, "no user was written");

    // The next write of a user stores what its readers saw.
    let roles = BTreeSet::from([name(COPY)]);
    let patch = UserPatch { roles: Some(roles.clone()), ..UserPatch::default() };
    let rows = vec![UserRow { id: user(0), etag: None, patch, profile: None }];
    ledger.submit(submission(Box::new(BatchUpsertUsers { rows }))).await.unwrap();
    assert_eq!(held(&ledger), (1, 0));
    let (again, _) = open(&store).await;
    assert_eq!(again.catalog().user(&user(0)).unwrap().user().roles, roles);
}
