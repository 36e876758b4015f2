//! Connects that a newer one overtakes.

use super::*;

// Proves: AK-8
#[test]
fn an_overtaken_reply_holds_nothing_beyond_its_own_number() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    script.write_by_hand();
    let older = connect(&mut script, &client, 0);
    script.publish("/news", json!(1)); // answers it, slowly
    script.publish("/news", json!(2));

    let newer = connect(&mut script, &client, 0);

    brings(&script.take(older), [1], 1);
    brings(&script.take(newer), [1, 2], 2);
    script.written(newer).written(older);
    script.expect_nothing(older).expect_nothing(newer);
    let held = connect(&mut script, &client, 2);
    script.expect_nothing(held);
    script.close(held);
    nothing_leaks(&mut script);
}

// Proves: AK-8
#[test]
fn an_overtaken_hold_takes_nothing_along() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let older = connect(&mut script, &client, 0);

    let newer = connect(&mut script, &client, 0);

    script.expect_closed(older, CloseReason::Duplicate);
    assert_eq!(script.try_take(older), None);
    script.publish("/news", json!(1));
    brings(&script.take(newer), [1], 1);
    nothing_leaks(&mut script);
}

// Proves: AK-7, AK-8
#[test]
fn a_connect_that_waits_for_the_log_is_overtaken_like_any_other() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    let older = connect(&mut script, &client, 7);

    let newer = connect(&mut script, &client, 0);

    script.expect_closed(older, CloseReason::Duplicate);
    script.publish("/news", json!(1));
    brings(&script.take(newer), [1], 1);
    assert_eq!(script.try_take(older), None);
    nothing_leaks(&mut script);
}
