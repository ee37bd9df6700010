//! The table cell by cell, and callers of every sort.

use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::{
    catalog::builtin,
    domain::{
        Common, Object, Stamp, Time, UniqueName,
        directory::{Persona, SecurityRole, Team, UserKind},
    },
};

/// Methods of one row of SPEC §12.2, then what AGENT, READER, ADMIN, SERVICE and PRODUCTIVITY may:
/// `any`, `self`, `explain` (self, if agents may Explain themselves), `dry` (validate_only), `-`.
const ROWS: &[(&str, &str, [&str; 5])] = &[
    ("AgentService", "ResolveProfile WatchProfile", ["self", "any", "any", "any", "self"]),
    ("AgentService", "BulkResolve", ["-", "any", "any", "any", "-"]),
    ("InsightService", "Explain", ["explain", "any", "any", "any", "explain"]),
    ("InsightService", "SearchByUser ListFindings", ["-", "any", "any", "-", "-"]),
    ("ProfileService", "GetProfile ListProfiles", ["-", "any", "any", "-", "-"]),
    ("SettingsService", "GetSettings", ["-", "any", "any", "-", "-"]),
    (
        "SessionTemplateService",
        "GetSessionTemplate ListSessionTemplates",
        ["-", "any", "any", "-", "any"],
    ),
    (
        "ApplicationTabTemplateService",
        "GetApplicationTabTemplate ListApplicationTabTemplates",
        ["-", "any", "any", "-", "any"],
    ),
    (
        "ProductivityToolService",
        "GetProductivityTool ListProductivityTools",
        ["-", "any", "any", "-", "any"],
    ),
    ("ProviderService", "GetChannelProvider ListChannelProviders", ["-", "any", "any", "-", "any"]),
    (
        "DirectoryService",
        "GetUser ListUsers GetTeam ListTeams GetSecurityRole ListSecurityRoles",
        ["-", "any", "any", "any", "-"],
    ),
    (
        "DirectoryService",
        "UpsertUser BatchUpsertUsers SetUserRoles DisableUser EnableUser DeleteUser UpsertTeam \
         DeleteTeam UpsertRole DeleteRole",
        ["-", "-", "any", "any", "-"],
    ),
    ("ProviderService", "ReportProviderHealth", ["-", "-", "any", "any", "-"]),
    ("ProviderService", "RotateSecretKeys", ["-", "-", "any", "-", "-"]),
    ("SettingsService", "UpdateSettings", ["-", "dry", "any", "-", "-"]),
    (
        "ProfileService",
        "CreateProfile CloneProfile UpdateProfile DeleteProfile ActivateProfile DeactivateProfile \
         SetDefault RemoveDefault SetRankAndRoles RemoveRankAndRoles AddUsers RemoveUsers \
         AddSessionTemplate LinkProviders UnlinkProviders SetPane SetInbox SetCopilot SetChannels",
        ["-", "dry", "any", "-", "-"],
    ),
    (
        "SessionTemplateService",
        "CreateSessionTemplate CloneSessionTemplate UpdateSessionTemplate DeleteSessionTemplate \
         ActivateSessionTemplate DeactivateSessionTemplate",
        ["-", "dry", "any", "-", "-"],
    ),
    (
        "ApplicationTabTemplateService",
        "CreateApplicationTabTemplate CloneApplicationTabTemplate UpdateApplicationTabTemplate \
         DeleteApplicationTabTemplate ActivateApplicationTabTemplate \
         DeactivateApplicationTabTemplate",
        ["-", "dry", "any", "-", "-"],
    ),
    (
        "ProductivityToolService",
        "CreateProductivityTool CloneProductivityTool UpdateProductivityTool \
         DeleteProductivityTool ActivateProductivityTool DeactivateProductivityTool",
        ["-", "dry", "any", "-", "-"],
    ),
    (
        "ProviderService",
        "CreateChannelProvider CloneChannelProvider UpdateChannelProvider DeleteChannelProvider \
         ActivateChannelProvider DeactivateChannelProvider",
        ["-", "dry", "any", "-", "-"],
    ),
    ("ProviderService", "VerifyProvider", ["-", "-", "any", "any", "-"]),
    ("ProviderService", "ListAdapters", ["-", "any", "any", "any", "-"]),
    (
        "VoiceService",
        "MintClientToken StartCall EndCall HoldCall ResumeCall TransferCall SetPresence WatchCalls \
         GetCall",
        ["self", "-", "-", "any", "self"],
    ),
    ("VoiceService", "ListCalls", ["self", "any", "any", "any", "self"]),
];

