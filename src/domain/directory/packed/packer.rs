//! Packs users, on one thread or on several that share the names.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{
    form,
    names::{Names, Numbered, Numbers, spelling},
    refs::{SOUND, Translate},
    stored,
    users::{PackedUser, PackedUsers, Parts, UNIT},
};
use crate::domain::{UniqueName, UserId, directory::User};

/// The names that several [`Packer`]s give numbers to. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Shared(Arc<Mutex<Numbered>>);

/// Takes users in the order of their ids.
#[derive(Default)]
pub struct Packer {
    shared: Shared,
    /// The numbers that this packer met already, so that it seldom asks for the shared ones.
    known: Numbers,
    /// The numbers of names of the users that are copied, by their numbers there.
    copied: Copied,
    bytes: Vec<u8>,
    starts: Vec<u32>,
    scratch: String,
}

#[derive(Debug, Default)]
struct Copied {
    role_sets: Vec<Option<u32>>,
    profiles: Vec<Option<u32>>,
    texts: Vec<Option<u32>>,
}

/// Packs the users of a list in any order; of several with one id the last one counts.
pub fn pack(mut users: Vec<Arc<User>>) -> PackedUsers {
    if !users.is_sorted_by(|a, b| a.id < b.id) {
        users.sort_by(|a, b| a.id.cmp(&b.id));
        users.dedup_by(|later, kept| {
            let same = later.id == kept.id;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
    }
    let mut packer = Packer::default();
    users.iter().for_each(|user| packer.push(user));
    packer.finish()
}

impl fmt::Debug for Packer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packer").field("len", &self.starts.len()).finish_non_exhaustive()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Numbered> {
        // Names are added whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One after the other, the users of packers that share these names, and no other packer does.
    pub fn finish(self, parts: impl IntoIterator<Item = Packer>) -> PackedUsers {
        let (mut bytes, mut starts) = (Vec::new(), Vec::new());
        for part in parts {
            if bytes.is_empty() {
                (bytes, starts) = (part.bytes, part.starts);
                continue;
            }
            let offset = (bytes.len() / UNIT) as u32;
            bytes.extend_from_slice(&part.bytes);
            starts.extend(part.starts.iter().map(|start| start + offset));
        }
        bytes.shrink_to_fit();
        starts.shrink_to_fit();
        let names = std::mem::take(&mut self.lock().names);
        PackedUsers(Arc::new(Parts { names, bytes, starts }))
    }
}

impl Packer {
    /// One of several that share names.
    pub fn sharing(shared: &Shared) -> Self {
        Self { shared: shared.clone(), ..Self::default() }
    }

    /// Makes room for that many users and bytes.
    pub fn reserve(&mut self, users: usize, bytes: usize) {
        self.starts.reserve_exact(users);
        self.bytes.reserve_exact(bytes);
    }

    /// How many users it took.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    /// Whether it took none.
    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// Takes a user, whose id is behind those before.
    pub fn push(&mut self, user: &User) {
        let (head, tail) = form::parts(user);
        let mut numbering = self.numbering();
        let (head, tail) = (head.translated(&mut numbering), tail.translated(&mut numbering));
        self.add(&head, &tail);
    }

    /// Takes a user in the stored form, whose id is behind those before; none when the bytes are no
    /// user.
    pub fn push_stored(&mut self, bytes: &[u8]) -> Option<()> {
        let (head, tail) = stored::parse(bytes)?;
        (head.is_known() && UserId::parse(head.id()).is_ok()).then_some(())?;
        let mut judging = Judging { numbering: self.numbering(), sound: true };
        let (head, tail) = (head.translated(&mut judging), tail.translated(&mut judging));
        judging.sound.then_some(())?;
        self.add(&head, &tail);
        Some(())
    }

    /// Takes a packed user, whose id is behind those before. All that are copied come from the same
    /// [`PackedUsers`].
    pub fn copy(&mut self, user: PackedUser<'_>) {
        let (head, tail) = user.parts();
        let (head, tail) = {
            let Self { shared, known, copied, scratch, .. } = self;
            let numbering = Numbering { shared, known, scratch };
            let mut copying = Copying { names: user.names, copied, numbering };
            (head.translated(&mut copying), tail.translated(&mut copying))
        };
        self.add(&head, &tail);
    }

    fn numbering(&mut self) -> Numbering<'_> {
        let Self { shared, known, scratch, .. } = self;
        Numbering { shared, known, scratch }
    }

    fn add(&mut self, head: &impl serde::Serialize, tail: &impl serde::Serialize) {
        self.starts.push((self.bytes.len() / UNIT) as u32);
        let bytes = std::mem::take(&mut self.bytes);
        let bytes = postcard::to_extend(head, bytes).expect(SOUND);
        let mut bytes = postcard::to_extend(tail, bytes).expect(SOUND);
        bytes.resize(bytes.len().next_multiple_of(UNIT), 0);
        self.bytes = bytes;
    }

    /// The users that it took; it shares names with no other packer.
    pub fn finish(self) -> PackedUsers {
        self.shared.clone().finish([self])
    }
}

