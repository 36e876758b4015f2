//! Events and their number share a frame, as large as it may be.

use super::*;

// Proves: AK-11
#[test]
fn events_and_number_share_one_frame() {
    let mut script = Script::new(Config {
        messages_per_frame: 1,
        ..Config::default()
    });
    let client = reader(&mut script, SOCKET);
    for data in 1..=5 {
        script.publish("/news", json!(data));
    }

    brings(&probe(&mut script, &client, 0), [1, 2, 3, 4, 5], 5);

    assert_eq!(script.try_take(client.socket.unwrap()), None);
}

// Proves: AK-11, AK-4
#[test]
fn what_does_not_fit_is_for_the_next_connect_which_does_not_wait() {
    for transport in [HTTP, SOCKET] {
        let mut script = Script::new(Config::default());
        let client = reader(&mut script, transport);
        for number in 1..=7 {
            script.publish("/news", large(number));
            script.publish("/other", json!(0));
        }
        let (mut got, mut number) = (Vec::new(), 0);
        let mut frames = 0;
        while got.len() < 7 {
            let connection = connect(&mut script, &client, number);
            let frame = script.take_bytes(connection).unwrap();
            assert!(frame.len() <= 65 << 10, "{}", frame.len());
            let frame: Value = serde_json::from_slice(&frame).unwrap();
            let (data, reached) = brought(&frame);
            got.extend(numbers(&data));
            // The number of the last event that it carries, or all if it carries all.
            let last = *got.last().unwrap();
            assert_eq!(reached, Some(if last == 7 { 14 } else { 2 * last - 1 }));
            number = reached.unwrap();
            frames += 1;
        }
        assert_eq!(got, [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(frames, 3);
        let connection = connect(&mut script, &client, number);
        script.expect_nothing(connection);
    }
}

// Proves: AK-11
#[test]
fn lazy_events_that_do_not_fit_do_not_wait_either() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, HTTP);
    for number in 1..=5 {
        publish_lazily(&mut script, large(number));
    }
    let (data, number) = brought(&probe(&mut script, &client, 0));
    assert_eq!(numbers(&data), [1, 2, 3]);

    let connection = connect(&mut script, &client, number.unwrap());

    let (data, number) = brought(&script.take(connection));
    assert_eq!((numbers(&data), number), (vec![4, 5], Some(5)));
    nothing_leaks(&mut script);
}

// Proves: AK-11, AK-4
#[test]
fn two_connect_replies_in_one_flush_do_not_skip_what_did_not_fit() {
    let mut script = Script::new(Config::default());
    let client = reader(&mut script, SOCKET);
    let socket = client.socket.unwrap();
    for number in 1..=5 {
        script.publish("/news", large(number));
    }
    script.write_by_hand();
    let id = script.id();
    script.send(
        socket,
        json!({"id": id, "channel": "/x", "clientId": client.session, "data": 0}),
    );
    let ask = json!({"ext": {"ack": 0}, "advice": {"timeout": 0}});
    script.connect_with(&client, ask.clone());
    script.connect_with(&client, ask);
    script.take(socket);

    script.written(socket);

    let frame = script.take(socket);
    let replies = frame.as_array().unwrap().iter();
    let numbers: Vec<_> = replies.filter_map(|m| m.pointer("/ext/ack")).collect();
    assert_eq!(
        numbers,
        [3, 3],
        "the fourth and fifth are not in this frame"
    );
}
