//! App and id of a client, in little memory.

use std::{cmp::Ordering, fmt};

use uuid::Uuid;

use crate::domain::App;

/// Longest id that is kept in place, in bytes, besides UUIDs.
const IN_PLACE: usize = 21;

/// Room for the text of a UUID, as [`Uuid::encode_buffer`] makes it.
pub(super) type Buffer = [u8; uuid::fmt::Urn::LENGTH];

/// App and client id in 24 bytes: most ids are UUIDs or short, and take no allocation of their own.
/// The app is in here because it fits in beside the id, and would take 8 bytes outside. Compares as
/// the app and the text; each text has one form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AppClientId {
    /// A UUID that is written in the usual way, in lower case.
    Uuid(App, Uuid),
    /// A text of that many bytes; the others are 0.
    Short(App, u8, [u8; IN_PLACE]),
    /// Any other text.
    Long(App, Box<str>),
}

impl AppClientId {
    pub(super) fn new(app: App, text: &str) -> Self {
        if let Some(uuid) = canonical(text) {
            return Self::Uuid(app, uuid);
        }
        let mut bytes = [0; IN_PLACE];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(length)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(app, length, bytes)
            }
            _ => Self::Long(app, text.into()),
        }
    }

    pub(super) fn app(&self) -> App {
        match self {
            Self::Uuid(app, _) | Self::Short(app, ..) | Self::Long(app, _) => *app,
        }
    }

    /// The client id; a UUID is written to the buffer.
    pub(super) fn text<'a>(&'a self, buffer: &'a mut Buffer) -> &'a str {
        match self {
            Self::Uuid(_, uuid) => uuid.hyphenated().encode_lower(buffer),
            Self::Short(_, length, bytes) => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                // They were copied from a text.
                str::from_utf8(text).unwrap_or_default()
            }
            Self::Long(_, text) => text,
        }
    }
}

/// The UUID whose canonical text this is.
fn canonical(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(uuid)
}

/// Writes the client id.
impl fmt::Display for AppClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text(&mut Uuid::encode_buffer()))
    }
}

impl Ord for AppClientId {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut a, mut b) = (Uuid::encode_buffer(), Uuid::encode_buffer());
        self.app().cmp(&other.app()).then_with(|| self.text(&mut a).cmp(other.text(&mut b)))
    }
}

impl PartialOrd for AppClientId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, sample::select};

    use super::*;

    /// Ids in every form, many of them alike.
    fn text() -> impl Strategy<Value = String> {
        let uuid = prop_oneof![any::<u128>(), 0..3_u128].prop_map(Uuid::from_u128);
        let uuid = (uuid, 0..7).prop_map(|(uuid, form)| match form {
            0..3 => uuid.to_string(),
            3 => uuid.to_string().to_uppercase(),
            4 => uuid.simple().to_string(),
            5 => uuid.braced().to_string(),
            _ => uuid.urn().to_string(),
        });
        let almost = ("[0-9a-fA-F]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{11}", "[0-9a-fgF-]?");
        let almost = almost.prop_map(|(head, tail)| head + &tail);
        prop_oneof![uuid, almost, "[A-Za-z0-9._-]{0,64}", "[a0-]{0,3}", "[aä\0€]{17,23}", "\\PC*"]
    }

    fn app() -> impl Strategy<Value = App> {
        select(vec![App::Unspecified, App::Workspace])
    }

    proptest! {
        #[test]
        fn compares_and_prints_as_its_text(a in (app(), text()), b in (app(), text())) {
            let [one, other] = [&a, &b].map(|(app, text)| AppClientId::new(*app, text));
            prop_assert_eq!((one.app(), &one.to_string()), (a.0, &a.1));
            prop_assert_eq!(one.cmp(&other), a.cmp(&b));
            prop_assert_eq!(one == other, a == b);
            prop_assert_eq!(&one, &AppClientId::new(a.0, &a.1));
        }
    }

    #[test]
    fn only_long_texts_that_are_no_uuids_take_an_allocation() {
        assert!(size_of::<AppClientId>() <= 24);
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        let long =
            |text: &str| matches!(AppClientId::new(App::Workspace, text), AppClientId::Long(..));
        for text in ["", "desk-0001", &"x".repeat(IN_PLACE), uuid] {
            assert!(!long(text), "{text}");
        }
        for text in [&"x".repeat(IN_PLACE + 1), &uuid.to_uppercase(), &uuid.replace('-', "")] {
            assert!(long(text), "{text}");
        }
    }
}
