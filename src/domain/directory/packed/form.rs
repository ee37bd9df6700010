//! The form of one user: what resolution needs first, then the rest. It is the same in memory, where
//! a reference is a number, and in files, where it is a text.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    names::Names,
    refs::{SOUND, Translate},
};
use crate::domain::{
    Stamp, Time, UniqueName, UserId,
    directory::{DirectLink, OtherName, Synced, SyncedRoles, User, UserKind},
};

const DISABLED: u8 = 1;
const APPLICATION: u8 = 2;
const KNOWN: u8 = DISABLED | APPLICATION;

/// What resolution needs of a user. References are of the types `S` (a set of roles), `N` (a
/// profile) and `T` (a text).
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head<'a, S, N, T> {
    id: &'a str,
    flags: u8,
    roles: S,
    /// Microseconds of the last write.
    written: i64,
    links: Vec<Link<N, T>>,
}

/// A direct link.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Link<N, T> {
    profile: N,
    at: Option<i64>,
    by: T,
}

/// All else.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Tail<'a, S, T> {
    display_name: &'a str,
    email: &'a str,
    business_unit: T,
    uid: [u8; 16],
    revision: i64,
    /// Microseconds from the first write to the last.
    age: i64,
    created_by: T,
    updated_by: T,
    synced: Source<S>,
    #[serde(borrow)]
    other_name: Other<'a>,
}

/// The roles that a directory sync gave.
#[derive(Debug, Serialize, Deserialize)]
enum Source<S> {
    None,
    All,
    Some(S),
}

#[derive(Debug, Serialize, Deserialize)]
enum Other<'a> {
    None,
    UserName(&'a str),
    ExternalId(&'a str),
}

/// What resolution needs of a packed user. Each part is read when it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    bytes: &'a [u8],
    names: &'a Names,
}

/// A direct link of a user; see [`DirectLink`].
#[derive(Debug, Clone, Copy)]
pub struct LinkEntry<'a> {
    /// The profile.
    pub profile: &'a UniqueName,
    /// When the link was made; old data may lack it.
    pub assigned_at: Option<Time>,
    /// Who made it.
    pub assigned_by: &'a str,
}

/// The text at the beginning of a part: the id, or the display name.
pub(super) fn first_text(bytes: &[u8]) -> &str {
    postcard::take_from_bytes(bytes).expect(SOUND).0
}

/// Whether that text is this one, in whatever case. A look-up reads no more of a record.
pub(super) fn first_text_is(bytes: &[u8], text: &str) -> bool {
    let (first, _): (&[u8], _) = postcard::take_from_bytes(bytes).expect(SOUND);
    // As a rule both are spelled alike.
    first == text.as_bytes() || first.eq_ignore_ascii_case(text.as_bytes())
}

/// Both parts of a user, who refers by what he has.
pub(super) type Parts<'a> = (
    Head<'a, &'a BTreeSet<UniqueName>, &'a UniqueName, &'a str>,
    Tail<'a, &'a BTreeSet<UniqueName>, &'a str>,
);

/// Both parts of a user.
pub(super) fn parts(user: &User) -> Parts<'_> {
    let User {
        id,
        stamp,
        display_name,
        kind,
        email,
        roles,
        direct,
        disabled,
        business_unit,
        synced,
    } = user;
    let links = direct.iter().map(|link| Link {
        profile: &link.profile,
        at: link.assigned_at.map(Time::micros),
        by: link.assigned_by.as_str(),
    });
    let application = *kind == UserKind::Application;
    let disabled = if *disabled { DISABLED } else { 0 };
    let flags = disabled | if application { APPLICATION } else { 0 };
    let written = stamp.update_time.micros();
    let head = Head { id: id.as_str(), flags, roles, written, links: links.collect() };
    let synced = synced.as_deref();
    let tail = Tail {
        display_name: display_name.as_str(),
        email: email.as_str(),
        business_unit: business_unit.as_str(),
        uid: stamp.uid.into_bytes(),
        revision: stamp.revision,
        age: written.wrapping_sub(stamp.create_time.micros()),
        created_by: stamp.created_by.as_str(),
        updated_by: stamp.updated_by.as_str(),
        synced: match synced.map(|synced| &synced.roles) {
            None | Some(SyncedRoles::None) => Source::None,
            Some(SyncedRoles::All) => Source::All,
            Some(SyncedRoles::Some(roles)) => Source::Some(roles),
        },
        other_name: match synced.and_then(|synced| synced.other_name.as_ref()) {
            None => Other::None,
            Some(OtherName::UserName(name)) => Other::UserName(name),
            Some(OtherName::ExternalId(name)) => Other::ExternalId(name),
        },
    };
    (head, tail)
}

