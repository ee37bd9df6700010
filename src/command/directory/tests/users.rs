//! Users one by one and in batches.

use super::*;

#[test]
fn a_new_user_gets_defaults_and_the_fields_of_the_patch() {
    let plain = after(&upsert_user("New.One", UserPatch::default()));
    let made = &plain.user(&id("new.one")).unwrap().user();
    assert_eq!((made.display_name.as_str(), made.kind), ("New.One", UserKind::Human));
    assert_eq!((made.stamp.uid, made.stamp.revision), (uuid::Uuid::from_u128(9), 2));

    let patch = UserPatch {
        display_name: Some("  New One ".into()),
        email: Some("new@contoso.com".into()),
        disabled: Some(true),
        ..with_roles(&["CONTOSO_Agents"])
    };
    let full = after(&upsert_user("new", patch));
    let made = &full.user(&id("new")).unwrap().user();
    assert_eq!((made.display_name.as_str(), made.email.as_str()), ("New One", "new@contoso.com"));
    assert!(made.disabled);
    assert_eq!(made.roles.first().unwrap().as_str(), "contoso_agents", "spelled as stored");
}

#[test]
fn an_emptied_display_name_is_the_id_again() {
    let patch = UserPatch { display_name: Some(" ".into()), ..UserPatch::default() };
    assert!(!admin(&upsert_user("bob", patch.clone())).unwrap().changed());
    let renamed = UserPatch { display_name: Some("Bob".into()), ..UserPatch::default() };
    let next = after(&upsert_user("bob", renamed));
    let plan = upsert_user("bob", patch).plan(&next, &context(&[Scope::Admin])).unwrap();
    let [Change::Put(Object::User(user))] = plan.changes.as_slice() else { panic!("{plan:?}") };
    assert_eq!(user.display_name, "bob");
}

#[test]
fn disabling_is_named_by_its_direction() {
    let set = |disabled| SetUserDisabled { user: id("bob"), etag: None, disabled };
    assert_eq!(Command::operation(&set(true)), "DisableUser");
    assert_eq!(Command::operation(&set(false)), "EnableUser");
    assert!(after(&set(true)).user(&id("bob")).unwrap().user().disabled);
}

#[test]
fn a_deleted_user_leaves_every_team() {
    let next = after(&DeleteUser { user: id("ANN"), etag: None });
    assert!(next.user(&id("ann")).is_none());
    assert!(next.teams().all(|team| !team.members.contains(&id("ann"))));
    assert_eq!(next.team(&team_id("contoso_desk")).unwrap().members, ids(&["old_hand"]));
}

#[test]
fn a_batch_writes_rows_with_roles_and_links() {
    let rows = vec![
        row("one", with_roles(&["contoso_agents"]), Some("Contoso_Voice")),
        row("two", UserPatch::default(), None),
        row("ann", with_roles(&[]), Some("contoso_rep")),
        row("old_hand", UserPatch::default(), Some("contoso_voice")),
    ];
    let next = after(&BatchUpsertUsers { rows });
    let user = |text: &str| Arc::clone(&next.user(&id(text)).unwrap().user());
    assert_ne!(user("one").stamp.uid, user("two").stamp.uid);
    assert_eq!(user("one").direct[0].profile.as_str(), "contoso_voice", "spelled as stored");
    assert_eq!(user("one").direct[0].assigned_by, "system");
    assert!(user("ann").roles.is_empty());
    assert_eq!(user("ann").direct[0].assigned_by, "import", "a link that is there is kept");
    assert_eq!(user("old_hand").direct.len(), 1, "a link that leads nowhere gives way");
}

