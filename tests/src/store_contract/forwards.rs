//! Promises about forwarded messages: they find the owner, and its replies find who asked.

use bayeux_core::{
    Fence, ForwardTicket, HttpVersion, Message, Messages, Notice, Payload, Peer, PeerDetails,
    StoreReply, StoreRequest, Transport,
};

use super::Make;
use super::trial::{Trial, answer, answered, carried, end, forward, payload, release, session};

pub(super) fn messages_reach_the_owner_and_replies_come_back(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);
    let messages: Vec<Message> = [r#"{"a":1.50}"#, "null"]
        .into_iter()
        .map(|data| {
            let mut message = Message::default();
            message.channel = Some("/a".into());
            message.session = Some(id.text().into());
            message.data = Some(payload(data));
            message.others = vec![("other".into(), payload("[1]"))];
            message
        })
        .collect();
    let peer = Peer {
        address: "2001:db8::1".parse().ok(),
        browser: bayeux_core::BrowserId::parse(&"c".repeat(24)),
        secure: true,
        http: HttpVersion::Two,
        details: Some(std::sync::Arc::new(PeerDetails {
            origin: Some("https://example.com".into()),
            path: "/cometd".into(),
            headers: Box::new([("x-a".into(), "\u{e9}".into())]),
        })),
    };

    let request = StoreRequest::Forward {
        session: id,
        messages: Messages::from(messages.clone()),
        peer: peer.clone(),
        transport: Transport::WebSocket,
    };
    let ticket = trial.submit(asker, request);
    let (forward, came, from) = trial.forwarded(owner, id);
    let replies = vec![payload(r#"{"successful":true,"n":1.50}"#), payload("{}")];
    trial.expect_done(
        owner,
        StoreRequest::Answer {
            forward,
            replies: replies.clone(),
        },
    );

    assert_eq!(
        format!("{came:?}"),
        format!("{:?}", Messages::from(messages))
    );
    let spoken_for: Vec<_> = came
        .iter()
        .map(|message| message.session.as_deref())
        .collect();
    assert_eq!(spoken_for, [Some(&*id.text()); 2]);
    assert_eq!(
        format!("{from:?}"),
        format!("{:?}", (peer, Transport::WebSocket))
    );
    let replies: Vec<_> = replies
        .iter()
        .map(Payload::as_str)
        .map(str::to_owned)
        .collect();
    assert_eq!(answered(trial.reply(asker, ticket)), replies);
    trial.expect_silence(owner);
}

pub(super) fn messages_for_an_unknown_session_are_unknown(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let one = trial.node();
    let ended = trial.open(one, 1);
    trial.expect_done(one, end(ended, Fence(1)));

    for id in [ended, session(2)] {
        let reply = trial.ask(one, forward(id, 1));
        assert!(matches!(reply, StoreReply::Unknown), "{reply:?}");
    }
}

pub(super) fn messages_for_a_released_session_are_unowned(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.expect_done(one, release(id, Fence(1), 0));

    let reply = trial.ask(two, forward(id, 1));

    assert!(matches!(reply, StoreReply::Unowned), "{reply:?}");
    trial.expect_silence(one);
}

pub(super) fn messages_for_the_session_of_a_dead_node_are_unowned(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two] = trial.nodes();
    let id = trial.open(one, 1);
    trial.kill(one);

    let reply = trial.ask(two, forward(id, 1));

    assert!(matches!(reply, StoreReply::Unowned), "{reply:?}");
}

pub(super) fn messages_whose_owner_dies_are_unowned_unless_it_has_seen_them(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);

    let seen = trial.submit(asker, forward(id, 1));
    trial.forwarded(owner, id);
    let unseen = trial.submit(asker, forward(id, 2));
    trial.kill(owner);

    // They may have been done: whoever asked must not do them again.
    let reply = trial.reply(asker, seen);
    assert!(matches!(reply, StoreReply::Failed), "{reply:?}");
    let reply = trial.reply(asker, unseen);
    assert!(matches!(reply, StoreReply::Unowned), "{reply:?}");
}

