use super::*;
use crate::{
    catalog::Catalog,
    domain::field::{Field, Fields},
};

/// Expands to the checks of each kind that is converted by its table.
macro_rules! checked {
    (table $type:ident $module:ident $message:ident) => {
        described::<library::$module::$type>();
        returns::<library::$module::$type, v1::$message>();
    };
    ($api:ident $type:ident $module:ident $message:ident) => {};
}

macro_rules! checks {
    ($(
        $(#[$doc:meta])*
        $variant:ident: $module:ident::$type:ident in $table:ident
            = $collection:literal, $message:ident, $missing:ident, $api:ident;
    )+) => {
        #[test]
        fn every_message_follows_from_the_table_of_its_kind() {
            $(checked! { $api $type $module $message })+
        }
    };
}

named_kinds!(checks);

/// Every field of the message is one that all resources share or stands in the table, and the table
/// names no other.
fn described<T: Fields + Stored>() {
    let message = descriptor(T::KIND);
    let known = |name: &str| {
        COMMON.iter().any(|info| info.path == name)
            || T::FIELDS.iter().any(|field| field.info.path == name)
    };
    for field in message.fields() {
        assert!(
            known(field.name()),
            "{}: no field `{}` in the table",
            message.name(),
            field.name()
        );
    }
    for Field { info, .. } in T::FIELDS {
        let (outer, inner) = info.path.split_once('.').unwrap_or((info.path, ""));
        let mut at = field(&message, outer);
        if !inner.is_empty() {
            let Encoding::Message(part) = at.kind() else { panic!("{outer} is no message") };
            at = field(&part, inner);
        }
        if let FieldType::Choice(words) = info.holds {
            let Encoding::Enum(kind) = at.kind() else { panic!("{} is no enum", info.path) };
            let of_api = kind.values().filter(|value| value.number() != 0).count();
            assert!(words.iter().all(|word| number(&kind, word).is_some()), "{words:?}");
            assert_eq!(words.len(), of_api, "{}", kind.name());
        }
    }
}

/// What a message shows can be sent: an object with another value in each field comes back.
fn returns<T: Rules + Stored, R: Resource>() {
    let empty = || {
        let stamp = Stamp::new(uuid::Uuid::nil(), 0, Time::default(), "");
        T::empty(Common::custom(UniqueName::known("contoso_x"), "X"), stamp)
    };
    let mut object = empty();
    let sent = |field: &&Field<T>| field.info.access != Access::Output;
    for field in T::FIELDS.iter().filter(sent) {
        let before = field.value(&object).map(Value::into_owned);
        if let Some(other) = before.map(|before| other(field.info.holds, &before)) {
            field.assign(&mut object, other.clone());
            assert_eq!(field.value(&object), Some(other), "{}", field.info.path);
        }
    }
    let shown: R = message(&object);
    let catalog = Catalog::empty();
    let mut reader = Reader::new(&catalog);
    let values: Values<T> = values(&shown, &mut reader, &Mask::All);
    assert!(reader.v.is_empty(), "{:?}", reader.v);
    let mut made = empty();
    values.apply(&mut made);
    for field in T::FIELDS.iter().filter(sent) {
        assert_eq!(field.value(&made), field.value(&object), "{}", field.info.path);
    }
}

/// A value that a field may hold, other than the given one.
fn other(holds: FieldType, before: &Value<'_>) -> Value<'static> {
    match holds {
        FieldType::Text | FieldType::Lines => Value::Text("text".into()),
        FieldType::List => Value::List(vec!["one".into(), "two".into()]),
        FieldType::Number => Value::Number(Some(7)),
        FieldType::Bool => Value::Bool(*before == Value::Bool(false)),
        FieldType::Choice(words) => {
            let others = words.iter().find(|word| *before != Value::Text(Cow::Borrowed(**word)));
            Value::Text(Cow::Borrowed(*others.unwrap()))
        }
        FieldType::UniqueName | FieldType::Name(_) => Value::Name("contoso_one".into()),
        FieldType::Names(_) => Value::Names(vec!["contoso_one".into(), "contoso_two".into()]),
        FieldType::User => Value::Name("contoso.bot".into()),
        FieldType::Map => {
            Value::Map(vec![("a".into(), "one\ntwo".into()), ("b".into(), "".into())])
        }
        FieldType::Records(parts) => {
            // Records in records end here: a record may hold some like itself.
            let part = |holds, before: &Value<'_>| match holds {
                FieldType::Records(_) => Value::Records(Vec::new()),
                holds => other(holds, before),
            };
            let row = |before| parts.0.iter().map(|(_, holds)| part(*holds, &before)).collect();
            Value::Records(vec![row(Value::Bool(false)), row(Value::Bool(true))])
        }
        FieldType::Time | FieldType::UniqueNames | FieldType::Other => {
            unreachable!("{holds:?} is not sent")
        }
    }
}
