//! Instructions to Twilio.

use crate::Address;

/// Does nothing more: the call ends.
pub(super) const NOTHING: &str = r#"<?xml version="1.0" encoding="UTF-8"?><Response></Response>"#;

/// Media type of instructions.
pub(super) const MEDIA_TYPE: &str = "text/xml";

/// Instructions that dial an address; Twilio reports its state to `callback`, if given.
pub(super) fn dial(to: &Address, caller_id: &str, callback: Option<&str>) -> String {
    let noun = if to.is_number() { "Number" } else { "Sip" };
    let status_callback = callback.map_or_else(String::new, |url| {
        let url = escaped(url);
        format!(
            r#" statusCallback="{url}" statusCallbackMethod="POST" statusCallbackEvent="initiated ringing answered completed""#
        )
    });
    let (caller_id, to) = (escaped(caller_id), escaped(to.as_str()));
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial callerId="{caller_id}"><{noun}{status_callback}>{to}</{noun}></Dial></Response>"#
    )
}

/// Text as it may stand in an element and in an attribute.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_in_xml_is_escaped() {
        let url = "https://desk.example.com/webhooks/a?x='<1>'&call_id=7";
        let to: Address = "sip:a&b'c@pbx.example.com".parse().unwrap();
        let expected = concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?><Response><Dial callerId="&quot;&gt;&lt;Hangup/&gt;">"#,
            r#"<Sip statusCallback="https://desk.example.com/webhooks/a?x=&apos;&lt;1&gt;&apos;&amp;call_id=7" "#,
            r#"statusCallbackMethod="POST" statusCallbackEvent="initiated ringing answered completed">"#,
            "sip:a&amp;b&apos;c@pbx.example.com</Sip></Dial></Response>"
        );
        assert_eq!(dial(&to, "\"><Hangup/>", Some(url)), expected);
    }

    #[test]
    fn a_number_is_dialled_without_callback_when_nobody_listens() {
        let text = dial(&"+14155550100".parse().unwrap(), "+14155550199", None);
        let end =
            r#"<Dial callerId="+14155550199"><Number>+14155550100</Number></Dial></Response>"#;
        assert!(text.ends_with(end), "{text}");
    }
}
