//! The table cell by cell, and callers of every sort.

mod reference;

use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::{
    catalog::builtin,
    domain::{
        Common, Object, Stamp, Time, UniqueName,
        directory::{Team, UserKind},
        role::{Persona, SecurityRole},
    },
};

/// The rows of SPEC §12.2: service, methods (a `*` stands for the rest of a name), and what AGENT,
/// READER, ADMIN, SERVICE, DIRECTORY and PRODUCTIVITY may: `any`, `self`, `explain` (self, if agents may Explain
/// themselves), `dry` (validate_only), `-`. The first that fits counts; a library kind needs no row.
const ROWS: &[(&str, &str, [&str; 6])] = &[
    (
        "AgentService",
        "ResolveProfile WatchProfile RenderSession",
        ["self", "any", "any", "any", "-", "self"],
    ),
    ("AgentService", "BulkResolve", ["-", "any", "any", "any", "-", "-"]),
    ("AgentService", "ReportProfileStatus", ["self", "-", "-", "-", "-", "self"]),
    ("IdentityService", "GetCaller", ["any"; 6]),
    ("FleetService", "List* Get*", ["-", "any", "any", "-", "-", "-"]),
    ("HistoryService", "List* Get* Watch* Diff*", ["-", "any", "any", "-", "-", "-"]),
    ("InsightService", "Explain", ["explain", "any", "any", "any", "-", "explain"]),
    ("InsightService", "SearchByUser ListFindings PreviewUser", ["-", "any", "any", "-", "-", "-"]),
    ("ChangeService", "PreviewChanges", ["-", "any", "any", "-", "-", "-"]),
    ("ChangeService", "ApplyChanges", ["-", "dry", "any", "-", "-", "-"]),
    ("AuditService", "List*", ["-", "any", "any", "-", "-", "-"]),
    ("DirectoryService", "Get* List*", ["-", "any", "any", "any", "any", "-"]),
    (
        "DirectoryService",
        "Upsert* Batch* Set* Disable* Enable* Delete*",
        ["-", "-", "any", "-", "any", "-"],
    ),
    ("ProviderService", "ReportProviderHealth VerifyProvider", ["-", "-", "any", "any", "-", "-"]),
    ("ProviderService", "ListAdapters", ["-", "any", "any", "any", "-", "-"]),
    ("ProviderService", "RotateSecretKeys", ["-", "-", "any", "-", "-", "-"]),
    ("VoiceService", "ListCalls", ["self", "any", "any", "any", "-", "self"]),
    (
        "VoiceService",
        "Mint* Start* End* Hold* Resume* Transfer* SetPresence WatchCalls GetCall",
        ["self", "-", "-", "any", "-", "self"],
    ),
    ("ProfileService", "Get* List*", ["-", "any", "any", "-", "-", "-"]),
    ("HistoryService", "Rollback", ["-", "dry", "any", "-", "-", "-"]),
    ("SettingsService", "Get*", ["-", "any", "any", "-", "-", "-"]),
    ("ProfileService", "Set* Remove* Add* Link* Unlink*", ["-", "dry", "any", "-", "-", "-"]),
    ("TransferService", "Export", ["-", "any", "any", "-", "-", "-"]),
    ("TransferService", "Import UninstallBundle", ["-", "dry", "any", "-", "-", "-"]),
    ("*", "Get* List*", ["-", "any", "any", "-", "-", "any"]),
    (
        "AgentScriptService",
        "Create* Clone* Update* Delete* Activate* Deactivate*",
        ["-", "dry", "any", "-", "-", "any"],
    ),
    (
        "MacroService",
        "Create* Clone* Update* Delete* Activate* Deactivate*",
        ["-", "dry", "any", "-", "-", "any"],
    ),
    (
        "*",
        "Create* Clone* Update* Delete* Activate* Deactivate*",
        ["-", "dry", "any", "-", "-", "-"],
    ),
];

