//! What a scalar means in the core schema of YAML 1.2.

/// A scalar as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Scalar {
    /// Its text, without quotes and escapes; empty and plain where a value is left out.
    pub text: String,
    /// How it stands there.
    pub style: Style,
}

/// How a scalar is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Style {
    /// Within quotes, or as a block.
    Quoted,
    /// Without quotes, in YAML.
    Plain,
    /// Without quotes, in JSON, where no text stands so.
    Word,
}

/// What a scalar means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Meaning {
    /// A value is left out.
    Nothing,
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number in any of its forms.
    Whole,
    /// Any other number, also none and infinite.
    Number,
    /// A text.
    Text,
}

impl Meaning {
    /// In words for people.
    pub(in crate::cli) fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Whole | Self::Number => "a number",
            Self::Text => "text",
        }
    }
}

impl Scalar {
    /// A text.
    pub(in crate::cli) fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::Quoted }
    }

    /// What it means.
    pub(in crate::cli) fn meaning(&self) -> Meaning {
        if self.style == Style::Quoted {
            return Meaning::Text;
        }
        match self.text.as_str() {
            "" => Meaning::Nothing,
            "~" | "null" | "Null" | "NULL" => Meaning::Null,
            "true" | "True" | "TRUE" => Meaning::Bool(true),
            "false" | "False" | "FALSE" => Meaning::Bool(false),
            ".nan" | ".NaN" | ".NAN" => Meaning::Number,
            text if is_whole(text) => Meaning::Whole,
            text if is_infinite(text) || is_decimal(text) => Meaning::Number,
            _ => Meaning::Text,
        }
    }

    /// Whether it is text where text is due. What only YAML 1.2 takes for a number is: programs that
    /// write YAML 1.1 leave it without quotes, and nothing of it is lost.
    pub(in crate::cli) fn reads_as_text(&self) -> bool {
        match self.meaning() {
            Meaning::Text => true,
            Meaning::Whole | Meaning::Number => {
                self.style == Style::Plain && !is_number_in_1_1(&self.text)
            }
            _ => false,
        }
    }

    /// The whole number that it is: decimal digits without leading zeros, which other versions of
    /// YAML read as octal. A fraction or an exponent may stand when nothing is lost.
    pub(in crate::cli) fn whole(&self) -> Option<i128> {
        let digits = unsigned(&self.text);
        let decimal = digits.bytes().all(|b| b.is_ascii_digit());
        let leading_zero = digits.len() > 1 && digits.starts_with('0');
        match self.meaning() {
            Meaning::Whole if decimal && !leading_zero => self.text.parse().ok(),
            Meaning::Number if !leading_zero || digits.starts_with("0.") => {
                /// Up to here a double knows every whole number.
                const EXACT: f64 = 9_007_199_254_740_992.0;
                let value = self.text.parse::<f64>().ok()?;
                #[allow(clippy::cast_possible_truncation, reason = "it is whole and small enough")]
                (value.fract() == 0.0 && value.abs() <= EXACT).then_some(value as i128)
            }
            _ => None,
        }
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['-', '+']).unwrap_or(text)
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Whether readers of YAML 1.1 take a number of version 1.2 for one, too: no octal digits behind a
/// zero that are none, no `0o`, and an exponent only with a point and a sign.
fn is_number_in_1_1(text: &str) -> bool {
    let number = unsigned(text);
    if is_digits(number) {
        return number.len() == 1 || !number.starts_with('0') || !number.contains(['8', '9']);
    }
    if text.starts_with("0x")
        || is_infinite(text)
        || text.starts_with(".n")
        || text.starts_with(".N")
    {
        return true;
    }
    let signed = |exponent: &str| exponent.starts_with(['-', '+']);
    let exponent = number.split_once(['e', 'E']).map(|(_, exponent)| exponent);
    let bare_point = number.starts_with('.') && number.len() < text.len();
    number.contains('.') && !bare_point && exponent.is_none_or(signed)
}

