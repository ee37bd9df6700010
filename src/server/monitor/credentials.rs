//! Figures of credentials.

use metrics::{Recorder, counter, describe_counter, describe_gauge, gauge, with_local_recorder};

use crate::credentials::Figures;

/// Describes the figures.
pub(super) fn describe(recorder: &dyn Recorder) {
    with_local_recorder(recorder, || {
        describe_counter!(
            "deskplane_authentications_total",
            "Calls whose credential was accepted, by method: jwt, token or certificate"
        );
        describe_counter!(
            "deskplane_authentications_refused_total",
            "Calls that were refused before their caller was known, by reason"
        );
        describe_counter!(
            "deskplane_authentications_limited_total",
            "Refused calls that were answered with SERVER_BUSY"
        );
        describe_gauge!(
            "deskplane_issuer_up",
            "Whether the keys of an issuer of tokens could be fetched last time"
        );
        describe_gauge!("deskplane_issuer_keys", "Keys of an issuer of tokens that can be used");
        describe_counter!(
            "deskplane_issuer_fetch_errors_total",
            "Fetches of the keys of an issuer of tokens that failed"
        );
    });
}

/// Sets what is known now.
pub(super) fn set(recorder: &dyn Recorder, figures: Figures) {
    with_local_recorder(recorder, || {
        for (method, count) in figures.accepted {
            counter!("deskplane_authentications_total", "method" => method).absolute(count);
        }
        for (reason, count) in figures.refused {
            counter!("deskplane_authentications_refused_total", "reason" => reason).absolute(count);
        }
        counter!("deskplane_authentications_limited_total").absolute(figures.limited);
        for issuer in figures.issuers {
            let name = issuer.issuer;
            gauge!("deskplane_issuer_up", "issuer" => name.clone())
                .set(f64::from(issuer.reachable));
            gauge!("deskplane_issuer_keys", "issuer" => name.clone()).set(issuer.keys as f64);
            counter!("deskplane_issuer_fetch_errors_total", "issuer" => name)
                .absolute(issuer.failed);
        }
    });
}
