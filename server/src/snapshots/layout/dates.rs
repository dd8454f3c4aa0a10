//! Dates in names, in the forms that writers and cron jobs use.
//!
//! | form | examples |
//! |---|---|
//! | a date, with or without a time behind it | `2026-11-28`, `2026_11_28`, `2026.11.28-01.02.03`, `20261128` |
//! | its time | `T01:02:03Z`, `t01-02-03`, `_010203`, `-0102`, `_09`, with a fraction or an offset such as `+02:00` |
//! | all digits | `202611280102`, `20261128010203` |
//! | Unix seconds | `1764291723` |
//!
//! A time without a zone is taken for UTC. Years before 2015 (etcd had no snapshots) and after 2100 are no dates. A run of
//! digits counts as a whole or not at all, so that `prod-10` and `prod-1` never meet.

use std::ops::Range;

use time::{Date, Duration, Month, PrimitiveDateTime, Time, UtcOffset};

use crate::store::clock::UnixMillis;

const YEARS: std::ops::RangeInclusive<i32> = 2015..=2100;
/// 2015-01-01 and 2101-01-01, in Unix seconds.
const UNIX_SECONDS: Range<i64> = 1_420_070_400..4_133_980_800;
const UNIX_DIGITS: usize = 10;

/// A claim about the future that is larger than this is no date.
const AHEAD_MAX_MILLIS: u64 = DAY_MILLIS;
pub(super) const DAY_MILLIS: u64 = 24 * 60 * 60 * 1000;

/// When a name says that its snapshot was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Captured {
    /// At this time.
    At(UnixMillis),
    /// On the day that begins at this time.
    Day(UnixMillis),
}

impl Captured {
    /// The time of capture of a snapshot that arrived at `arrived`. `None` if the name is more than a day ahead of it, so that
    /// it means something else.
    ///
    /// Nothing arrives before it was captured: a writer's clock that is ahead is not followed, because the last snapshot of a
    /// dead master would otherwise be newer than what the others still write. On a day without a time, arrivals decide.
    pub fn believed(self, arrived: UnixMillis) -> Option<UnixMillis> {
        let (first, last) = match self {
            Captured::At(at) => (at, at),
            Captured::Day(start) => (start, UnixMillis(start.0 + DAY_MILLIS - 1)),
        };
        if first.0 > arrived.0.saturating_add(AHEAD_MAX_MILLIS) {
            return None;
        }
        Some(last.min(arrived))
    }

    /// The day, as the time at which it begins in UTC.
    pub(super) fn day(self) -> UnixMillis {
        let (Captured::At(at) | Captured::Day(at)) = self;
        UnixMillis(at.0 - at.0 % DAY_MILLIS)
    }
}

/// A date within a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    /// Its bytes.
    pub(super) at: Range<usize>,
    pub(super) captured: Captured,
}

/// The first date at or after `from`.
pub(super) fn find(text: &str, from: usize) -> Option<Found> {
    let mut at = from;
    while at < text.len() {
        let run = digits(text, at);
        if run == 0 {
            at += 1;
        } else if let Some(found) = date_at(text, at, run) {
            return Some(found);
        } else {
            at += run;
        }
    }
    None
}

/// The date that is all of the text.
pub(super) fn whole(text: &str) -> Option<Captured> {
    let found = find(text, 0)?;
    (found.at == (0..text.len())).then_some(found.captured)
}

/// A time of the day that is all of the text, on this day.
pub(super) fn time_of_day(day: UnixMillis, text: &str) -> Option<Captured> {
    let clock = clock_at(text, 0)?;
    (clock.end == text.len()).then_some(())?;
    let millis = u64::try_from((clock.time - Time::MIDNIGHT).whole_milliseconds()).ok()?;
    Some(Captured::At(UnixMillis(day.0 + millis)))
}

/// Unix seconds, if they are plausible.
pub(super) fn unix(seconds: i64) -> Option<Captured> {
    UNIX_SECONDS
        .contains(&seconds)
        .then(|| u64::try_from(seconds).ok())?
        .map(|seconds| Captured::At(UnixMillis(seconds * 1000)))
}

/// Unix seconds that are all of the text.
pub(super) fn unix_text(text: &str) -> Option<Captured> {
    (text.len() == UNIX_DIGITS && digits(text, 0) == UNIX_DIGITS).then_some(())?;
    unix(text.parse().ok()?)
}

/// A calendar day.
pub(super) fn day(year: &str, month: &str, day: &str) -> Option<Date> {
    let year = number(year).filter(|_| year.len() == 4)?;
    let month = number(month).filter(|_| month.len() == 2)?;
    let day = number(day).filter(|_| day.len() == 2)?;
    date(year, month, day)
}

/// A day without a time.
pub(super) fn on(date: Date) -> Option<Captured> {
    let start = millis(PrimitiveDateTime::new(date, Time::MIDNIGHT))?;
    Some(Captured::Day(start))
}

/// A date whose first run of `run` digits begins at `at`.
fn date_at(text: &str, at: usize, run: usize) -> Option<Found> {
    let part = |from: usize, to: usize| text.get(at + from..at + to);
    let found = |end: usize, captured| Found {
        at: at..end,
        captured,
    };
    match run {
        UNIX_DIGITS => Some(found(at + run, unix_text(part(0, run)?)?)),
        12 | 14 => {
            let date = day(part(0, 4)?, part(4, 6)?, part(6, 8)?)?;
            let clock = Clock::of(part(8, 10)?, part(10, 12)?, part(12, run)?, at + run)?;
            Some(dated(text, at, date, &clock))
        }
        8 => {
            let date = day(part(0, 4)?, part(4, 6)?, part(6, 8)?)?;
            with_clock(text, at, at + 8, date)
        }
        4 => {
            let separator = part(4, 5).filter(|text| matches!(*text, "-" | "_" | "."))?;
            let parted = part(7, 8)? == separator;
            let whole = digits(text, at + 5) == 2 && digits(text, at + 8) == 2;
            (parted && whole).then_some(())?;
            let date = day(part(0, 4)?, part(5, 7)?, part(8, 10)?)?;
            with_clock(text, at, at + 10, date)
        }
        _ => None,
    }
}