fn is_whole(text: &str) -> bool {
    let of = |prefix: &str, known: fn(&u8) -> bool| {
        let rest = text.strip_prefix(prefix).map(str::as_bytes).unwrap_or_default();
        !rest.is_empty() && rest.iter().all(known)
    };
    is_digits(unsigned(text))
        || of("0o", |b| (b'0'..=b'7').contains(b))
        || of("0x", u8::is_ascii_hexdigit)
}

fn is_infinite(text: &str) -> bool {
    matches!(unsigned(text), ".inf" | ".Inf" | ".INF")
}

/// `1.`, `.5`, `1e3`, `-0.25E+7`.
fn is_decimal(text: &str) -> bool {
    let (number, exponent) = match unsigned(text).split_once(['e', 'E']) {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (unsigned(text), None),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let right = (is_digits(whole) && fraction.is_empty())
        || (is_digits(fraction) && (whole.is_empty() || is_digits(whole)));
    right && exponent.is_none_or(|exponent| is_digits(unsigned(exponent)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Scalar {
        Scalar { text: text.to_owned(), style: Style::Plain }
    }

    #[test]
    fn words_and_numbers_are_those_of_the_core_schema() {
        let table: [(Meaning, &[&str]); 6] = [
            (Meaning::Nothing, &[""]),
            (Meaning::Null, &["~", "null", "Null", "NULL"]),
            (Meaning::Bool(true), &["true", "True", "TRUE"]),
            (Meaning::Whole, &["0", "-1", "+1", "017", "0o17", "0x1F", "18446744073709551616"]),
            (
                Meaning::Number,
                &["1.", ".5", "5.5", "1e3", "-1E-3", "1.5e+3", ".nan", ".NaN", "-.inf", ".INF"],
            ),
            (
                Meaning::Text,
                &[
                    "nULL",
                    "tRUE",
                    "yes",
                    "No",
                    "on",
                    "y",
                    "1_000",
                    "1:30",
                    "2026-01-01",
                    "0b1",
                    "0o8",
                    "-0x1",
                    ".",
                    "e3",
                    "1e",
                    "1e+",
                    "=",
                    "<<",
                    "1.2.3",
                    "nan",
                    "-",
                    "Infinity",
                ],
            ),
        ];
        for (meaning, texts) in table {
            for text in texts {
                assert_eq!(plain(text).meaning(), meaning, "{text}");
                assert_eq!(Scalar::text(*text).meaning(), Meaning::Text, "{text}");
            }
        }
    }

    /// The second list is what PyYAML writes without quotes for a text.
    #[test]
    fn what_only_one_version_takes_for_a_number_is_text_where_text_is_due() {
        let not =
            ["5", "0", "-5", "007", "017", "0x1F", "5.5", "1.", ".5", "1.5e+3", ".nan", ".inf"];
        for text in not.into_iter().chain(["-.INF", ".NaN", "true", "~", ""]) {
            assert!(!plain(text).reads_as_text(), "{text}");
        }
        for text in ["1e3", "1E3", "1e+3", "1.5e3", "08", "0089", "-09", "0o17", "-.5", "No", "1_0"]
        {
            assert!(plain(text).reads_as_text(), "{text}");
            let word = Scalar { style: Style::Word, ..plain(text) };
            assert_eq!(word.reads_as_text(), word.meaning() == Meaning::Text, "{text}");
            assert!(Scalar::text(text).reads_as_text(), "{text}");
        }
    }

    #[test]
    fn a_whole_number_is_one_without_doubt() {
        let exact = [
            ("0", 0),
            ("-5", -5),
            ("+5", 5),
            ("5.0", 5),
            ("0.0", 0),
            ("1e2", 100),
            ("9007199254740993", 9_007_199_254_740_993),
            ("18446744073709551616", 1 << 64),
        ];
        for (text, number) in exact {
            assert_eq!(plain(text).whole(), Some(number), "{text}");
        }
        let not = ["017", "00", "0o17", "0x1F", "5.5", ".nan", ".inf", "1e300", "1_000", "five"];
        for text in not {
            assert_eq!(plain(text).whole(), None, "{text}");
        }
    }
}
