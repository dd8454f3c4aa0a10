//! A store and a machine whose clocks differ.

use strongroom_tests::fake_s3::{FakeS3, Reply, Request};

use crate::{
    sample::sample,
    store::{FULL, objects, restore},
};

/// The local clock may be wrong: the store's time is used, and this is reported.
#[test]
fn a_wrong_clock_is_met_with_the_stores_time_and_told() {
    let skewed = |request: &Request| {
        let told = half_a_day_away(&request.headers["x-amz-date"]);
        let error = format!("<Code>RequestTimeTooSkewed</Code><ServerTime>{told}</ServerTime>");
        Reply::new(403, format!("<Error>{error}</Error>"))
    };
    let store = FakeS3::store(
        objects(&[(FULL, &sample().bytes)]),
        move |request, reply, before| {
            if before == 0 { skewed(request) } else { reply }
        },
    );
    restore(&store, &[], 0)
        .expect_words(&["this machine's clock is", "signed with the store's time"]);
    let hours: Vec<u32> = store
        .seen()
        .iter()
        .filter_map(|request| request.headers.get("x-amz-date").map(|date| hour(date)))
        .collect();
    let away = |at: &u32| (at + 24 - hours[0]) % 24;
    assert!(
        hours.len() > 2 && hours[1..].iter().all(|at| matches!(away(at), 12 | 13)),
        "{hours:?}"
    );
}

/// Nobody has signed the time of a refusal, so it is believed only up to a day.
#[test]
fn a_time_too_far_away_is_told_and_not_believed() {
    let store = FakeS3::store(objects(&[(FULL, &sample().bytes)]), |_, _, _| {
        let date = "Fri, 01 Jan 2038 00:00:00 GMT";
        Reply::error(403, "RequestTimeTooSkewed").header("Date", date)
    });
    restore(&store, &[], 5).expect_words(&["differ too much", "up to 24 h are corrected"]);
}

/// Of `20261122T094413Z`.
fn hour(date: &str) -> u32 {
    date[9..11].parse().expect("an hour")
}

/// Another time of the same day, as XML has it.
fn half_a_day_away(date: &str) -> String {
    let (year, month, day) = (&date[..4], &date[4..6], &date[6..8]);
    let (hour, minute, second) = ((hour(date) + 12) % 24, &date[11..13], &date[13..15]);
    format!("{year}-{month}-{day}T{hour:02}:{minute}:{second}Z")
}
