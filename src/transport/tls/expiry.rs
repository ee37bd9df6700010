//! The end of a certificate's validity (RFC 5280 §4.1), which rustls does not expose.

use x509_parser::prelude::{FromDer as _, X509Certificate};

/// The last second, since 1970, of a certificate's validity.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.validity().not_after.timestamp())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::not_after;

    #[test]
    fn the_end_of_validity_is_read_from_the_certificate() {
        for (year, seconds) in [(2026, 1_770_076_800), (2049, 2_495_923_200), (2091, 3_821_299_200)]
        {
            let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.not_after = date_time_ymd(year, 2, 3);
            let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
            assert_eq!(not_after(made.der()), Some(seconds), "{year}");
            for cut in 0..made.der().len() {
                assert_eq!(not_after(&made.der()[..cut]), None, "{cut} bytes of {year}");
            }
        }
    }
}
