//! Roles, who may change them, and teams.

use super::*;

#[test]
fn only_admin_changes_grants() {
    let grants = |grants: &[Scope]| RolePatch {
        grants: Some(grants.iter().copied().collect()),
        ..titled("Role")
    };
    let cases = [
        ("contoso_leads", grants(&[Scope::Admin]), false),
        ("contoso_leads", grants(&[]), false),
        ("contoso_leads", grants(&[Scope::Reader]), true),
        ("contoso_leads", titled("Other"), true),
        ("contoso_new", grants(&[Scope::Agent]), false),
        ("contoso_new", grants(&[]), true),
    ];
    for (text, patch, allowed) in cases {
        let command = upsert_role(text, patch);
        assert!(admin(&command).is_ok(), "{command:?}");
        let answer = Command::plan(&command, &catalog(), &context(&[Scope::Directory]));
        assert_eq!(answer.is_ok(), allowed, "{command:?}");
        if let Err(refusal) = answer {
            assert_eq!(refusal.reason, Reason::ScopeRequired);
            assert_eq!(refusal.metadata["required_scope"], "ADMIN");
        }
    }
}

#[test]
fn a_copy_points_to_its_root_as_stored() {
    let patch = RolePatch { root_role: Some(Some(name("CONTOSO_LEADS"))), ..titled("Copy") };
    let next = after(&upsert_role("Contoso_copy", patch));
    let made = next.tables.roles.find("contoso_COPY").unwrap();
    assert_eq!(made.root_role.as_ref().unwrap().as_str(), "contoso_leads");
    assert!(made.common.is_active());
}

#[test]
fn a_deleted_role_goes_with_mappings_and_holders() {
    let command = DeleteRole { name: name("CONTOSO_Leads"), etag: None };
    let plan = admin(&command).unwrap();
    let found: Vec<_> = plan.findings.iter().map(|f| (f.code, f.subject.as_str())).collect();
    assert_eq!(found, [(FindingCode::ProfileWithoutRole, "contoso_rep")]);
    let next = after(&command);
    assert!(next.tables.roles.find("contoso_leads").is_none());
    assert!(next.tables.profiles.find("contoso_rep").unwrap().roles.is_empty());
    assert_eq!(
        next.tables.profiles.find("contoso_other").unwrap().roles,
        names(&["contoso_agents"])
    );
    assert!(next.user(&id("ann")).unwrap().user().roles.is_empty());
    assert!(next.team(&team_id("contoso_desk")).unwrap().roles.is_empty());
}

#[test]
fn a_copy_goes_without_the_mappings_of_its_root() {
    let command = DeleteRole { name: name("contoso_agents_unit"), etag: None };
    let plan = admin(&command).unwrap();
    assert_eq!(plan.changes, [Change::Delete(ObjectKey::new(Kind::Role, "contoso_agents_unit"))]);
    assert!(plan.findings.is_empty());
}

#[test]
fn a_team_is_made_and_changed_and_deleted() {
    let patch = TeamPatch {
        display_name: Some(" Day shift ".into()),
        members: Some(ids(&["ANN"])),
        roles: Some(names(&["Contoso_Leads"])),
        external_id: Some(Some("4f-11".into())),
    };
    let next = after(&upsert_team("Day shift", patch));
    let made = next.team(&team_id("day shift")).unwrap();
    assert_eq!(
        (made.display_name.as_str(), made.members.first().unwrap().as_str()),
        ("Day shift", "Ann")
    );
    assert_eq!(made.external_id.as_deref(), Some("4f-11"));
    let patch = TeamPatch { members: Some(ids(&["bob"])), ..TeamPatch::default() };
    let next = after(&upsert_team("contoso_desk", patch));
    assert_eq!(next.team(&team_id("contoso_desk")).unwrap().members, ids(&["bob"]));
    assert_eq!(next.team(&team_id("contoso_desk")).unwrap().roles, names(&["contoso_leads"]));
    let next = after(&DeleteTeam { id: team_id("NIGHT shift"), etag: None });
    assert!(next.team(&team_id("night shift")).is_none());
}