/// Gives copied names their numbers.
struct Copying<'a> {
    names: &'a Names,
    copied: &'a mut Copied,
    numbering: Numbering<'a>,
}

impl Translate<u32, u32, u32> for Copying<'_> {
    type Roles = u32;
    type Name = u32;
    type Text = u32;

    fn roles(&mut self, number: u32) -> u32 {
        let new = || self.numbering.roles(self.names.role_set(number));
        again(&mut self.copied.role_sets, number, new)
    }

    fn name(&mut self, number: u32) -> u32 {
        let new = || self.numbering.name(self.names.profile(number));
        again(&mut self.copied.profiles, number, new)
    }

    fn text(&mut self, number: u32) -> u32 {
        let new = || self.numbering.text(self.names.text(number));
        again(&mut self.copied.texts, number, new)
    }
}

/// The new number of what had a number among the users that are copied.
fn again(known: &mut Vec<Option<u32>>, old: u32, new: impl FnOnce() -> u32) -> u32 {
    let old = old as usize;
    if known.len() <= old {
        known.resize(old + 1, None);
    }
    *known[old].get_or_insert_with(new)
}

/// Gives numbers to names.
struct Numbering<'a> {
    shared: &'a Shared,
    known: &'a mut Numbers,
    scratch: &'a mut String,
}

impl<'u> Translate<&'u BTreeSet<UniqueName>, &'u UniqueName, &'u str> for Numbering<'_> {
    type Roles = u32;
    type Name = u32;
    type Text = u32;

    fn roles(&mut self, roles: &'u BTreeSet<UniqueName>) -> u32 {
        spelling(roles.iter().map(UniqueName::as_str), self.scratch);
        let (shared, text) = (self.shared, self.scratch.as_str());
        self.known.role_set(text, || shared.lock().role_set(text, roles))
    }

    fn name(&mut self, name: &'u UniqueName) -> u32 {
        let shared = self.shared;
        self.known.profile(name.as_str(), || shared.lock().profile(name))
    }

    fn text(&mut self, text: &'u str) -> u32 {
        let shared = self.shared;
        self.known.text(text, || shared.lock().text(text))
    }
}

/// Gives numbers to texts that should be names, and judges those that it meets for the first time.
struct Judging<'a> {
    numbering: Numbering<'a>,
    /// Whether all that came were names.
    sound: bool,
}

impl<'u> Translate<Vec<&'u str>, &'u str, &'u str> for Judging<'_> {
    type Roles = u32;
    type Name = u32;
    type Text = u32;

    fn roles(&mut self, roles: Vec<&'u str>) -> u32 {
        let Numbering { shared, known, scratch } = &mut self.numbering;
        spelling(roles.iter().copied(), scratch);
        if let Some(number) = known.known_role_set(scratch) {
            return number;
        }
        let names: Option<BTreeSet<_>> =
            roles.into_iter().map(|role| UniqueName::parse(role).ok()).collect();
        let Some(names) = names else {
            self.sound = false;
            return 0;
        };
        // In the order and with the repetitions of a set.
        spelling(names.iter().map(UniqueName::as_str), scratch);
        known.role_set(scratch, || shared.lock().role_set(scratch, &names))
    }

    fn name(&mut self, name: &'u str) -> u32 {
        if let Some(number) = self.numbering.known.known_profile(name) {
            return number;
        }
        match UniqueName::parse(name) {
            Ok(name) => self.numbering.name(&name),
            Err(_) => {
                self.sound = false;
                0
            }
        }
    }

    fn text(&mut self, text: &'u str) -> u32 {
        self.numbering.text(text)
    }
}
