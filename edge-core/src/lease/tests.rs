use alloc::string::ToString;

use super::*;

fn at(ms: u64) -> Time {
    Duration::from_millis(ms)
}

fn config(identity: &str) -> Config {
    Config::new(identity.into(), at(15_000), at(10_000), at(2_000)).unwrap()
}

fn elector() -> Elector {
    Elector::new(config("me"))
}

fn record(holder: &str, version: u32) -> Record {
    Record {
        holder: holder.into(),
        duration_seconds: 15,
        transitions: 3,
        acquire_time: "acquired".into(),
        renew_time: version.to_string(),
        resource_version: version.to_string(),
    }
}

fn claim(transitions: i32, acquired: bool) -> Claim {
    Claim { holder: "me".into(), duration_seconds: 15, transitions, acquired }
}

fn update(claim: Claim, version: u32) -> Action {
    Action::Update { claim, resource_version: version.to_string() }
}

/// An elector that leads since a request that was sent at 0 and answered at 100, as version 1.
fn leader() -> Elector {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    elector.answer(Answer::NotFound, at(0));
    assert_eq!(elector.step(at(0)), Action::Create(claim(0, true)));
    elector.answer(Answer::Record(Record { transitions: 0, ..record("me", 1) }), at(100));
    elector
}

/// An elector that saw another's record, version 1, at 1000.
fn standby() -> Elector {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    elector.answer(Answer::Record(record("other", 1)), at(1_000));
    elector
}

#[test]
fn durations_that_do_not_fit_are_refused() {
    let new = |lease, deadline, retry| Config::new("me".into(), at(lease), at(deadline), at(retry)).unwrap_err();
    assert_eq!(new(10_000, 10_000, 2_000), ConfigError::LeaseDuration);
    assert_eq!(new(15_000, 2_400, 2_000), ConfigError::RenewDeadline);
    assert_eq!(new(15_000, 10_000, 0), ConfigError::RetryPeriod);
    assert_eq!(new(u64::MAX, 10_000, 2_000), ConfigError::TooLong);
    assert_eq!(Config::new("".into(), at(3), at(2), at(1)).unwrap_err(), ConfigError::Identity);
    // 1.5 s is written as 2 s: whoever believes the record must not come early.
    let config = Config::new("me".into(), at(1_500), at(1_000), at(100)).unwrap();
    assert_eq!(config.claim_seconds(), 2);
}

#[test]
fn a_request_may_take_half_of_the_renew_deadline_so_that_there_is_a_second_one() {
    assert_eq!(config("me").request_timeout(), at(5_000));
    assert_eq!(config("me").identity(), "me");
}

impl Config {
    fn claim_seconds(&self) -> i32 {
        Elector::new(self.clone()).claim(0, true).duration_seconds
    }
}

#[test]
fn an_absent_lease_is_created_and_leads_from_when_it_was_sent() {
    let elector = leader();
    assert_eq!(elector.leading_until(), Some(at(10_000)), "from the sending at 0, not from the answer at 100");
    assert_eq!(elector.holder(), Some("me"));
}

#[test]
fn there_is_one_request_at_a_time() {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    assert!(matches!(elector.step(at(10)), Action::Wait(_)));
    elector.answer(Answer::NotFound, at(20));
    elector.answer(Answer::Record(record("me", 1)), at(21));
    assert_eq!(elector.leading_until(), None, "an answer to nothing counts for nothing");
}

#[test]
fn a_leader_renews_each_retry_period() {
    let mut elector = leader();
    assert_eq!(elector.step(at(200)), Action::Wait(at(2_000)));
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.answer(Answer::Record(record("me", 2)), at(2_300));
    assert_eq!(elector.leading_until(), Some(at(12_000)));
    assert_eq!(elector.step(at(2_300)), Action::Wait(at(4_000)));
}

#[test]
fn a_leader_whose_renewals_fail_stops_at_the_deadline_and_may_come_back() {
    let mut elector = leader();
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.answer(Answer::Failed, at(7_000));
    assert_eq!(elector.leading_until(), Some(at(10_000)), "a failure neither extends nor ends it");
    assert_eq!(elector.step(at(7_000)), Action::Wait(at(7_500)), "in a hurry");
    assert_eq!(elector.step(at(7_500)), Action::Get, "nobody knows what became of the update");
    elector.answer(Answer::Failed, at(12_500));
    assert_eq!(elector.step(at(12_500)), Action::Wait(at(14_500)), "in no hurry any more");
    assert_eq!(elector.step(at(14_500)), Action::Get);
    // The update did take effect.
    elector.answer(Answer::Record(record("me", 2)), at(14_600));
    assert_eq!(elector.leading_until(), Some(at(10_000)), "only a write of one's own extends it");
    assert_eq!(elector.step(at(14_600)), update(claim(3, false), 2));
    elector.answer(Answer::Record(record("me", 3)), at(14_700));
    assert_eq!(elector.leading_until(), Some(at(24_600)));
}

