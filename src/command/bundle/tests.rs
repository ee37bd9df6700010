//! Every option of an import with every conflict that it decides, and what no option decides.

mod adoption;
mod library;
mod removal;

use std::{collections::BTreeSet, sync::Arc};

use super::*;
use crate::{
    catalog::{Catalog, builtin},
    command::{Command, Context, DirectoryPolicy, Plan, ProfilePatch},
    domain::{
        Actor, Common, FindingCode, Object, Origin, Reason, Refusal, Stamp, State, Time,
        UniqueName, Violations, profile::Profile,
    },
};

fn name(text: &str) -> UniqueName {
    UniqueName::parse(text).unwrap()
}

fn stamp() -> Stamp {
    Stamp::new(uuid::Uuid::nil(), 1, Time::default(), "test")
}

fn context() -> Context {
    let (actor, uid) = (Actor::system(), uuid::Uuid::from_u128(7));
    Context {
        actor,
        revision: 2,
        time: Time::from_micros(9),
        uid,
        policy: DirectoryPolicy::default(),
    }
}

/// The built-in objects and these.
fn catalog(objects: impl IntoIterator<Item = Object>) -> Catalog {
    let seeded = builtin::objects(1, Time::default());
    Catalog::from_objects(seeded.into_iter().chain(objects), 1, Time::default())
}

/// A stored profile.
fn stored(text: &str, change: impl FnOnce(&mut Profile)) -> Object {
    let mut profile = Profile::empty(Common::custom(name(text), text), stamp());
    change(&mut profile);
    Object::Profile(Arc::new(profile))
}

fn ranked(text: &str, rank: u8) -> Object {
    stored(text, |profile| {
        profile.rank = Some(rank);
        profile.roles = BTreeSet::from([name("msdyn_csr")]);
    })
}

fn default(text: &str) -> Object {
    stored(text, |profile| {
        profile.is_default = true;
        profile.default_set_time = Some(Time::from_micros(1));
    })
}

fn managed(bundle: &str) -> Origin {
    Origin::Managed { bundle: bundle.into(), version: "1".into() }
}

/// A profile of a bundle.
fn profile(text: &str, assignment: Assignment) -> Box<dyn Incoming> {
    let patch = ProfilePatch { display_name: Some(text.to_owned()), ..ProfilePatch::default() };
    sent_profile(text, patch, assignment)
}

fn sent_profile(text: &str, patch: ProfilePatch, assignment: Assignment) -> Box<dyn Incoming> {
    let mut v = Violations::new();
    let at = (format!("objects.profiles[{text}]"), name(text));
    let sent = Sent::<Profile>::new(at, State::Active, patch, Some(assignment), &mut v);
    v.finish().unwrap();
    Box::new(sent)
}

fn rank(rank: u8, roles: &[&str]) -> Assignment {
    let roles = roles.iter().map(|role| name(role)).collect();
    Assignment { rank: Some(rank), roles, is_default: false }
}

fn flagged() -> Assignment {
    Assignment { is_default: true, ..Assignment::default() }
}

fn bundle(options: ImportOptions, objects: Vec<Box<dyn Incoming>>) -> ImportBundle {
    ImportBundle { bundle: name("contoso_pack"), version: "2".into(), options, objects }
}

/// An accepted import, and the catalog behind it.
fn accepted(catalog: &Catalog, import: &ImportBundle) -> (Plan, Catalog) {
    let plan = import.plan(catalog, &context()).unwrap_or_else(|refusal| panic!("{refusal}"));
    let after = catalog.apply(&plan.changes, 2, Time::from_micros(9));
    (plan, after)
}

fn refused(catalog: &Catalog, import: &ImportBundle) -> Refusal {
    match import.plan(catalog, &context()) {
        Ok(plan) => panic!("accepted: {plan:?}"),
        Err(refusal) => refusal,
    }
}

fn findings(plan: &Plan) -> Vec<(FindingCode, &str)> {
    plan.findings.iter().map(|found| (found.code, found.subject.as_str())).collect()
}

fn results(plan: &Plan) -> Vec<(&str, ImportResult)> {
    let summary = plan.imported.as_ref().unwrap();
    summary.objects.iter().map(|(_, name, result)| (name.as_str(), *result)).collect()
}

fn found<'a>(catalog: &'a Catalog, text: &str) -> &'a Profile {
    catalog.tables.profiles.find(text).unwrap()
}

