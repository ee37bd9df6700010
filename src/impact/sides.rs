//! The catalogs before and after a commit, with what was worked out of each so far. Contents are
//! compared part by part, and never compiled.

use std::collections::{BTreeSet, HashMap};

use crate::{
    catalog::{Candidate, Catalog, ClassId, Delta, Seated},
    content::{Differing, Gates, Pair},
    domain::{App, Method, UniqueName},
    resolve::{class_winner, direct_winner},
};

/// The profile and the step that users get it from.
pub(super) type Winner<'a> = (&'a UniqueName, Method);

#[cfg(test)]
thread_local! {
    /// How many outcomes of classes this thread worked out: what the cost of a commit is tested by.
    pub(super) static WORKED_OUT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Both sides of a commit.
#[derive(Debug)]
pub(super) struct Sides<'a> {
    pub(super) old: Side<'a>,
    pub(super) new: Side<'a>,
    /// Classes whose users get the profile that they had by another step.
    by_other_step: BTreeSet<ClassId>,
    contents: Pair<'a>,
    /// Parts that the commit may change of a content that it reaches.
    differing: Differing,
    /// Which contents differ, by profile and the gates on both sides.
    compared: HashMap<(UniqueName, Gates, Gates), bool>,
}

/// One of the two catalogs.
#[derive(Debug)]
pub(super) struct Side<'a> {
    pub(super) catalog: &'a Catalog,
    /// What users of a class get without a direct link.
    winners: HashMap<ClassId, Winner<'a>>,
    /// The root roles that some tool requires.
    required: Option<BTreeSet<UniqueName>>,
    gates: HashMap<ClassId, Gates>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(old: &'a Catalog, new: &'a Catalog, delta: &Delta) -> Self {
        Self {
            old: Side::new(old),
            new: Side::new(new),
            by_other_step: BTreeSet::new(),
            contents: Pair::new(old, new),
            differing: Differing::by(delta),
            compared: HashMap::new(),
        }
    }

    /// Whether users of a class, whose roots led and lead to these, get another profile in some app.
    pub(super) fn leads_elsewhere(
        &mut self,
        id: ClassId,
        before: Option<&'a Candidate>,
        after: Option<&'a Candidate>,
    ) -> bool {
        let app = App::Unspecified;
        let (from, to) = (self.old.in_app(id, before, app), self.new.in_app(id, after, app));
        if from.0 != to.0 {
            return true;
        }
        if from.1 != to.1 {
            self.by_other_step.insert(id);
        }
        // The app decides among built-in profiles alone.
        let built_in = [from, to].iter().any(|winner| winner.1 == Method::DefaultBuiltIn);
        let apps = [App::Workspace, App::Omnichannel, App::ContactCenterWorkspace];
        let differs = |app| self.old.in_app(id, before, app).0 != self.new.in_app(id, after, app).0;
        built_in && apps.into_iter().any(differs)
    }

    /// The classes met so far whose users get the profile that they had by another step.
    pub(super) fn by_other_step(&self) -> impl Iterator<Item = ClassId> {
        self.by_other_step.iter().copied()
    }

    /// Whether users of a class find other gates open.
    pub(super) fn opens_other_gates(&mut self, class: ClassId) -> bool {
        self.old.all_gates(class) != self.new.all_gates(class)
    }

    /// Whether users get other content of a profile that they keep. `may_differ` says whether the
    /// content may be another one for the same gates.
    pub(super) fn content_differs(
        &mut self,
        profile: &UniqueName,
        [before, after]: [ClassId; 2],
        may_differ: bool,
    ) -> bool {
        let old = self.old.gates(before, profile);
        let new = self.new.gates(after, profile);
        if old == new && !may_differ {
            return false;
        }
        let key = (profile.clone(), old, new);
        if let Some(differs) = self.compared.get(&key) {
            return *differs;
        }
        let stored = |catalog: &'a Catalog| catalog.tables.profiles.get(profile);
        let differs = match (stored(self.old.catalog), stored(self.new.catalog)) {
            (Some(old), Some(new)) => {
                let parts = if may_differ { self.differing } else { Differing::default() };
                let parts = if key.1 == key.2 { parts } else { parts.with_gates() };
                self.contents.differ([(old, &key.1), (new, &key.2)], parts)
            }
            (old, new) => old.is_some() != new.is_some(),
        };
        self.compared.insert(key, differs);
        differs
    }
}

impl<'a> Side<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, winners: HashMap::new(), required: None, gates: HashMap::new() }
    }

    /// What a user gets when the app is not given.
    pub(super) fn winner(&mut self, seated: &Seated<'_>) -> Winner<'a> {
        match direct_winner(self.catalog, seated) {
            Some(profile) => (profile, Method::Direct),
            None => self.of_class(seated.class),
        }
    }

    /// What users of a class get without a direct link when the app is not given.
    pub(super) fn of_class(&mut self, id: ClassId) -> Winner<'a> {
        if let Some(winner) = self.winners.get(&id) {
            return *winner;
        }
        let by_role = self.catalog.strongest_of(self.catalog.roots_of(id));
        let winner = self.in_app(id, by_role, App::Unspecified);
        self.winners.insert(id, winner);
        winner
    }

    /// What users of a class, whose roots lead to that, get without a direct link in an app.
    fn in_app(&self, id: ClassId, by_role: Option<&'a Candidate>, app: App) -> Winner<'a> {
        #[cfg(test)]
        WORKED_OUT.with(|count| count.set(count.get() + 1));
        class_winner(self.catalog, id, by_role, app)
    }

    fn all_gates(&mut self, class: ClassId) -> &Gates {
        let catalog = self.catalog;
        let required = self.required.get_or_insert_with(|| Gates::required(catalog));
        let gates = || Gates::among(catalog, catalog.class(class), required);
        self.gates.entry(class).or_insert_with(gates)
    }

    /// The gates of a class that make a difference to a profile.
    fn gates(&mut self, class: ClassId, profile: &UniqueName) -> Gates {
        let catalog = self.catalog;
        let gates = self.all_gates(class);
        match catalog.tables.profiles.get(profile) {
            Some(profile) => gates.relevant_to(catalog, profile),
            None => Gates::default(),
        }
    }
}