#[test]
fn a_leader_whose_renewal_fails_at_the_deadline_leads_no_more_and_is_in_no_hurry() {
    let mut elector = leader();
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.answer(Answer::Failed, at(10_000));
    assert_eq!(elector.step(at(10_000)), Action::Wait(at(12_000)));
}

#[test]
fn a_leader_that_lost_the_lease_stops_when_it_sees_it() {
    let mut elector = leader();
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.answer(Answer::Conflict, at(2_100));
    assert!(elector.leading_until().is_some(), "it may have been a label");
    assert_eq!(elector.step(at(2_100)), Action::Get);
    elector.answer(Answer::Record(record("other", 5)), at(2_200));
    assert_eq!(elector.leading_until(), None);
    assert_eq!(elector.step(at(2_200)), Action::Wait(at(2_700)));
}

#[test]
fn a_leader_whose_lease_somebody_labelled_renews_on_the_new_version() {
    let mut elector = leader();
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.answer(Answer::Conflict, at(2_100));
    assert_eq!(elector.step(at(2_100)), Action::Get);
    elector.answer(Answer::Record(Record { resource_version: "9".into(), ..record("me", 1) }), at(2_200));
    assert_eq!(elector.step(at(2_200)), update(claim(3, false), 9));
    elector.answer(Answer::Conflict, at(2_300));
    assert_eq!(elector.step(at(2_300)), Action::Wait(at(2_800)), "no race with who writes all the time");
}

#[test]
fn a_deleted_lease_ends_leading_at_once() {
    let mut elector = leader();
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.answer(Answer::NotFound, at(2_100));
    assert_eq!(elector.leading_until(), None);
    assert_eq!(elector.step(at(2_100)), Action::Create(claim(0, true)));
}

#[test]
fn a_standby_looks_four_times_in_a_retry_period_and_takes_the_lease_by_its_own_clock() {
    let mut elector = standby();
    let mut now = at(1_000);
    for _ in 0..29 {
        let Action::Wait(until) = elector.step(now) else { panic!("expected to wait") };
        assert_eq!(until, now + at(500));
        now = until;
        assert_eq!(elector.step(now), Action::Get);
        // A label of somebody changes the version, but is no renewal.
        elector.answer(Answer::Record(Record { resource_version: "7".into(), ..record("other", 1) }), now);
    }
    assert_eq!(now, at(15_500));
    assert_eq!(elector.step(at(15_999)), Action::Wait(at(16_000)));
    assert_eq!(elector.step(at(16_000)), update(claim(4, true), 7), "first seen at 1000, and lasts 15 s");
    elector.answer(Answer::Conflict, at(16_100));
    assert_eq!(elector.step(at(16_100)), Action::Get, "another was quicker");
    elector.answer(Answer::Record(record("third", 8)), at(16_200));
    assert!(elector.leading_until().is_none());
    assert!(matches!(elector.step(at(16_200)), Action::Wait(_)));
}

#[test]
fn a_renewal_starts_the_lease_anew() {
    let mut elector = standby();
    assert_eq!(elector.step(at(15_000)), Action::Get);
    elector.answer(Answer::Record(record("other", 2)), at(15_100));
    assert!(matches!(elector.step(at(16_000)), Action::Get), "not an update");
}

#[test]
fn the_record_says_how_long_it_lasts() {
    for (seconds, free) in [(5, 6_000), (0, 16_000), (-1, 16_000)] {
        let mut elector = elector();
        assert_eq!(elector.step(at(0)), Action::Get);
        elector.answer(Answer::Record(Record { duration_seconds: seconds, ..record("other", 1) }), at(1_000));
        assert_eq!(elector.step(at(free - 1)), Action::Get);
        elector.answer(Answer::Record(Record { duration_seconds: seconds, ..record("other", 1) }), at(free - 1));
        assert_eq!(elector.step(at(free)), update(claim(4, true), 1));
    }
}

#[test]
fn a_released_lease_is_taken_at_once() {
    let mut elector = standby();
    assert_eq!(elector.step(at(1_500)), Action::Get);
    elector.answer(Answer::Record(Record { duration_seconds: 1, ..record("", 2) }), at(1_600));
    assert_eq!(elector.holder(), None);
    assert_eq!(elector.step(at(1_600)), update(claim(4, true), 2));
    elector.answer(Answer::Record(record("me", 3)), at(1_700));
    assert_eq!(elector.leading_until(), Some(at(11_600)));
}