pub(super) fn messages_reach_the_owner_in_order(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);

    let tickets: Vec<_> = (0..20)
        .map(|at| trial.submit(asker, forward(id, at)))
        .collect();
    let came: Vec<_> = (0..20).map(|_| trial.forwarded(owner, id)).collect();
    for (forward, messages, _) in came.iter().rev() {
        let replies = messages
            .iter()
            .filter_map(|message| message.data.clone())
            .collect();
        trial.expect_done(
            owner,
            StoreRequest::Answer {
                forward: *forward,
                replies,
            },
        );
    }

    for (at, (ticket, (_, messages, _))) in tickets.into_iter().zip(came).enumerate() {
        assert_eq!(carried(&messages), [at.to_string()]);
        assert_eq!(answered(trial.reply(asker, ticket)), [at.to_string()]);
    }
}

pub(super) fn messages_go_to_the_owner_that_the_last_claim_made(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [one, two, asker] = trial.nodes();
    let id = trial.open(one, 1);
    trial.claim(two, id);

    let ticket = trial.submit(asker, forward(id, 1));
    let (forward, ..) = trial.forwarded(two, id);
    trial.expect_done(two, answer(forward, "1"));

    assert_eq!(answered(trial.reply(asker, ticket)), ["1"]);
    assert!(matches!(trial.notice(one), Notice::Taken { .. }));
    trial.expect_silence(one);
}

pub(super) fn replies_find_who_asked(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, one, two] = trial.nodes();
    let id = trial.open(owner, 1);

    let of_one = trial.submit(one, forward(id, 1));
    let (for_one, ..) = trial.forwarded(owner, id);
    let of_two = trial.submit(two, forward(id, 2));
    let (for_two, ..) = trial.forwarded(owner, id);
    trial.expect_done(owner, answer(for_two, "2"));
    trial.expect_done(owner, answer(for_one, "1"));

    assert_ne!(for_one, for_two);
    assert_eq!(answered(trial.reply(one, of_one)), ["1"]);
    assert_eq!(answered(trial.reply(two, of_two)), ["2"]);
}

pub(super) fn the_first_answer_counts(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);
    let ticket = trial.submit(asker, forward(id, 1));
    let (forward, ..) = trial.forwarded(owner, id);

    trial.expect_done(owner, answer(forward, "1"));
    trial.expect_done(owner, answer(forward, "2"));

    assert_eq!(answered(trial.reply(asker, ticket)), ["1"]);
    trial.expect_silence(asker);
}

pub(super) fn only_the_owner_answers(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker, other] = trial.nodes();
    let id = trial.open(owner, 1);
    let ticket = trial.submit(asker, forward(id, 1));
    let (forward, ..) = trial.forwarded(owner, id);

    trial.expect_done(other, answer(forward, "2"));
    trial.expect_done(asker, answer(forward, "3"));
    trial.expect_done(owner, answer(forward, "1"));

    assert_eq!(answered(trial.reply(asker, ticket)), ["1"]);
}

pub(super) fn an_answer_to_nothing_is_done(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);
    trial.submit(asker, forward(id, 1));
    let (forward, ..) = trial.forwarded(owner, id);

    trial.kill(asker);

    trial.expect_done(owner, answer(forward, "1"));
    trial.expect_done(
        owner,
        answer(ForwardTicket::new(forward.number() + 1_000), "1"),
    );
}

pub(super) fn an_owner_may_answer_after_it_let_go(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let [ended, released, taken] = [1, 2, 3].map(|number| trial.open(owner, number));

    let asked = [ended, released, taken].map(|id| {
        let ticket = trial.submit(asker, forward(id, 1));
        (ticket, trial.forwarded(owner, id).0)
    });
    trial.expect_done(owner, end(ended, Fence(1)));
    trial.expect_done(owner, release(released, Fence(1), 0));
    trial.claim(asker, taken);

    for (ticket, forward) in asked {
        trial.expect_done(owner, answer(forward, "1"));
        assert_eq!(answered(trial.reply(asker, ticket)), ["1"]);
    }
}

pub(super) fn what_an_owner_refuses_is_unowned(make: Make<'_>) {
    let mut trial = Trial::new(make);
    let [owner, asker] = trial.nodes();
    let id = trial.open(owner, 1);

    let ticket = trial.submit(asker, forward(id, 1));
    let (refused, ..) = trial.forwarded(owner, id);
    trial.expect_done(owner, StoreRequest::Refuse { forward: refused });

    let reply = trial.reply(asker, ticket);
    assert!(matches!(reply, StoreReply::Unowned), "{reply:?}");
}
