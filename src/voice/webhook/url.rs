//! Where vendors post events.

/// Public URL of a provider's webhook.
pub(in crate::voice) fn webhook_url(public_url: &str, provider: &str) -> String {
    format!("{}/webhooks/{provider}", public_url.trim_end_matches('/'))
}