const COLUMNS: [Scope; 5] =
    [Scope::Agent, Scope::Reader, Scope::Admin, Scope::Service, Scope::Productivity];

fn actor(scopes: &[Scope]) -> Actor {
    Actor {
        subject: "john.doe".into(),
        user: Some(UserId::parse("john.doe").unwrap()),
        scopes: Scopes::of(scopes),
    }
}

/// What the cell says about a call, in words of the rows above.
fn may(cell: &str, call: &Call<'_>, own: bool) -> bool {
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
    let mut seen = BTreeSet::new();
    for (service, methods, cells) in ROWS {
        for method in methods.split_whitespace() {
            let path = format!("deskplane.v1.{service}/{method}");
            assert!(seen.insert(path.clone()), "{path} stands twice");
            for (scope, cell) in COLUMNS.iter().zip(cells) {
                let subjects = [(None, true), (Some(""), true), (Some("users/John.Doe"), true)];
                for (subject, own) in subjects.into_iter().chain([(Some("jane"), false)]) {
                    for flags in 0..4 {
                        let call = Call {
                            subject,
                            validate_only: flags & 1 != 0,
                            agent_explain: flags & 2 != 0,
                        };
                        let answer = authorize(&path, &actor(&[*scope]), &call);
                        let want = may(cell, &call, own);
                        assert_eq!(answer.is_ok(), want, "{path} {scope:?} {call:?}");
                    }
                }
            }
        }
    }
    assert_eq!(seen.len(), RPCS.len(), "a row is missing");
}

#[test]
fn scopes_add_up_and_none_allows_nothing() {
    let call = Call { subject: Some("jane"), ..Call::default() };
    for rpc in RPCS {
        assert!(authorize(rpc.path, &actor(&[]), &call).is_err(), "{}", rpc.path);
        let all = [Scope::Agent, Scope::Admin, Scope::Service];
        assert!(authorize(rpc.path, &actor(&all), &call).is_ok(), "{}", rpc.path);
    }
    assert_eq!(
        authorize("deskplane.v1.Nothing/Get", &actor(&[Scope::Admin]), &call).unwrap_err().reason,
        Reason::Internal
    );
}

#[test]
fn refusals_say_which_scopes_would_do() {
    const RESOLVE: &str = "deskplane.v1.AgentService/ResolveProfile";
    const EXPLAIN: &str = "deskplane.v1.InsightService/Explain";
    const FINDINGS: &str = "deskplane.v1.InsightService/ListFindings";
    const SET_DEFAULT: &str = "deskplane.v1.ProfileService/SetDefault";
    let (agent, service) = ([Scope::Agent], [Scope::Service]);
    let call =
        |subject, validate_only, agent_explain| Call { subject, validate_only, agent_explain };
    let cases: &[(&str, &[Scope], Call<'_>, Option<&str>)] = &[
        (SET_DEFAULT, &agent, call(None, false, false), Some("ADMIN")),
        (SET_DEFAULT, &agent, call(None, true, false), Some("ADMIN,READER")),
        (RESOLVE, &[], call(Some("jane"), false, false), Some("ADMIN,READER,SERVICE")),
        (RESOLVE, &[], call(None, false, false), Some("ADMIN,READER,AGENT,SERVICE,PRODUCTIVITY")),
        (RESOLVE, &agent, call(Some("users/jane"), false, false), None),
        (EXPLAIN, &agent, call(Some("jane"), false, false), Some("ADMIN,READER,SERVICE")),
        (EXPLAIN, &agent, call(Some("jane"), false, true), None),
        (FINDINGS, &service, call(None, false, true), Some("ADMIN,READER")),
    ];
    for (path, scopes, call, required) in cases {
        let refusal = authorize(path, &actor(scopes), call).unwrap_err();
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
fn an_agent_without_a_user_reaches_nobody_by_name() {
    let actor = Actor { user: None, ..actor(&[Scope::Agent]) };
    let path = "deskplane.v1.AgentService/WatchProfile";
    let named = Call { subject: Some("jane"), ..Call::default() };
    assert_eq!(authorize(path, &actor, &named).unwrap_err().reason, Reason::SelfOnly);
    // Which user is meant is the operation's question.
    assert!(authorize(path, &actor, &Call::default()).is_ok());
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
