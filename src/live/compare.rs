//! From commits to the streams that they concern.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    Cause,
    cause::Changes,
    group::GroupKey,
    hub::Shared,
    ids::{GroupId, StreamId},
    profile::{Offer, ProfileSlot},
    registry::{Registry, Watcher},
};
use crate::{
    catalog::Catalog,
    domain::{App, Refusal, UserId},
    executor::Wakes,
    impact::Touched,
    read::{Contents, Variant, resolved_variant},
    resolve::Resolution,
};

impl Shared {
    /// Compares the streams of profiles with what these changes led to.
    pub(super) fn compare(&self, mut changes: Changes, after: &Arc<Catalog>) {
        let known = self.profiles.registry().index.catalog.as_ref().map_or(-1, |c| c.revision);
        if after.revision <= known {
            return;
        }
        changes.forget_causes_until(known);
        let mut answers =
            Answers { contents: &self.contents, catalog: after, known: HashMap::new() };
        self.prepare(&changes, &mut answers);

        let mut wakers = Wakes::default();
        let mut registry = self.profiles.registry();
        let mut singled = registry.touched(&changes.touched, after);
        singled.extend(&registry.index.newer_than_hub);
        let mut moved = Vec::new();
        if !changes.touched.everyone {
            for group in registry.index.groups.affected(&changes.touched) {
                let left = self.compare_group(
                    &mut registry,
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
            self.compare_stream(&mut registry, id, &changes, &mut answers, &mut wakers);
        }
        registry.index.catalog = Some(Arc::clone(after));
        drop(registry);
        self.advance(after.revision);
    }

    /// Resolves and compiles what will be asked for, before the streams are locked.
    fn prepare(&self, changes: &Changes, answers: &mut Answers<'_>) {
        let registry = self.profiles.registry();
        let groups = &registry.index.groups;
        let samples: Vec<_> = groups
            .affected(&changes.touched)
            .into_iter()
            .filter_map(|id| groups.get(id))
            .filter_map(|group| {
                let user = &registry.get(*group.members.first()?)?.access.user;
                Some((group.key.clone(), group.variant.clone(), user.clone()))
            })
            .collect();
        drop(registry);
        for (key, variant, user) in samples {
            if answers.content(&changes.touched, &key, &variant).is_none() {
                answers.of(&user, key.app);
            }
        }
    }

    /// Compares a group, less the streams that are compared one by one. Answers its other streams
    /// when they belong to another group now, because the profile of their link is gone.
    fn compare_group(
        &self,
        registry: &mut Registry<ProfileSlot>,
        id: GroupId,
        singled: &BTreeSet<StreamId>,
        changes: &Changes,
        answers: &mut Answers<'_>,
        wakers: &mut Wakes,
    ) -> Vec<StreamId> {
        let Some(group) = registry.index.groups.get(id) else { return Vec::new() };
        let members = || group.members.iter().filter(|id| !singled.contains(id));
        let watchers = || members().filter_map(|id| registry.get(*id));
        // Users who changed may have another seat now, so they do not speak for the group.
        let Some(sample) = watchers().next() else { return Vec::new() };
        let variant = match answers.content(&changes.touched, &group.key, &group.variant) {
            Some(variant) if variant.content.digest == group.variant.content.digest => variant,
            _ => {
                let Some(answer) = answers.of(&sample.access.user, group.key.app) else {
                    return Vec::new();
                };
                if answer.key != group.key {
                    return members().copied().collect();
                }
                if answer.variant.content.digest != group.variant.content.digest {
                    let (old, new) = (&group.variant.profile, &answer.variant.profile);
                    let causes = changes.causes(None, old, new);
                    let offer = answers.offer(&answer, causes);
                    let (settings, now) = (self.profiles.settings(), Instant::now());
                    for watcher in watchers() {
                        #[cfg(test)]
                        self.profiles.count_visit();
                        let offered = |slot: &mut ProfileSlot| slot.offer(&offer, settings, now);
                        wakers.add(watcher.slot().update(offered));
                    }
                }
                answer.variant
            }
        };
        registry.index.groups.change(id, &variant);
        Vec::new()
    }

    /// Compares one stream, and puts it into the group where it now belongs.
    fn compare_stream(
        &self,
        registry: &mut Registry<ProfileSlot>,
        id: StreamId,
        changes: &Changes,
        answers: &mut Answers<'_>,
        wakers: &mut Wakes,
    ) {
        let Some(watcher) = registry.get(id).cloned() else { return };
        if watcher.start > answers.catalog.revision {
            return;
        }
        #[cfg(test)]
        self.profiles.count_visit();
        registry.index.newer_than_hub.remove(&id);
        match answer(&watcher, changes, answers) {
            Err(refusal) => wakers.add(registry.end(id, refusal)),
            Ok(answer) => {
                let mut slot = watcher.slot();
                let (user, newest) = (&watcher.access.user, slot.payload().newest());
                let causes = changes.causes(Some(user), &newest.profile, &answer.variant.profile);
                let offer = answers.offer(&answer, causes);
                let (settings, now) = (self.profiles.settings(), Instant::now());
                wakers.add(slot.update(|slot| slot.offer(&offer, settings, now)));
                registry.index.place(id, answer.key, &answer.variant);
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
    fn content(&self, touched: &Touched, key: &GroupKey, old: &Variant) -> Option<Variant> {
        let class = key.seat.class;
        if touched.everyone || !touched.profiles.is_empty() || touched.led.contains(class) {
            return None;
        }
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
fn answer(
    watcher: &Watcher<ProfileSlot>,
    changes: &Changes,
    answers: &mut Answers<'_>,
) -> Result<Answer, Refusal> {
    let access = &watcher.access;
    let answer = answers.of(&access.user, watcher.topic).ok_or_else(|| access.user_deleted())?;
    access.still_permitted(&changes.touched, answers.catalog)?;
    Ok(answer)
}
