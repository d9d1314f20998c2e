//! An [`HstsStore`] as text, in the format of curl's HSTS cache: one host per line, with a dot in
//! front when it includes its subdomains, then the quoted expiry time in UTC.

use std::fmt::Write;
use std::time::{Duration, SystemTime};

use url::Host;

use super::{Entry, HstsStore, LONGEST, canonical, is_name};
use crate::error::MalformedHsts;

impl HstsStore {
    /// Writes all hosts that have not expired.
    pub(crate) fn save(&self, now: SystemTime) -> String {
        let mut text = String::from("# Hosts that want https (RFC 6797), in curl's format.\n");
        for (host, entry) in &self.hosts {
            if entry.expires <= now {
                continue;
            }
            let dot = if entry.include_subdomains { "." } else { "" };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{dot}{host} \"{}\"", time_text(entry.expires));
        }
        text
    }

    /// Loads what [`save`](Self::save) or curl wrote, except for expired entries. A known host
    /// keeps the later of both times.
    ///
    /// # Errors
    /// Names the first line that could not be read. The other lines are loaded all the same.
    pub(crate) fn load(&mut self, text: &str, now: SystemTime) -> Result<(), MalformedHsts> {
        let mut malformed = None;
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((host, entry)) = parse_line(line, now) else {
                malformed = malformed.or(Some(MalformedHsts::new(number + 1)));
                continue;
            };
            let is_later = self
                .hosts
                .get(&host)
                .is_none_or(|known| known.expires < entry.expires);
            if entry.expires > now && is_later {
                self.insert(&host, entry, now);
            }
        }
        malformed.map_or(Ok(()), Err)
    }
}

fn parse_line(line: &str, now: SystemTime) -> Option<(String, Entry)> {
    let (host, time) = line.split_once(|c: char| c.is_ascii_whitespace())?;
    let time = time.trim().strip_prefix('"')?.strip_suffix('"')?;
    let latest = now.checked_add(LONGEST)?;
    let expires = if time == "unlimited" {
        latest
    } else {
        parse_time(time)?.min(latest)
    };
    let include_subdomains = host.starts_with('.');
    let Host::Domain(host) = Host::parse(host.strip_prefix('.').unwrap_or(host)).ok()? else {
        return None;
    };
    let entry = Entry {
        expires,
        include_subdomains,
    };
    let host = canonical(&host);
    is_name(host).then(|| (host.to_owned(), entry))
}

/// The format `YYYYMMDD hh:mm:ss`. It cannot express years outside 1970 to 9999.
fn time_text(time: SystemTime) -> String {
    let since_epoch = time.duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since_epoch.map_or(0, |since| since.as_secs());
    let (year, month, day) = civil(seconds / DAY);
    if year > 9999 {
        return "unlimited".to_owned();
    }
    let (hour, minute, second) = (seconds % DAY / 3600, seconds % 3600 / 60, seconds % 60);
    format!("{year:04}{month:02}{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn parse_time(text: &str) -> Option<SystemTime> {
    let (date, time) = text.split_once(' ')?;
    if date.len() != 8 || !date.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, month, day) = (
        date[..4].parse().ok()?,
        date[4..6].parse().ok()?,
        date[6..].parse().ok()?,
    );
    let days = days_since_epoch(year, month, day)?;
    let mut parts = time.split(':');
    let mut part = |below: u64| {
        let text = parts.next().filter(|text| text.len() == 2)?;
        let value: u64 = text
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())??;
        (value < below).then_some(value)
    };
    let (hour, minute, second) = (part(24)?, part(60)?, part(60)?);
    if parts.next().is_some() {
        return None;
    }
    let seconds = days * DAY + hour * 3600 + minute * 60 + second;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

const DAY: u64 = 24 * 60 * 60;

/// Days in 400 years of the Gregorian calendar, after which it repeats.
const ERA: u64 = 146_097;

/// Days from 0000-03-01, the first day of an era, to 1970-01-01.
const EPOCH: u64 = 719_468;

/// Year, month and day in the Gregorian calendar. The calculation starts years in March, so that
/// the leap day is the last day.
fn civil(days_since_epoch: u64) -> (u64, u64, u64) {
    let days = days_since_epoch.saturating_add(EPOCH);
    let of_era = days % ERA;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = days / ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

/// The inverse. `None` for dates that do not exist, and for dates before 1970.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let from_march = (month + 9) % 12;
    let year_from_march = year - u64::from(month <= 2);
    let year_of_era = year_from_march % 400;
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let days = (year_from_march / 400 * ERA + of_era).checked_sub(EPOCH)?;
    (civil(days) == (year, month, day)).then_some(days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_agrees_with_http_dates() {
        for days in (0..2_932_896).step_by(13) {
            let (year, month, day) = civil(days);
            assert_eq!(days_since_epoch(year, month, day), Some(days));
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(days * DAY + 86_399);
            let date = httpdate::fmt_http_date(time);
            let shown = time_text(time);
            assert_eq!((&shown[..4], &shown[6..8]), (&date[12..16], &date[5..7]));
            assert_eq!(parse_time(&shown), Some(time));
        }
    }

    #[test]
    fn times_are_parsed_or_refused() {
        let unix = |seconds| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
        for (text, time) in [
            ("19700101 00:00:00", unix(0)),
            ("20000229 12:34:56", unix(951_827_696)),
            ("20301231 23:59:59", unix(1_924_991_999)),
            ("99991231 23:59:59", unix(253_402_300_799)),
            ("19691231 23:59:59", None),
            ("20230229 00:00:00", None),
            ("20231301 00:00:00", None),
            ("20231200 00:00:00", None),
            ("20231232 00:00:00", None),
            ("20231231 24:00:00", None),
            ("20231231 23:60:00", None),
            ("20231231 23:59:60", None),
            ("20231231 1:2:3", None),
            ("20231231 +1:02:03", None),
            ("20231231 01:02", None),
            ("20231231 01:02:03:04", None),
            ("20231231", None),
            ("2023é31 01:02:03", None),
            ("", None),
        ] {
            assert_eq!(parse_time(text), time, "{text}");
        }
    }
}