#[test]
fn s11_4_a_taken_name_fails_skips_or_is_overwritten() {
    let before = catalog([ranked("contoso_rep", 1)]);
    let import = |on_existing| {
        let options = ImportOptions { on_existing, ..Default::default() };
        let objects = vec![
            profile("contoso_new", rank(5, &["msdyn_csr"])),
            profile("CONTOSO_rep", rank(7, &["msdyn_csr"])),
        ];
        bundle(options, objects)
    };
    let refusal = refused(&before, &import(OnExisting::Fail));
    assert_eq!(refusal.reason, Reason::UniqueNameTaken);
    assert_eq!(refusal.resources[0].name, "contoso_rep");

    let (plan, after) = accepted(&before, &import(OnExisting::Skip));
    assert_eq!(findings(&plan), [(FindingCode::SkippedExisting, "CONTOSO_rep")]);
    assert_eq!(
        results(&plan),
        [("contoso_new", ImportResult::Created), ("CONTOSO_rep", ImportResult::Skipped)]
    );
    assert_eq!(found(&after, "contoso_rep").rank, Some(1));

    let (plan, after) = accepted(&before, &import(OnExisting::Overwrite));
    assert_eq!(findings(&plan), []);
    assert_eq!(results(&plan)[1], ("CONTOSO_rep", ImportResult::Updated));
    let rep = found(&after, "contoso_rep");
    assert_eq!((rep.rank, rep.name().as_str()), (Some(7), "contoso_rep"));
    let (old, new) = (&found(&before, "contoso_rep").stamp, &rep.stamp);
    assert_eq!((old.uid, old.create_time), (new.uid, new.create_time), "it is the same object");
    assert_ne!(found(&after, "contoso_new").stamp.uid, new.uid);

    let (again, _) = accepted(&after, &import(OnExisting::Overwrite));
    assert!(!again.changed());
    let unchanged = again.imported.unwrap();
    assert_eq!((unchanged.unchanged, unchanged.updated, unchanged.created), (2, 0, 0));
}

#[test]
fn s11_4_a_held_rank_fails_moves_on_or_is_shared() {
    let before = catalog([ranked("contoso_one", 1), ranked("contoso_two", 2)]);
    let import = |on_rank_conflict, ranks: &[(&str, u8)]| {
        let objects = ranks.iter().map(|(text, at)| profile(text, rank(*at, &["msdyn_csr"])));
        bundle(ImportOptions { on_rank_conflict, ..Default::default() }, objects.collect())
    };
    let refusal = refused(&before, &import(OnRankConflict::Fail, &[("gold_rep", 1)]));
    assert_eq!((refusal.reason, refusal.metadata["rank"].as_str()), (Reason::RankTaken, "1"));
    assert_eq!(refusal.resources[0].name, "contoso_one");

    // What is free here is kept, and what moves goes past it.
    let four = [("gold_a", 1), ("gold_b", 3), ("gold_c", 1), ("gold_d", 5)];
    let (plan, after) = accepted(&before, &import(OnRankConflict::Rerank, &four));
    let moved = FindingCode::RankReassigned;
    assert_eq!(findings(&plan), [(moved, "gold_a"), (moved, "gold_c")]);
    let ranks =
        ["gold_a", "gold_b", "gold_c", "gold_d"].map(|text| found(&after, text).rank.unwrap());
    assert_eq!(ranks, [4, 3, 6, 5]);

    let (plan, after) =
        accepted(&before, &import(OnRankConflict::Keep, &[("gold_rep", 1), ("gold_b", 9)]));
    assert_eq!(findings(&plan), [(FindingCode::DuplicateRank, "gold_rep")]);
    assert_eq!(found(&after, "gold_rep").rank, found(&after, "contoso_one").rank);

    let twice = [("gold_a", 9), ("gold_b", 9)];
    assert_eq!(refused(&before, &import(OnRankConflict::Fail, &twice)).reason, Reason::RankTaken);
    let (plan, _) = accepted(&before, &import(OnRankConflict::Keep, &twice));
    let shared = FindingCode::DuplicateRank;
    assert_eq!(findings(&plan), [(shared, "gold_a"), (shared, "gold_b")]);
}

#[test]
fn s11_4_a_rank_that_finds_no_place_is_refused() {
    let full = catalog((90..=100).map(|at| ranked(&format!("contoso_{at}"), at)));
    let options = ImportOptions { on_rank_conflict: OnRankConflict::Rerank, ..Default::default() };
    let import = bundle(options, vec![profile("gold_rep", rank(95, &["msdyn_csr"]))]);
    let refusal = refused(&full, &import);
    assert_eq!(refusal.reason, Reason::RankSpaceExhausted);
    assert_eq!(refusal.metadata["rank"], "95");
}

