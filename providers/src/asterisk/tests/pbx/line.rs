//! One channel of the exchange.

use serde_json::{Value, json};

#[derive(Clone, Default)]
pub(in crate::asterisk::tests) struct Line {
    pub(super) state: &'static str,
    pub(super) app_data: String,
    pub(in crate::asterisk::tests) stasis: bool,
    pub(in crate::asterisk::tests) held: bool,
    pub(in crate::asterisk::tests) caller_id: String,
}

impl Line {
    pub(super) fn json(&self, id: &str) -> Value {
        let (app_name, app_data) = match self.stasis {
            true => ("Stasis", self.app_data.as_str()),
            false if self.app_data.contains('@') => ("Dial", self.app_data.as_str()),
            false => ("AppDial2", "(Outgoing Line)"),
        };
        json!({
            "id": id,
            "state": self.state,
            "caller": {"number": "+14155550123"},
            "dialplan": {"exten": "+14155550177", "app_name": app_name, "app_data": app_data},
        })
    }
}
