//! From commits to the streams that they concern.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    Cause,
    cause::Changes,
    feed::Batch,
    group::{GroupId, GroupKey},
    hub::{Shared, Wakers},
    index::{Id, Index, Watcher, permitted},
    slot::Offer,
};
use crate::{
    catalog::Catalog,
    domain::{App, Reason, Refusal, UserId},
    read::{Contents, Variant, resolved_variant},
    resolve::Resolution,
};

impl Shared {
    /// Compares the streams with what these commits, the oldest first, led to.
    pub(super) fn compare(&self, mut batch: Batch) {
        if let (Some(first), Some(last)) = (batch.commits.first(), batch.commits.last()) {
            let deltas = batch.commits.iter().flat_map(|commit| commit.deltas.iter().flatten());
            self.contents.refresh(&first.before, &last.after, deltas);
        }
        let known = self.index().catalog.as_ref().map_or(-1, |catalog| catalog.revision);
        let Some(after) = batch.after().filter(|after| after.revision > known).cloned() else {
            return;
        };
        let changes = batch.changes_since(known);
        let mut answers =
            Answers { contents: &self.contents, catalog: &after, known: HashMap::new() };
        self.prepare(&changes, &mut answers);

        let mut wakers = Wakers::default();
        let mut index = self.index();
        let singled: BTreeSet<Id> = if changes.roles {
            index.iter().map(|(id, _)| id).collect()
        } else {
            let users = changes.users.iter().flat_map(|user| index.of_user(user));
            users.chain(index.ahead.iter().copied()).collect()
        };
        let mut moved = Vec::new();
        if !changes.roles {
            for group in index.groups.affected(&changes) {
                let left = self.compare_group(
                    &mut index,
                    group,
                    &singled,
                    &changes,
                    &mut answers,
                    &mut wakers,
                );
                moved.extend(left);
            }
        }
        for id in singled.into_iter().chain(moved) {
            self.single_out(&mut index, id, &changes, &mut answers, &mut wakers);
        }
        index.catalog = Some(Arc::clone(&after));
        drop(index);
        self.reach(after.revision);
    }

    /// Resolves and compiles what will be asked for, before the streams are locked.
    fn prepare(&self, changes: &Changes, answers: &mut Answers<'_>) {
        let index = self.index();
        let groups =
            if changes.roles { index.groups.ids() } else { index.groups.affected(changes) };
        let samples: Vec<_> = groups
            .into_iter()
            .filter_map(|id| index.groups.get(id))
            .filter_map(|group| {
                let user = &index.get(*group.members.first()?)?.user;
                Some((group.key.clone(), group.variant.clone(), user.clone()))
            })
            .collect();
        drop(index);
        for (key, variant, user) in samples {
            if changes.roles || answers.content(changes, &key, &variant).is_none() {
                answers.of(&user, key.app);
            }
        }
    }

    /// Compares a group, less the streams that are compared one by one. Answers its other streams
    /// when they belong to another group now, because the profile of their link is gone.
    fn compare_group(
        &self,
        index: &mut Index,
        id: GroupId,
        singled: &BTreeSet<Id>,
        changes: &Changes,
        answers: &mut Answers<'_>,
        wakers: &mut Wakers,
    ) -> Vec<Id> {
        let Some(group) = index.groups.get(id) else { return Vec::new() };
        let members = || group.members.iter().filter(|id| !singled.contains(id));
        let watchers = || members().filter_map(|id| index.get(*id));
        // Users who changed may have another seat now, so they do not speak for the group.
        let Some(sample) = watchers().next() else { return Vec::new() };
        let variant = match answers.content(changes, &group.key, &group.variant) {
            Some(variant) if variant.content.digest == group.variant.content.digest => variant,
            _ => {
                let Some(answer) = answers.of(&sample.user, group.key.app) else {
                    return Vec::new();
                };
                if answer.key != group.key {
                    return members().copied().collect();
                }
                if answer.variant.content.digest != group.variant.content.digest {
                    let causes = changes.causes(None, &group.variant, &answer.variant);
                    let offer = answers.offer(&answer, causes);
                    let now = Instant::now();
                    for watcher in watchers() {
                        wakers.add(watcher.slot().offer(&offer, &self.settings, now));
                    }
                }
                answer.variant
            }
        };
        index.groups.change(id, &variant);
        Vec::new()
    }

    /// Compares one stream, and puts it into the group where it now belongs.
    fn single_out(
        &self,
        index: &mut Index,
        id: Id,
        changes: &Changes,
        answers: &mut Answers<'_>,
        wakers: &mut Wakers,
    ) {
        let Some(watcher) = index.get(id).cloned() else { return };
        if watcher.start > answers.catalog.revision {
            return;
        }
        index.ahead.remove(&id);
        match judge(&watcher, changes, answers) {
            Err(refusal) => wakers.add(index.end(id, refusal)),
            Ok(answer) => {
                let mut slot = watcher.slot();
                let causes = changes.causes(Some(&watcher.user), slot.newest(), &answer.variant);
                let offer = answers.offer(&answer, causes);
                wakers.add(slot.offer(&offer, &self.settings, Instant::now()));
                index.place(id, answer.key, &answer.variant);
            }
        }
    }
}

/// What a group gets.
#[derive(Clone)]
struct Answer {
    key: GroupKey,
    variant: Variant,
    resolution: Arc<Resolution>,
}

/// Answers of one catalog, each worked out once.
struct Answers<'a> {
    contents: &'a Contents,
    catalog: &'a Arc<Catalog>,
    known: HashMap<GroupKey, Answer>,
}

impl Answers<'_> {
    /// What the user's group gets; none when the user is gone.
    fn of(&mut self, user: &UserId, app: App) -> Option<Answer> {
        let key = GroupKey::of(self.catalog, &self.catalog.user(user)?, app);
        if let Some(known) = self.known.get(&key) {
            return Some(known.clone());
        }
        let (resolved, variant) =
            resolved_variant(self.catalog, self.contents, user, app).ok()??;
        let answer = Answer { key: key.clone(), variant, resolution: resolved.resolution };
        self.known.insert(key, answer.clone());
        Some(answer)
    }

    /// The content of a group whose profile stays what it is for all of these changes.
    fn content(&self, changes: &Changes, key: &GroupKey, old: &Variant) -> Option<Variant> {
        let library_only = changes.profiles.is_empty() && !changes.settings;
        let class = Some(key.seat.class).filter(|_| library_only)?;
        // The last user of the class may have left it.
        if !self.catalog.has_class(class) {
            return None;
        }
        self.contents.variant_of_class(self.catalog, &old.profile, class)
    }

    fn offer(&self, answer: &Answer, causes: Vec<Cause>) -> Offer {
        let (resolution, variant) = (Arc::clone(&answer.resolution), answer.variant.clone());
        Offer { revision: self.catalog.revision, resolution, variant, causes }
    }
}

/// What a stream gets now, or why it ends.
fn judge(
    watcher: &Watcher,
    changes: &Changes,
    answers: &mut Answers<'_>,
) -> Result<Answer, Refusal> {
    let Some(answer) = answers.of(&watcher.user, watcher.app) else {
        let message = format!("User {} was deleted.", watcher.user);
        return Err(Refusal::new(Reason::UserDeleted, message).resource(
            "User",
            &watcher.user,
            "deleted",
        ));
    };
    let Watcher { caller, own_credential, recheck, .. } = watcher;
    if changes.roles || caller.user.as_ref().is_some_and(|own| changes.users.contains(own)) {
        permitted(caller, *own_credential, recheck, answers.catalog)?;
    }
    Ok(answer)
}