#[test]
fn an_overwritten_profile_frees_its_rank_for_others_of_the_bundle() {
    let before = catalog([ranked("contoso_one", 1), ranked("contoso_two", 2)]);
    let options = ImportOptions { on_existing: OnExisting::Overwrite, ..Default::default() };
    let swapped = vec![
        profile("contoso_one", rank(2, &["msdyn_csr"])),
        profile("contoso_two", rank(1, &["msdyn_csr"])),
    ];
    let (plan, after) = accepted(&before, &bundle(options, swapped));
    assert_eq!(findings(&plan), []);
    assert_eq!(found(&after, "contoso_one").rank, Some(2));
    assert_eq!(found(&after, "contoso_two").rank, Some(1));
}

#[test]
fn s11_4_a_second_default_is_left_replaced_kept_or_refused() {
    let before = catalog([default("contoso_old")]);
    let import = |on_default_conflict| {
        let carries = Assignment { is_default: true, ..rank(5, &["msdyn_csr"]) };
        let options = ImportOptions { on_default_conflict, ..Default::default() };
        bundle(options, vec![profile("gold_rep", carries)])
    };
    let (plan, after) = accepted(&before, &import(OnDefaultConflict::KeepIncumbent));
    assert_eq!(findings(&plan), [(FindingCode::DefaultNotImported, "gold_rep")]);
    let new = found(&after, "gold_rep");
    assert_eq!((new.is_default, new.rank), (false, Some(5)), "it keeps its rank");
    assert!(found(&after, "contoso_old").is_default);

    let dropped = (FindingCode::RankAndRolesDropped, "gold_rep");
    let (plan, after) = accepted(&before, &import(OnDefaultConflict::Replace));
    assert_eq!(findings(&plan), [(FindingCode::DefaultReplaced, "contoso_old"), dropped]);
    let new = found(&after, "gold_rep");
    assert_eq!((new.is_default, new.rank, new.roles.len()), (true, None, 0));
    assert_eq!(new.default_set_time, Some(Time::from_micros(9)));
    let old = found(&after, "contoso_old");
    assert_eq!((old.is_default, old.default_set_time), (false, None));
    assert_eq!(old.stamp.revision, 2);

    let (plan, after) = accepted(&before, &import(OnDefaultConflict::KeepBoth));
    assert_eq!(findings(&plan), [(FindingCode::MultipleDefaults, "gold_rep"), dropped]);
    assert!(found(&after, "contoso_old").is_default && found(&after, "gold_rep").is_default);

    let refusal = refused(&before, &import(OnDefaultConflict::Fail));
    assert_eq!(refusal.reason, Reason::DefaultExists);
    assert_eq!(refusal.resources[0].name, "contoso_old");
}

#[test]
fn of_several_defaults_in_a_bundle_the_first_one_counts() {
    let (none, one) = (catalog([]), catalog([default("contoso_old")]));
    let import = |on_default_conflict| {
        let objects = vec![profile("gold_a", flagged()), profile("gold_b", flagged())];
        bundle(ImportOptions { on_default_conflict, ..Default::default() }, objects)
    };
    let second = (FindingCode::DefaultNotImported, "gold_b");
    let (plan, after) = accepted(&none, &import(OnDefaultConflict::KeepIncumbent));
    assert_eq!(findings(&plan), [second]);
    assert!(found(&after, "gold_a").is_default);
    let (plan, after) = accepted(&one, &import(OnDefaultConflict::Replace));
    assert_eq!(findings(&plan), [second, (FindingCode::DefaultReplaced, "contoso_old")]);
    assert_eq!(after.defaults().count(), 1);
    let (plan, after) = accepted(&one, &import(OnDefaultConflict::KeepBoth));
    assert_eq!(findings(&plan).len(), 2);
    assert_eq!(after.defaults().count(), 3);
    assert_eq!(refused(&none, &import(OnDefaultConflict::Fail)).reason, Reason::DefaultExists);
}

#[test]
fn a_default_that_is_overwritten_as_one_keeps_its_time() {
    let before = catalog([default("contoso_old")]);
    let options = ImportOptions {
        on_existing: OnExisting::Overwrite,
        on_default_conflict: OnDefaultConflict::Fail,
        ..Default::default()
    };
    let (plan, after) =
        accepted(&before, &bundle(options, vec![profile("contoso_old", flagged())]));
    assert!(!plan.changed());
    assert_eq!(found(&after, "contoso_old").default_set_time, Some(Time::from_micros(1)));
}