/// Whether a name is the one of a row.
fn fits(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |start| name.starts_with(start))
}

const COLUMNS: [Scope; 6] = [
    Scope::Agent,
    Scope::Reader,
    Scope::Admin,
    Scope::Service,
    Scope::Directory,
    Scope::Productivity,
];

fn actor(scopes: &[Scope]) -> Actor {
    Actor {
        subject: "john.doe".into(),
        user: Some(UserId::parse("john.doe").unwrap()),
        scopes: Scopes::of(scopes),
    }
}

/// What the cell says about a call, in words of the rows above.
fn may(cell: &str, call: &Attributes<'_>, own: bool) -> bool {
    match cell {
        "any" => true,
        "self" => own,
        "explain" => own && call.agent_explain,
        "dry" => call.validate_only,
        "-" => false,
        other => panic!("{other}"),
    }
}

#[test]
fn every_cell_allows_what_the_specification_says_and_nothing_else() {
    let mut used = BTreeSet::new();
    for rpc in RPCS {
        let path = rpc.path.strip_prefix("deskplane.v1.").unwrap();
        let (service, method) = path.split_once('/').unwrap();
        let row = ROWS.iter().position(|(services, methods, _)| {
            fits(services, service) && methods.split_whitespace().any(|name| fits(name, method))
        });
        let row = row.unwrap_or_else(|| panic!("{path} is in no row of SPEC §12.2"));
        used.insert(row);
        for (scope, cell) in COLUMNS.iter().zip(&ROWS[row].2) {
            let subjects = [(None, true), (Some(""), true), (Some("users/John.Doe"), true)];
            for (subject, own) in subjects.into_iter().chain([(Some("jane"), false)]) {
                for flags in 0..4 {
                    let call = Attributes {
                        subject,
                        validate_only: flags & 1 != 0,
                        agent_explain: flags & 2 != 0,
                    };
                    let actor = actor(&[*scope]);
                    // Both checks of a call: by its head, and by its message.
                    let answer = may_call(rpc, &actor).and_then(|()| authorize(rpc, &actor, &call));
                    let want = may(cell, &call, own);
                    assert_eq!(answer.is_ok(), want, "{path} {scope:?} {call:?}");
                }
            }
        }
    }
    assert_eq!(used.len(), ROWS.len(), "a row is about nothing");
}

#[test]
fn requests_that_carry_a_provider_may_hold_secrets() {
    let may_hold = RPCS.iter().filter(|rpc| rpc.may_hold_secrets).map(|rpc| rpc.path);
    assert_eq!(
        may_hold.collect::<Vec<_>>(),
        [
            "deskplane.v1.ChangeService/ApplyChanges",
            "deskplane.v1.ChangeService/PreviewChanges",
            "deskplane.v1.ProviderService/CreateChannelProvider",
            "deskplane.v1.ProviderService/UpdateChannelProvider",
        ]
    );
    let streams = RPCS.iter().filter(|rpc| rpc.streams).map(|rpc| rpc.path);
    assert_eq!(
        streams.collect::<Vec<_>>(),
        [
            "deskplane.v1.AgentService/WatchProfile",
            "deskplane.v1.HistoryService/WatchChanges",
            "deskplane.v1.TransferService/Export",
            "deskplane.v1.VoiceService/WatchCalls",
        ]
    );
}

#[test]
fn s11_3_the_reads_that_are_audited_are_those_of_the_specification() {
    let audited = |audit| {
        let rpcs = RPCS.iter().filter(move |rpc| rpc.audit == audit);
        rpcs.map(|rpc| rpc.path.rsplit('/').next().unwrap()).collect::<BTreeSet<_>>()
    };
    let always = ["BulkResolve", "Explain", "Export", "PreviewChanges", "PreviewUser"];
    let always = always.into_iter().filter(|name| RPCS.iter().any(|rpc| rpc.path.ends_with(name)));
    assert_eq!(audited(Audit::Always), always.collect());
    assert_eq!(audited(Audit::Others), BTreeSet::from(["ResolveProfile", "WatchProfile"]));
}

