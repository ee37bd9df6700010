//! Messages of Asterisk, as far as they are used here.

use std::time::{Duration, SystemTime};

use serde::Deserialize;

use crate::Cause;

/// A channel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Channel {
    pub(super) id: String,
    /// `Down`, `Ring`, `Ringing`, `Up`, and others that pass.
    pub(super) state: String,
    pub(super) caller: Party,
    pub(super) dialplan: Dialplan,
}

/// The number of a party.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Party {
    pub(super) number: String,
}

/// What the dial plan does with a channel.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Dialplan {
    pub(super) exten: String,
    pub(super) app_name: String,
    /// Arguments of the application, its own name first where it is Stasis.
    pub(super) app_data: String,
}

/// Channels that are connected.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bridge {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) channels: Vec<String>,
}

/// An event, whatever its type: each has some of these.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) timestamp: String,
    pub(super) channel: Option<Channel>,
    /// The called channel of a `Dial`.
    pub(super) peer: Option<Channel>,
    pub(super) bridge: Option<Bridge>,
    pub(super) args: Vec<String>,
    pub(super) dialstatus: String,
    pub(super) cause: u32,
    pub(super) cause_txt: String,
}

impl Channel {
    /// Arguments with which the channel is in that Stasis application; none when it is not.
    pub(super) fn args_in(&self, app: &str) -> Option<impl Iterator<Item = &str>> {
        let mut words = self.dialplan.app_data.split(',');
        let there = self.dialplan.app_name == "Stasis" && words.next() == Some(app);
        there.then_some(words)
    }

    /// Whether it is the other half of a Local channel, which belongs to no party.
    pub(super) fn is_second_half(&self) -> bool {
        self.id.ends_with(";2")
    }
}

impl Message {
    /// Identifies the event among those of the call.
    pub(super) fn key(&self) -> String {
        let channel = self.channel.as_ref().or(self.peer.as_ref());
        let id = channel.map_or("", |channel| &channel.id);
        format!("{}/{id}/{}", self.kind, self.timestamp)
    }

    /// When it happened.
    pub(super) fn occurred_at(&self) -> Option<SystemTime> {
        time(&self.timestamp)
    }

    /// What a `Dial` came to; none while it goes on.
    pub(super) fn verdict(&self) -> Option<Cause> {
        match self.dialstatus.as_str() {
            "BUSY" => Some(Cause::Busy),
            "NOANSWER" => Some(Cause::NoAnswer),
            "CONGESTION" => Some(Cause::Congestion),
            "CANCEL" => Some(Cause::Canceled),
            "CHANUNAVAIL" => Some(Cause::Failed),
            _ => None,
        }
    }

    /// Why a channel was destroyed, in the words of ITU-T Q.850.
    pub(super) fn cause(&self) -> Cause {
        match self.cause {
            16 => Cause::Normal,
            17 => Cause::Busy,
            18 | 19 => Cause::NoAnswer,
            21 => Cause::Rejected,
            34 | 42 => Cause::Congestion,
            1 | 28 => Cause::InvalidNumber,
            code => Cause::Other(format!("{code} {}", self.cause_txt).trim_end().to_owned()),
        }
    }
}

/// `2026-11-22T02:00:55.662+0000`, as Asterisk writes times.
fn time(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_once('T')?;
    let at = rest.find(['+', '-', 'Z'])?;
    let (clock, zone) = rest.split_at(at);
    let numbers = |text: &str, by: char| -> Option<[i64; 3]> {
        let all = text.split(by).map(|part| part.parse().ok()).collect::<Option<Vec<i64>>>()?;
        all.try_into().ok()
    };
    let [year, month, day] = numbers(date, '-')?;
    let (clock, millis) = clock.split_once('.').unwrap_or((clock, "0"));
    let [hour, minute, second] = numbers(clock, ':')?;
    let in_range = (1970..=9999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    let millis: u64 = millis.parse().ok().filter(|millis| in_range && *millis < 1000)?;
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let since = u64::try_from(seconds - offset(zone)?).ok()?;
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(since) + Duration::from_millis(millis))
}

/// Seconds east of Greenwich of `+0130` or `+01:30`.
fn offset(zone: &str) -> Option<i64> {
    if zone == "Z" {
        return Some(0);
    }
    let digits = zone.get(1..)?.replace(':', "");
    let east = digits.parse::<i64>().ok().filter(|_| digits.len() == 4)?;
    let seconds = (east / 100) * 3600 + (east % 100) * 60;
    Some(if zone.starts_with('-') { -seconds } else { seconds })
}

/// Days from 1970-01-01 to a day of the Gregorian calendar: years are counted from March, so that
/// the leap day is the last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_zone() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000+0000", Some(0)),
            ("2000-02-29T12:00:00.500+0000", Some(951_825_600_500)),
            ("2026-11-22T02:00:55.662+0000", Some(1_795_312_855_662)),
            ("2026-11-22T03:30:55.662+0130", Some(1_795_312_855_662)),
            ("2026-11-21T21:00:55.662-05:00", Some(1_795_312_855_662)),
            ("2026-11-22T02:00:55Z", Some(1_795_312_855_000)),
            ("2026-13-22T02:00:55.662+0000", None),
            ("2026-11-22 02:00:55.662+0000", None),
            ("2026-11-22T02:00:55.662", None),
            ("2026-11-22T02:00:55.662+00", None),
            ("1969-01-01T00:00:00.000+0000", None),
            ("", None),
        ] {
            let since = time(text).map(|at| at.duration_since(SystemTime::UNIX_EPOCH).unwrap());
            assert_eq!(since.map(|since| since.as_millis()), expected, "{text}");
        }
    }

    #[test]
    fn causes_follow_q_850() {
        for (cause, expected) in [
            (16, Cause::Normal),
            (17, Cause::Busy),
            (18, Cause::NoAnswer),
            (19, Cause::NoAnswer),
            (21, Cause::Rejected),
            (34, Cause::Congestion),
            (42, Cause::Congestion),
            (1, Cause::InvalidNumber),
            (28, Cause::InvalidNumber),
            (27, Cause::Other("27 Destination out of order".to_owned())),
        ] {
            let cause_txt = "Destination out of order".to_owned();
            assert_eq!(Message { cause, cause_txt, ..Message::default() }.cause(), expected);
        }
        assert_eq!(Message { cause: 77, ..Message::default() }.cause(), Cause::Other("77".into()));
    }
}