#[test]
fn s11_4_an_unknown_role_is_kept_apart_or_refused() {
    let before = catalog([]);
    let import = |on_unknown_role, roles: &[&str]| {
        let options = ImportOptions { on_unknown_role, ..Default::default() };
        bundle(options, vec![profile("gold_rep", rank(7, roles))])
    };
    let both = ["msdyn_oc_agent", "fabrikam_night"];
    let (plan, after) = accepted(&before, &import(OnUnknownRole::Report, &both));
    assert_eq!(findings(&plan), [(FindingCode::RoleUnmatched, "gold_rep")]);
    let gold = found(&after, "gold_rep");
    assert_eq!(gold.roles, BTreeSet::from([name("msdyn_oc_agent")]));
    assert_eq!(gold.unmatched_roles, BTreeSet::from(["fabrikam_night".to_owned()]));

    let (plan, after) = accepted(&before, &import(OnUnknownRole::Report, &["fabrikam_night"]));
    assert_eq!(
        findings(&plan),
        [(FindingCode::ProfileWithoutRole, "gold_rep"), (FindingCode::RoleUnmatched, "gold_rep")]
    );
    assert_eq!(found(&after, "gold_rep").rank, Some(7));

    let refusal = refused(&before, &import(OnUnknownRole::Fail, &both));
    assert_eq!(refusal.reason, Reason::RoleNotFound);
    assert_eq!(refusal.resources[0].name, "fabrikam_night");
}

#[test]
fn s11_4_roles_without_rank_and_rank_without_roles_are_reported() {
    let roles = Assignment { rank: None, ..rank(0, &["msdyn_csr"]) };
    let import = bundle(
        ImportOptions::default(),
        vec![profile("gold_a", roles), profile("gold_b", rank(0, &[]))],
    );
    let (plan, after) = accepted(&catalog([]), &import);
    assert_eq!(
        findings(&plan),
        [(FindingCode::ProfileWithoutRole, "gold_b"), (FindingCode::RankMissing, "gold_a")]
    );
    assert_eq!(found(&after, "gold_b").rank, Some(0));
}

#[test]
fn more_roles_than_a_profile_may_have_are_refused() {
    let roles: Vec<_> = (0..51).map(|at| format!("fabrikam_{at}")).collect();
    let roles: Vec<_> = roles.iter().map(String::as_str).collect();
    let import = bundle(ImportOptions::default(), vec![profile("gold_rep", rank(1, &roles))]);
    assert_eq!(refused(&catalog([]), &import).reason, Reason::LimitReached);
}

#[test]
fn s11_4_built_in_reserved_and_managed_names_are_protected() {
    let locked = stored("contoso_rep", |profile| profile.common.origin = managed("other_pack"));
    let before = catalog([locked]);
    for (text, overwrite, managed, reason) in [
        ("msdyn_csw_default_profile", true, false, Some(Reason::BuiltInReadOnly)),
        ("MSDYN_csw_default_profile", false, true, Some(Reason::BuiltInReadOnly)),
        ("msdyn_other", true, false, Some(Reason::ReservedPrefix)),
        ("contoso_rep", true, false, Some(Reason::ManagedReadOnly)),
        ("contoso_rep", false, true, Some(Reason::UniqueNameTaken)),
        ("contoso_rep", true, true, None),
    ] {
        let on_existing = if overwrite { OnExisting::Overwrite } else { OnExisting::Fail };
        let options = ImportOptions { on_existing, managed, ..Default::default() };
        let import = bundle(options, vec![profile(text, Assignment::default())]);
        let Some(reason) = reason else {
            let (_, after) = accepted(&before, &import);
            let origin = &found(&after, "contoso_rep").common.origin;
            let pack = Origin::Managed { bundle: "contoso_pack".into(), version: "2".into() };
            assert_eq!(*origin, pack);
            continue;
        };
        let refusal = refused(&before, &import);
        assert_eq!(refusal.reason, reason, "{text}");
        if matches!(reason, Reason::BuiltInReadOnly | Reason::ManagedReadOnly) {
            assert_eq!(refusal.metadata["operation"], "IMPORT", "{text}");
        }
    }
}

#[test]
fn options_that_are_not_the_defaults_are_flags() {
    let import = |options| bundle(options, Vec::new()).flags();
    assert!(import(ImportOptions::default()).is_empty());
    let options = ImportOptions {
        on_existing: OnExisting::Skip,
        on_rank_conflict: OnRankConflict::Keep,
        on_default_conflict: OnDefaultConflict::KeepBoth,
        on_unknown_role: OnUnknownRole::Fail,
        on_pinned_url: OnPinnedUrl::Fail,
        adopt_built_in: true,
        managed: true,
    };
    assert_eq!(
        import(options),
        [
            "on_existing=SKIP",
            "on_rank_conflict=KEEP",
            "on_default_conflict=KEEP_BOTH",
            "on_unknown_role=FAIL",
            "on_pinned_url=FAIL",
            "adopt_built_in",
            "managed",
        ]
    );
}
