use super::*;

// Proves: CH-10
#[test]
fn a_template_binds_its_parameters_for_its_handler() {
    let (mut script, client) = connected();
    let template = Scope::Template("/service/{kind}/{n}".parse().unwrap());
    add(&mut script, 1, Role::Handler(template));
    type Bound = Option<[(&'static str, &'static str); 2]>;
    let table: [(&str, Bound); 4] = [
        ("/service/x/7", Some([("kind", "x"), ("n", "7")])),
        ("/service/x", None),
        ("/service/x/7/8", None),
        ("/other/x/7", None),
    ];
    for (channel, wanted) in table {
        let exchange = script.publish_as(&client, channel, json!(1));
        let bound = script.question().map(|question| match &question.subject {
            Subject::Handle { parameters, .. } => parameters.clone(),
            other => panic!("{other:?}"),
        });
        let wanted = wanted.map(|wanted| wanted.map(|(n, v)| (n.into(), v.into())).to_vec());
        assert_eq!(bound, wanted, "{channel}");
        allow_all(&mut script);
        assert_eq!(script.take(exchange)[0]["successful"], json!(true));
    }
}

// Proves: SV-1
#[test]
fn a_service_message_is_for_handlers_alone() {
    let (mut script, client) = connected();
    let other = script.connected();
    for pattern in ["/**", "/service/**", "/service/x"] {
        script.subscribe(&other, pattern);
    }
    add(&mut script, 1, handler("/service/x"));
    add(&mut script, 2, handler("/service/*"));
    add(&mut script, 5, handler("/service/**"));
    add(&mut script, 3, handler("/**"));
    add(&mut script, 4, handler("/service/y"));
    let exchange = script.publish_as(&client, "/service/x", json!(1));
    let asked = ["3", "5", "2", "1"].map(|id| format!("{id} handle /service/x"));
    assert_eq!(allow_all(&mut script), asked);
    assert_eq!(script.take(exchange).as_array().map(Vec::len), Some(1));
    let held = script.connect(&other);
    script.expect_nothing(held);
}

// Proves: SV-4, SV-5
#[test]
fn a_call_is_answered_by_an_event_that_has_its_id() {
    for successful in [true, false] {
        let (mut script, client) = connected();
        add(&mut script, 1, handler("/service/sum"));
        let call = json!({
            "id": "21", "channel": "/service/sum", "clientId": client.session, "data": [1, 2],
        });
        let exchange = script.post(call);
        script.decide(Verdict::Answer {
            successful,
            data: json!(3).into(),
        });
        let result = json!({
            "id": "21", "channel": "/service/sum", "successful": successful, "data": 3,
        });
        let reply = json!({"id": "21", "channel": "/service/sum", "successful": true});
        script.expect(exchange, json!([result, reply]));
    }
}
