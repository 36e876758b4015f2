use super::*;

#[test]
fn a_verdict_means_what_it_says_wherever_it_is_given() {
    let plain = json!([event("/n", json!(1)), published("1")]);
    let deleted = json!([refused("1", "404::message_deleted")]);
    let denied = json!([refused("1", "403:denied_by_security_policy:publish_denied")]);
    let ungranted = json!([refused("1", "403:denied_by_not_granting:publish_denied")]);
    let replaced = json!([event("/n", json!("new")), published("1")]);
    let unheard = json!([published("1")]);
    let mut extended = plain.clone();
    extended[1]["ext"] = json!({"x": 1});
    let mut called = plain.clone();
    called[0] = json!({"id": "1", "channel": "/n", "successful": true, "data": "new"});
    let dropped_reply = json!([event("/n", json!(1))]);

    let policy = || Role::Policy(Operations::ALL);
    type Is = fn(&Subject) -> bool;
    let any: Is = |_| true;
    let is_event: Is = |subject| matches!(subject, Subject::Event(_));
    let is_reply: Is = |subject| matches!(subject, Subject::Reply { .. });
    // For each: what comes of all verdicts but those named.
    type Row<'a> = (Role, Is, &'a Value, &'a [(&'a str, &'a Value)]);
    let table: [Row<'_>; 7] = [
        (
            policy(),
            any,
            &plain,
            &[("deny", &denied), ("drop", &denied)],
        ),
        (
            authorizer("/n"),
            any,
            &ungranted,
            &[("allow", &plain), ("deny", &denied), ("drop", &denied)],
        ),
        (
            Role::Incoming,
            any,
            &plain,
            &[
                ("deny", &deleted),
                ("drop", &deleted),
                ("replace", &replaced),
            ],
        ),
        (
            handler("/n"),
            any,
            &plain,
            &[
                ("deny", &deleted),
                ("drop", &deleted),
                ("replace", &replaced),
                ("answer", &called),
            ],
        ),
        (
            Role::Outgoing,
            is_event,
            &plain,
            &[
                ("deny", &deleted),
                ("drop", &deleted),
                ("replace event", &replaced),
            ],
        ),
        (
            Role::Outgoing,
            is_reply,
            &plain,
            &[("drop", &dropped_reply), ("extend", &extended)],
        ),
        (
            Role::SessionOutgoing,
            any,
            &plain,
            &[
                ("deny", &unheard),
                ("drop", &unheard),
                ("replace event", &replaced),
            ],
        ),
    ];
    for (role, is, otherwise, named) in table {
        for name in VERDICTS {
            let wanted = named.iter().find(|(other, _)| *other == name);
            let wanted = wanted.map_or(otherwise, |(_, wanted)| *wanted);
            let got = outcome(&role, is, name);
            assert_eq!(got, *wanted, "{role:?}: {name}");
        }
    }
}

const VERDICTS: [&str; 9] = [
    "allow",
    "abstain",
    "deny",
    "drop",
    "replace",
    "replace event",
    "extend",
    "admit",
    "answer",
];

fn verdict(name: &str, client: &Client) -> Verdict {
    match name {
        "allow" => Verdict::Allow,
        "abstain" => Verdict::Abstain,
        "deny" => deny(None),
        "drop" => Verdict::Drop,
        "replace" => {
            let mut message = publish(client, 1);
            message["data"] = json!("new");
            replace(message)
        }
        "replace event" => {
            let event = event("/n", json!("new")).to_string();
            Verdict::ReplaceEvent(Event::from_object(event))
        }
        "extend" => Verdict::Extend(extensions(json!({"x": 1}))),
        "admit" => Verdict::Admit(Box::default()),
        "answer" => Verdict::Answer {
            successful: true,
            data: json!("new").into(),
        },
        other => panic!("{other}"),
    }
}

/// What a client that is subscribed to `/n` gets for its publish if the first question that
/// `is` picks is answered in this way, and all others are allowed.
fn outcome(role: &Role, is: fn(&Subject) -> bool, name: &str) -> Value {
    let mut script = Script::new(Config::default());
    let client = admitted(&mut script, &[1]);
    script.subscribe(&client, "/n");
    add(&mut script, 1, role.clone());
    let exchange = script.post(publish(&client, 1));
    // An event that waits for its verdict does not travel with the response.
    let mut frames = script.try_take(exchange).into_iter().collect::<Vec<_>>();
    let mut given = false;
    while let Some(question) = script.question() {
        let picked = is(&question.subject) && !given;
        given |= picked;
        let name = if picked { name } else { "allow" };
        let verdict = verdict(name, &client);
        script.decide(verdict);
    }
    assert!(given);
    frames.extend(script.try_take(exchange));
    if *role == Role::SessionOutgoing {
        let connect = script.connect_with(&client, json!({"advice": {"timeout": 0}}));
        let mut late = script.take(connect);
        late.as_array_mut().unwrap().pop();
        frames.insert(0, late);
    }
    frames
        .iter()
        .flat_map(|frame| frame.as_array().unwrap())
        .cloned()
        .collect()
}