#[test]
fn scopes_add_up_and_none_allows_nothing() {
    let call = Attributes { subject: Some("jane"), ..Attributes::default() };
    for rpc in RPCS {
        assert!(may_call(rpc, &actor(&[])).is_err(), "{}", rpc.path);
        assert!(authorize(rpc, &actor(&[]), &call).is_err(), "{}", rpc.path);
        let all = actor(&[Scope::Agent, Scope::Admin, Scope::Service]);
        assert!(may_call(rpc, &all).is_ok(), "{}", rpc.path);
        // Nobody reports for another.
        let own = rpc.path.ends_with("/ReportProfileStatus");
        let call = if own { Attributes { subject: None, ..call } } else { call };
        assert!(authorize(rpc, &all, &call).is_ok(), "{}", rpc.path);
    }
}

#[test]
fn refusals_say_which_scopes_would_do() {
    const RESOLVE: &str = "deskplane.v1.AgentService/ResolveProfile";
    const EXPLAIN: &str = "deskplane.v1.InsightService/Explain";
    const FINDINGS: &str = "deskplane.v1.InsightService/ListFindings";
    const SET_DEFAULT: &str = "deskplane.v1.ProfileService/SetDefault";
    const SET_ROLES: &str = "deskplane.v1.DirectoryService/SetUserRoles";
    let (agent, service) = ([Scope::Agent], [Scope::Service]);
    let call = |subject, validate_only, agent_explain| Attributes {
        subject,
        validate_only,
        agent_explain,
    };
    let cases: &[(&str, &[Scope], Attributes<'_>, Option<&str>)] = &[
        (SET_DEFAULT, &agent, call(None, false, false), Some("ADMIN")),
        (SET_DEFAULT, &agent, call(None, true, false), Some("ADMIN,READER")),
        (RESOLVE, &[], call(Some("jane"), false, false), Some("ADMIN,READER,SERVICE")),
        (RESOLVE, &[], call(None, false, false), Some("ADMIN,READER,AGENT,SERVICE,PRODUCTIVITY")),
        (RESOLVE, &agent, call(Some("users/jane"), false, false), None),
        (EXPLAIN, &agent, call(Some("jane"), false, false), Some("ADMIN,READER,SERVICE")),
        (EXPLAIN, &agent, call(Some("jane"), false, true), None),
        (FINDINGS, &service, call(None, false, true), Some("ADMIN,READER")),
        (SET_ROLES, &service, call(None, false, false), Some("ADMIN,DIRECTORY")),
    ];
    for (path, scopes, call, required) in cases {
        let rpc = Rpc::find(path).unwrap();
        let refusal = authorize(rpc, &actor(scopes), call).unwrap_err();
        let got = refusal.metadata.get("required_scope").map(String::as_str);
        assert_eq!(got, *required, "{path} {call:?}");
        assert!(refusal.message.contains("john.doe") && refusal.message.contains(path));
        if required.is_none() {
            assert_eq!(refusal.reason, Reason::SelfOnly);
            assert_eq!(refusal.resources[0].name, "jane");
        } else {
            assert_eq!(refusal.reason, Reason::ScopeRequired);
        }
    }
}

#[test]
fn a_refusal_about_another_user_is_made_before_the_catalog_is_read() {
    // What decides is not handed the users, so neither its answer nor its time depends on them.
    let decide: fn(&Rpc, &Actor, &Attributes<'_>) -> Result<Scope, Refusal> = authorize;
    for rpc in RPCS {
        let actor = actor(&[Scope::Agent]);
        let other = Attributes { subject: Some("Jane"), ..Attributes::default() };
        let refusal = decide(rpc, &actor, &other).err();
        if let Some(refusal) = refusal.filter(|refusal| refusal.reason == Reason::SelfOnly) {
            // As it was sent: a user who is found would come back as stored.
            assert_eq!(refusal.resources[0].name, "Jane", "{rpc:?}");
        }
    }
}

#[test]
fn an_agent_without_a_user_reaches_nobody_by_name() {
    let actor = Actor { user: None, ..actor(&[Scope::Agent]) };
    let rpc = Rpc::find("deskplane.v1.AgentService/WatchProfile").unwrap();
    let named = Attributes { subject: Some("jane"), ..Attributes::default() };
    assert_eq!(authorize(rpc, &actor, &named).unwrap_err().reason, Reason::SelfOnly);
    // Which user is meant is the operation's question.
    assert!(authorize(rpc, &actor, &Attributes::default()).is_ok());
}

#[test]
fn the_head_of_a_request_refuses_only_what_no_message_could_allow() {
    const SET_DEFAULT: &str = "deskplane.v1.ProfileService/SetDefault";
    let cases: &[(&str, &[Scope], Option<&str>)] = &[
        (SET_DEFAULT, &[Scope::Reader], None),
        (SET_DEFAULT, &[Scope::Service], Some("ADMIN")),
        ("deskplane.v1.InsightService/Explain", &[Scope::Agent], None),
        ("deskplane.v1.ProviderService/RotateSecretKeys", &[Scope::Reader], Some("ADMIN")),
    ];
    for (path, scopes, required) in cases {
        let answer = may_call(Rpc::find(path).unwrap(), &actor(scopes));
        let required_scope = |refusal: Refusal| refusal.metadata["required_scope"].clone();
        assert_eq!(answer.map_err(required_scope).err().as_deref(), *required, "{path}");
    }
}

/// The caller where no credentials are configured.
fn caller(user: Option<&str>, scopes: Option<&str>, catalog: &Catalog) -> Result<Actor, Refusal> {
    Credential::local(user, scopes)?.actor(catalog)
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn role(name: &str, root: Option<&str>, grants: &[Scope]) -> Object {
    let name = UniqueName::parse(name).unwrap();
    Object::Role(Arc::new(SecurityRole {
        common: Common::custom(name, "Role"),
        stamp: stamp(),
        business_unit: String::new(),
        root_role: root.map(|root| UniqueName::parse(root).unwrap()),
        grants: grants.iter().copied().collect(),
        persona: Persona::None,
    }))
}

fn user(id: &str, roles: &[&str], disabled: bool) -> Object {
    Object::User(Arc::new(User {
        id: UserId::parse(id).unwrap(),
        stamp: stamp(),
        display_name: id.into(),
        kind: UserKind::Human,
        email: String::new(),
        roles: roles.iter().map(|role| UniqueName::parse(role).unwrap()).collect(),
        direct: Vec::new(),
        disabled,
        business_unit: String::new(),
        synced: None,
    }))
}

/// Users named after what they hold.
fn catalog() -> Catalog {
    let team = Object::Team(Arc::new(Team {
        id: crate::domain::TeamId::parse("desk").unwrap(),
        stamp: stamp(),
        display_name: "Desk".into(),
        members: BTreeSet::from([UserId::parse("nothing").unwrap()]),
        roles: BTreeSet::from([UniqueName::known("msdyn_system_administrator")]),
        external_id: None,
    }));
    let objects = builtin::objects(1, Time::default()).into_iter().chain([
        role("contoso_readers", None, &[Scope::Reader]),
        role("contoso_readers_unit", Some("contoso_readers"), &[Scope::Admin]),
        user("nothing", &[], false),
        user("Manager", &["msdyn_csr_manager"], false),
        user("copy", &["contoso_readers_unit"], false),
        user("both", &["contoso_readers", "msdyn_apm_user", "contoso_gone"], false),
        user("author", &["msdyn_productivity_administrator"], false),
        user("away", &["msdyn_system_administrator"], true),
        team,
    ]);
    Catalog::from_objects(objects, 1, Time::default())
}

#[test]
fn a_user_has_the_scopes_of_the_roots_of_his_own_roles() {
    use Scope::{Agent, Productivity, Reader};
    let catalog = catalog();
    let cases: &[(&str, &[Scope])] = &[
        ("nothing", &[]),
        ("manager", &[Agent, Reader]),
        ("copy", &[Reader]),
        ("both", &[Agent, Reader]),
        ("author", &[Agent, Productivity]),
        ("nobody.knows", &[]),
    ];
    for (id, scopes) in cases {
        let actor = caller(Some(id), None, &catalog).unwrap();
        assert_eq!(actor.scopes, Scopes::of(scopes), "{id}");
        assert_eq!(actor.user.unwrap(), UserId::parse(id).unwrap());
    }
    let manager = caller(Some("manager"), None, &catalog).unwrap();
    assert_eq!(manager.subject, "Manager", "spelled as stored");
}

#[test]
fn metadata_makes_the_caller_where_no_credentials_are_configured() {
    let catalog = catalog();
    let admin = caller(None, None, &catalog).unwrap();
    assert_eq!((admin.subject.as_str(), admin.user.as_ref()), (LOCAL_ADMINISTRATOR, None));
    assert_eq!(admin.scopes, Scopes::of(&[Scope::Admin]));
    assert!(UserId::parse(LOCAL_ADMINISTRATOR).is_err() && UserId::parse(LOCAL_CALLER).is_err());

    let cases: &[(Option<&str>, &str, &[Scope])] = &[
        (None, " Admin , READER", &[Scope::Admin, Scope::Reader]),
        (None, "agent,service", &[Scope::Agent, Scope::Service]),
        (None, "Directory", &[Scope::Directory]),
        (None, " ", &[]),
        (Some("manager"), "agent", &[Scope::Agent]),
        (Some("nobody.knows"), "service", &[Scope::Service]),
    ];
    for (user, scopes, want) in cases {
        let actor = caller(*user, Some(scopes), &catalog).unwrap();
        assert_eq!(actor.scopes, Scopes::of(want), "{user:?} {scopes}");
        assert_eq!(actor.user.is_some(), user.is_some());
    }
}

#[test]
fn metadata_that_cannot_be_read_is_refused_whole() {
    let refusal = caller(Some("not valid"), Some("admin,root,productivity,"), &catalog());
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.reason, Reason::FieldInvalid);
    let fields: Vec<_> = refusal.violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, [SCOPES_KEY, SCOPES_KEY, SCOPES_KEY, USER_KEY]);
    assert!(caller(Some(""), None, &catalog()).is_err());
}

#[test]
fn a_disabled_user_is_refused_whatever_the_credential_carries() {
    for scopes in [None, Some("agent"), Some("admin")] {
        let refusal = caller(Some("AWAY"), scopes, &catalog()).unwrap_err();
        assert_eq!(refusal.reason, Reason::CallerDisabled, "{scopes:?}");
        assert_eq!(refusal.resources[0].name, "away");
    }
}

#[test]
fn a_role_that_is_made_again_grants_nothing_to_those_who_held_the_last_one() {
    let at = |object: Object, micros| {
        let stamp = Stamp::new(uuid::Uuid::nil(), 1, Time::from_micros(micros), "test");
        object.with_stamp(stamp)
    };
    for (made, grants) in [(1, true), (9, false)] {
        let role = at(role("contoso_admins", None, &[Scope::Admin]), made);
        let user = at(user("ann", &["contoso_admins"], false), 5);
        let catalog = Catalog::from_objects([role, user], 9, Time::from_micros(9));
        let caller = user_caller(&catalog, UserId::parse("ann").unwrap(), None).unwrap();
        assert_eq!(caller.scopes.has(Scope::Admin), grants, "made at {made}");
    }
}