#[test]
fn a_lease_that_was_held_and_is_deleted_counts_as_held() {
    let mut elector = standby();
    assert_eq!(elector.step(at(1_500)), Action::Get);
    elector.answer(Answer::NotFound, at(1_600));
    assert_eq!(elector.step(at(1_600)), Action::Wait(at(2_100)), "its holder may not know yet");
    assert_eq!(elector.step(at(16_000)), Action::Get);
    elector.answer(Answer::NotFound, at(16_000));
    assert_eq!(elector.step(at(16_000)), Action::Create(claim(0, true)));
}

/// Whoever wrote it: to delete it is what helps.
#[test]
fn what_a_deleted_lease_said_of_its_duration_is_gone_with_it() {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    elector.answer(Answer::Record(Record { duration_seconds: 1_000_000, ..record("mallory", 1) }), at(0));
    let mut now = at(6_000);
    while elector.step(now) == Action::Get {
        elector.answer(Answer::NotFound, now);
        now += at(500);
    }
    assert_eq!(now, at(21_500), "it looks for its own lease duration, and no longer");
    assert!(elector.in_flight.is_some_and(|(sent, _)| sent == Sent::Create));
}

#[test]
fn a_namespace_that_does_not_exist_is_waited_for() {
    let mut elector = elector();
    for second in [0, 2, 4] {
        let now = at(second * 1_000);
        assert_eq!(elector.step(now), Action::Get);
        elector.answer(Answer::NotFound, now);
        assert_eq!(elector.step(now), Action::Create(claim(0, true)));
        elector.answer(Answer::NotFound, now);
        assert_eq!(elector.step(now), Action::Wait(now + at(2_000)));
    }
}

#[test]
fn a_standby_without_rights_asks_each_retry_period() {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    elector.answer(Answer::Failed, at(10));
    assert_eq!(elector.step(at(10)), Action::Wait(at(2_010)));
}

#[test]
fn another_that_creates_first_is_not_led_over() {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    elector.answer(Answer::NotFound, at(0));
    assert_eq!(elector.step(at(0)), Action::Create(claim(0, true)));
    elector.answer(Answer::Conflict, at(100));
    assert_eq!(elector.leading_until(), None);
    assert_eq!(elector.step(at(100)), Action::Get);
}

#[test]
fn a_leader_gives_the_lease_back() {
    let mut elector = leader();
    elector.release(at(500));
    assert_eq!(elector.leading_until(), None, "before the request is even sent");
    let empty = Claim { holder: String::new(), duration_seconds: 1, transitions: 0, acquired: false };
    assert_eq!(elector.step(at(500)), update(empty.clone(), 1));
    elector.answer(Answer::Conflict, at(600));
    assert_eq!(elector.step(at(600)), Action::Get);
    elector.answer(Answer::Record(record("me", 2)), at(700));
    assert_eq!(elector.step(at(700)), update(Claim { transitions: 3, ..empty }, 2));
    elector.answer(Answer::Record(record("", 3)), at(800));
    assert_eq!(elector.step(at(800)), Action::Released);
    assert_eq!(elector.step(at(99_000)), Action::Released, "for good");
}

#[test]
fn what_is_in_flight_at_release_is_given_back_too() {
    let mut elector = leader();
    assert_eq!(elector.step(at(2_000)), update(claim(0, false), 1));
    elector.release(at(2_100));
    assert!(matches!(elector.step(at(2_100)), Action::Wait(_)));
    elector.answer(Answer::Record(record("me", 2)), at(2_200));
    assert_eq!(elector.leading_until(), None, "a late answer does not make it lead");
    assert!(matches!(elector.step(at(2_200)), Action::Update { claim, .. } if claim.holder.is_empty()));
    elector.answer(Answer::Failed, at(2_300));
    assert_eq!(elector.step(at(2_800)), Action::Get);
    elector.answer(Answer::NotFound, at(2_900));
    assert_eq!(elector.step(at(2_900)), Action::Released);
}

#[test]
fn what_may_have_been_created_is_given_back_too() {
    let mut elector = elector();
    assert_eq!(elector.step(at(0)), Action::Get);
    elector.answer(Answer::NotFound, at(0));
    assert_eq!(elector.step(at(0)), Action::Create(claim(0, true)));
    elector.release(at(100));
    elector.answer(Answer::Failed, at(200));
    assert_eq!(elector.step(at(700)), Action::Get, "nobody knows what became of the creation");
    elector.answer(Answer::Record(record("me", 1)), at(800));
    assert!(matches!(elector.step(at(800)), Action::Update { claim, .. } if claim.holder.is_empty()));
}

#[test]
fn a_standby_has_nothing_to_give_back() {
    let mut elector = standby();
    elector.release(at(1_100));
    assert_eq!(elector.step(at(1_100)), Action::Released);
}