#[test]
fn a_batch_names_the_rows_that_are_wrong() {
    let long = UserPatch { email: Some("x".repeat(255)), ..UserPatch::default() };
    let cases: Vec<(Vec<UserRow>, Reason, &[&str])> = vec![
        (Vec::new(), Reason::FieldInvalid, &["rows"]),
        (
            vec![
                row("x", long, None),
                row("y", UserPatch::default(), None),
                row("X", UserPatch::default(), None),
            ],
            Reason::FieldInvalid,
            &["rows[0].user.email", "rows[2].user"],
        ),
        (
            vec![row("bob", UserPatch { disabled: Some(true), ..UserPatch::default() }, None)],
            Reason::FieldImmutable,
            &["rows[0].user.disabled"],
        ),
        (
            vec![
                row("x", with_roles(&["contoso_x"]), None),
                row("y", with_roles(&[]), Some("contoso_y")),
            ],
            Reason::RoleNotFound,
            &["contoso_x", "contoso_y"],
        ),
        (
            vec![row("x", with_roles(&["contoso_desk"]), Some("contoso_y"))],
            Reason::TeamNotSupported,
            &["rows[0].user.roles"],
        ),
        (
            vec![
                row("bob", with_roles(&[]), None),
                row("ann", with_roles(&[]), Some("contoso_voice")),
            ],
            Reason::UserAssignedElsewhere,
            &["Ann", "contoso_rep"],
        ),
    ];
    for (rows, reason, want) in cases {
        let refusal = admin(&BatchUpsertUsers { rows }).unwrap_err();
        assert_eq!(refusal.reason, reason, "{refusal}");
        assert_eq!(details(&refusal), want, "{refusal}");
        assert!(refusal.message.contains("row") || !refusal.preconditions.is_empty());
    }
    let rows = (0..1_001).map(|at| row(&format!("u{at}"), UserPatch::default(), None)).collect();
    assert_eq!(admin(&BatchUpsertUsers { rows }).unwrap_err().violations[0].field, "rows");
    let rows = vec![row("ann", UserPatch::default(), Some("contoso_voice"))];
    let refusal = admin(&BatchUpsertUsers { rows }).unwrap_err();
    assert_eq!(refusal.preconditions[0].description, "contoso_rep (rows[0].profile)");
}

#[test]
fn roles_that_a_sync_adds_are_known_to_come_from_it() {
    let sync = context(&[Scope::Directory]);
    let synced = |catalog: &Catalog, user: &str| {
        let user = catalog.user(&id(user)).unwrap().user();
        user.synced_roles().map(|role| role.as_str().to_owned()).collect::<Vec<_>>()
    };
    let run = |catalog: &Catalog, command: &dyn Command, context: &Context| {
        let plan = command.plan(catalog, context).unwrap();
        catalog.apply(&plan.changes, 2, Time::default())
    };
    // Ann holds contoso_leads from an administrator.
    let both = names(&["contoso_leads", "CONTOSO_agents"]);
    let set = SetUserRoles { user: id("ann"), etag: None, roles: both.clone() };
    let next = run(&catalog(), &set, &sync);
    assert_eq!(synced(&next, "ann"), ["contoso_agents"]);
    let rows = vec![
        row("ann", UserPatch { roles: Some(both), ..UserPatch::default() }, None),
        row("new", with_roles(&["contoso_leads"]), None),
    ];
    let again = BatchUpsertUsers { rows };
    let next = run(&next, &again, &context(&[Scope::Admin]));
    assert_eq!(synced(&next, "ann"), ["contoso_agents"], "repeated by an administrator");
    assert!(synced(&next, "new").is_empty());
    let next = run(&next, &upsert_user("other", with_roles(&["contoso_leads"])), &sync);
    assert_eq!(synced(&next, "other"), ["contoso_leads"]);
}

#[test]
fn the_other_name_of_a_directory_is_kept_and_checked() {
    let named =
        |name: Option<OtherName>| UserPatch { other_name: Some(name), ..UserPatch::default() };
    let name = OtherName::UserName("Ann@contoso.example".into());
    let next = after(&upsert_user("ann", named(Some(name.clone()))));
    assert_eq!(next.user(&id("ann")).unwrap().user().other_name(), Some(&name));
    let same = upsert_user("ann", named(Some(name)));
    assert!(!same.plan(&next, &context(&[Scope::Admin])).unwrap().changed());
    for (name, field) in [
        (OtherName::UserName("".into()), "user_name"),
        (OtherName::ExternalId("x".repeat(255).into()), "external_id"),
    ] {
        let refusal = admin(&upsert_user("ann", named(Some(name)))).unwrap_err();
        assert_eq!(details(&refusal), [field]);
    }
}