/// The user of both parts; none when a reference is none, or the id is none that users can have.
pub(super) fn user(
    head: Head<'_, Option<BTreeSet<UniqueName>>, Option<UniqueName>, Option<String>>,
    tail: Tail<'_, Option<BTreeSet<UniqueName>>, Option<String>>,
) -> Option<User> {
    head.is_known().then_some(())?;
    let direct = head.links.into_iter().map(|link| {
        Some(DirectLink {
            profile: link.profile?,
            assigned_at: link.at.map(Time::from_micros),
            assigned_by: link.by?,
        })
    });
    let direct = direct.collect::<Option<_>>()?;
    let roles = match tail.synced {
        Source::None => SyncedRoles::None,
        Source::All => SyncedRoles::All,
        Source::Some(roles) => SyncedRoles::Some(roles?),
    };
    let other_name = match tail.other_name {
        Other::None => None,
        Other::UserName(name) => Some(OtherName::UserName(name.into())),
        Other::ExternalId(name) => Some(OtherName::ExternalId(name.into())),
    };
    let synced = Synced { roles, other_name };
    let application = head.flags & APPLICATION != 0;
    Some(User {
        id: UserId::parse(head.id).ok()?,
        stamp: Stamp {
            uid: Uuid::from_bytes(tail.uid),
            revision: tail.revision,
            create_time: Time::from_micros(head.written.wrapping_sub(tail.age)),
            update_time: Time::from_micros(head.written),
            created_by: tail.created_by?,
            updated_by: tail.updated_by?,
        },
        display_name: tail.display_name.to_owned(),
        kind: if application { UserKind::Application } else { UserKind::Human },
        email: tail.email.to_owned(),
        roles: head.roles?,
        direct,
        disabled: head.flags & DISABLED != 0,
        business_unit: tail.business_unit?,
        synced: (synced != Synced::default()).then(|| Box::new(synced)),
    })
}

// === impl Head ===

impl<'a, S, N, T> Head<'a, S, N, T> {
    pub(super) fn id(&self) -> &'a str {
        self.id
    }

    /// Whether the flags are those of this program.
    pub(super) fn is_known(&self) -> bool {
        self.flags & !KNOWN == 0
    }

    /// The same with other references.
    pub(super) fn translated<X: Translate<S, N, T>>(
        self,
        to: &mut X,
    ) -> Head<'a, X::Roles, X::Name, X::Text> {
        let Self { id, flags, roles, written, links } = self;
        let roles = to.roles(roles);
        let links = links.into_iter().map(|Link { profile, at, by }| Link {
            profile: to.name(profile),
            at,
            by: to.text(by),
        });
        Head { id, flags, roles, written, links: links.collect() }
    }
}

// === impl Tail ===

impl<'a, S, T> Tail<'a, S, T> {
    /// The same with other references.
    pub(super) fn translated<N, X: Translate<S, N, T>>(
        self,
        to: &mut X,
    ) -> Tail<'a, X::Roles, X::Text> {
        Tail {
            display_name: self.display_name,
            email: self.email,
            business_unit: to.text(self.business_unit),
            uid: self.uid,
            revision: self.revision,
            age: self.age,
            created_by: to.text(self.created_by),
            updated_by: to.text(self.updated_by),
            synced: match self.synced {
                Source::None => Source::None,
                Source::All => Source::All,
                Source::Some(roles) => Source::Some(to.roles(roles)),
            },
            other_name: self.other_name,
        }
    }
}

// === impl Entry ===

impl<'a> Entry<'a> {
    /// The user whose record these bytes begin with.
    pub(super) fn new(bytes: &'a [u8], names: &'a Names) -> Self {
        Self { bytes, names }
    }

    /// What the record begins with; the fields of [`Head`] in their order.
    fn begin<T: Deserialize<'a>>(&self) -> (T, &'a [u8]) {
        postcard::take_from_bytes(self.bytes).expect(SOUND)
    }

    fn flags(&self) -> u8 {
        let ((_, flags), _) = self.begin::<(&str, u8)>();
        flags
    }

    /// The id, in the stored spelling.
    pub fn id(&self) -> &'a str {
        first_text(self.bytes)
    }

    /// The name for people to read.
    pub fn display_name(&self) -> &'a str {
        let (_, tail) = self.begin::<Head<'a, u32, u32, u32>>();
        // The first of what follows.
        first_text(tail)
    }

    /// Whether the user may not call.
    pub fn is_disabled(&self) -> bool {
        self.flags() & DISABLED != 0
    }

    /// What the user is.
    pub fn kind(&self) -> UserKind {
        match self.flags() & APPLICATION {
            0 => UserKind::Human,
            _ => UserKind::Application,
        }
    }

    /// When the user was written last.
    pub fn written(&self) -> Time {
        let ((.., written), _) = self.begin::<(&str, u8, u32, i64)>();
        Time::from_micros(written)
    }

    /// Number of the set of roles among the [`Names`].
    pub fn role_set(&self) -> u32 {
        let ((.., roles), _) = self.begin::<(&str, u8, u32)>();
        roles
    }

    /// The roles held by the user himself, as given.
    pub fn roles(&self) -> &'a BTreeSet<UniqueName> {
        self.names.role_set(self.role_set())
    }

    /// The direct links.
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkEntry<'a>> + use<'a> {
        let (names, (head, _)) = (self.names, self.begin::<Head<'a, u32, u32, u32>>());
        head.links.into_iter().map(|link| LinkEntry {
            profile: names.profile(link.profile),
            assigned_at: link.at.map(Time::from_micros),
            assigned_by: names.text(link.by),
        })
    }
}

// === impl LinkEntry ===

impl<'a> From<&'a DirectLink> for LinkEntry<'a> {
    fn from(link: &'a DirectLink) -> Self {
        let DirectLink { profile, assigned_at, assigned_by } = link;
        Self { profile, assigned_at: *assigned_at, assigned_by }
    }
}
