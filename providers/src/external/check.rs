//! Whether a plug-in, and the vendor behind it, are in order.

use deskplane_proto::provider::v1;

use super::{client::Client, convert};
use crate::{Capabilities, Check, Context, Error, ErrorKind, Result};

/// Most checks of a plug-in that are passed on.
const MAX_CHECKS: usize = 100;

/// Checks the plug-in, then what it reports of the vendor.
pub(super) async fn run(client: &Client, declared: &Capabilities, cx: &Context) -> Vec<Check> {
    let plugin = Check::run("plugin", plugin(client, cx)).await;
    if plugin.error().is_some() {
        let why = "the plug-in did not answer";
        return vec![plugin, Check::skipped("capabilities", why), Check::skipped("vendor", why)];
    }
    let mut checks = vec![plugin, Check::run("capabilities", compare(client, declared, cx)).await];
    let ask = |mut rpc: super::client::Rpc, request| async move { rpc.check(request).await };
    match client.call(cx, v1::CheckRequest {}, ask).await {
        Ok(answer) => checks.extend(answer.checks.into_iter().take(MAX_CHECKS).map(convert::check)),
        Err(error) if error.kind() == ErrorKind::Unsupported => {
            checks.push(Check::skipped("vendor", "the plug-in does not look at its vendor"));
        }
        Err(error) => checks.push(Check::run("vendor", async { Err(error) }).await),
    }
    checks
}

async fn plugin(client: &Client, cx: &Context) -> Result<String> {
    let info = client.greet(cx).await?;
    let cut = |text: &str| convert::cut(text, convert::MAX_WORD);
    let named = format!("{} {}", cut(&info.title), cut(&info.version));
    Ok(match info.vendor.as_str() {
        "" => named,
        vendor => format!("{named} for {}", cut(vendor)),
    })
}

/// What is configured must be what the plug-in says: the one decides what agents are offered, the
/// other what works.
async fn compare(client: &Client, declared: &Capabilities, cx: &Context) -> Result<String> {
    let offered = client.capabilities(cx).await?;
    let list = |left: &Capabilities, right: &Capabilities| {
        let more: Vec<_> = left.difference(right).map(|capability| capability.as_str()).collect();
        more.join(", ")
    };
    let (missing, more) = (list(declared, &offered), list(&offered, declared));
    if missing.is_empty() && more.is_empty() {
        return Ok(format!("{} as configured", offered.len()));
    }
    let missing =
        Some(format!("the plug-in does not offer {missing}")).filter(|_| !missing.is_empty());
    let more = Some(format!("not configured: {more}")).filter(|_| !more.is_empty());
    let parts: Vec<_> = missing.into_iter().chain(more).collect();
    Err(Error::new(ErrorKind::InvalidConfig, parts.join("; ")))
}
