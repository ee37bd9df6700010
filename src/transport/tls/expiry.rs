//! The end of a certificate's validity (RFC 5280 §4.1), which rustls does not expose.

use time::{Date, Month, PrimitiveDateTime, Time};

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
/// The explicit tag of the version.
const VERSION: u8 = 0xa0;

/// Elements of DER, one behind the other.
struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Tag and content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (tag, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match *first {
            short if short < 0x80 => (usize::from(short), rest),
            long => {
                let count = usize::from(long & 0x7f);
                let (bytes, rest) = rest.split_at_checked(count)?;
                let fits = (1..=4).contains(&count);
                let length = bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                (fits.then_some(length)?, rest)
            }
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((*tag, content))
    }

    /// The content of the next element, which must have that tag.
    fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    fn inside(&mut self) -> Option<Self> {
        self.expect(SEQUENCE).map(Self)
    }
}

/// The last second, since 1970, of a certificate's validity.
pub(super) fn not_after(certificate: &[u8]) -> Option<i64> {
    let mut body = Elements(certificate).inside()?.inside()?;
    if body.0.first() == Some(&VERSION) {
        body.next()?;
    }
    body.expect(INTEGER)?;
    // The algorithm, and who issued it.
    body.inside()?;
    body.inside()?;
    let mut validity = body.inside()?;
    validity.next()?;
    let (tag, text) = validity.next()?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let number = |from: usize| text.get(from..from + 2)?.parse::<u8>().ok();
    let (year, rest) = match tag {
        UTC_TIME => match i32::from(number(0)?) {
            late if late >= 50 => (1900 + late, 2),
            early => (2000 + early, 2),
        },
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, 4),
        _ => return None,
    };
    let month = Month::try_from(number(rest)?).ok()?;
    let day = Date::from_calendar_date(year, month, number(rest + 2)?).ok()?;
    let time = Time::from_hms(number(rest + 4)?, number(rest + 6)?, number(rest + 8)?).ok()?;
    Some(PrimitiveDateTime::new(day, time).assume_utc().unix_timestamp())
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