/// A date that ends at `end`, with the time behind it if there is one.
fn with_clock(text: &str, at: usize, end: usize, date: Date) -> Option<Found> {
    let joined = text
        .get(end..)?
        .starts_with(['T', 't', '-', '_', '.', ' ', '@']);
    if let Some(clock) = joined.then(|| clock_at(text, end + 1)).flatten() {
        return Some(dated(text, at, date, &clock));
    }
    let captured = on(date)?;
    Some(Found {
        at: at..end,
        captured,
    })
}

/// The date with this time, and the zone behind it.
fn dated(text: &str, at: usize, date: Date, clock: &Clock) -> Found {
    let (offset, end) = zone_at(text, clock);
    let moment = PrimitiveDateTime::new(date, clock.time) - Duration::seconds(offset);
    let captured = millis(moment).map_or(Captured::Day(UnixMillis(0)), Captured::At);
    Found {
        at: at..end,
        captured,
    }
}

/// A time of the day within a text.
struct Clock {
    time: Time,
    end: usize,
    /// Whether a zone that begins with `-` can be told from a part of the time or of a name.
    is_clear: bool,
}

impl Clock {
    fn of(hour: &str, minute: &str, second: &str, end: usize) -> Option<Clock> {
        let second = if second.is_empty() {
            0
        } else {
            number(second)?
        };
        let time = Time::from_hms(
            small(number(hour)?)?,
            small(number(minute)?)?,
            small(second)?,
        );
        Some(Clock {
            time: time.ok()?,
            end,
            is_clear: true,
        })
    }
}

/// `01:02:03`, `01-02`, `010203`, `0102`, `09`; with a fraction of the seconds.
fn clock_at(text: &str, at: usize) -> Option<Clock> {
    let part = |from: usize, to: usize| text.get(at + from..at + to);
    let run = digits(text, at);
    match run {
        4 | 6 => Clock::of(part(0, 2)?, part(2, 4)?, part(4, run)?, at + run),
        2 => {
            let separator = part(2, 3).filter(|text| matches!(*text, ":" | "-" | "_" | "."));
            let more = separator.filter(|_| digits(text, at + 3) == 2);
            let Some(separator) = more else {
                return Clock::of(part(0, 2)?, "00", "", at + 2);
            };
            let has_seconds = part(5, 6) == Some(separator) && digits(text, at + 6) == 2;
            let (seconds, end) = if has_seconds {
                (part(6, 8)?, at + 8)
            } else {
                ("", at + 5)
            };
            let mut clock = Clock::of(part(0, 2)?, part(3, 5)?, seconds, end)?;
            clock.is_clear = separator == ":";
            if separator == ":" && text.get(end..).is_some_and(|rest| rest.starts_with('.')) {
                let fraction = digits(text, end + 1);
                clock.end += if fraction > 0 { 1 + fraction } else { 0 };
            }
            Some(clock)
        }
        _ => None,
    }
}

/// The seconds east of UTC behind a time, and where the zone ends.
fn zone_at(text: &str, clock: &Clock) -> (i64, usize) {
    let rest = text.get(clock.end..).unwrap_or_default();
    if let Some(after) = rest.strip_prefix(['Z', 'z'])
        && !after.starts_with(|c: char| c.is_alphanumeric())
    {
        return (0, clock.end + 1);
    }
    let sign = match rest.as_bytes().first() {
        Some(b'+') => 1,
        Some(b'-') if clock.is_clear => -1,
        _ => return (0, clock.end),
    };
    let at = clock.end + 1;
    let (minutes_at, length) = match (digits(text, at), text.get(at + 2..at + 3)) {
        (4, _) => (at + 2, 4),
        (2, Some(":")) if digits(text, at + 3) == 2 => (at + 3, 5),
        _ => return (0, clock.end),
    };
    let two = |from: usize| text.get(from..from + 2).and_then(number).and_then(small);
    let (Some(hours), Some(minutes)) = (two(at), two(minutes_at)) else {
        return (0, clock.end);
    };
    // Zones lie at quarters of an hour; anything else is a number of its own.
    if hours > 14 || !matches!(minutes, 0 | 15 | 30 | 45) {
        return (0, clock.end);
    }
    (
        sign * (i64::from(hours) * 3600 + i64::from(minutes) * 60),
        at + length,
    )
}

fn date(year: i32, month: i32, day: i32) -> Option<Date> {
    YEARS.contains(&year).then_some(())?;
    let month = Month::try_from(small(month)?).ok()?;
    Date::from_calendar_date(year, month, small(day)?).ok()
}

fn millis(moment: PrimitiveDateTime) -> Option<UnixMillis> {
    let at = moment.assume_offset(UtcOffset::UTC).unix_timestamp();
    u64::try_from(at).ok().map(|at| UnixMillis(at * 1000))
}

fn number(text: &str) -> Option<i32> {
    (digits(text, 0) == text.len()).then(|| text.parse().ok())?
}

fn small(number: i32) -> Option<u8> {
    u8::try_from(number).ok()
}

/// The number of digits that begin at `at`.
fn digits(text: &str, at: usize) -> usize {
    let rest = text.as_bytes().get(at..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}
