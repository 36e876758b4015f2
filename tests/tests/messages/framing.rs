use super::*;

// Proves: FR-2
#[test]
fn even_one_answer_stands_in_an_array() {
    let mut script = Script::new(Config::default());
    for transport in [
        Transport::LongPolling,
        Transport::CallbackPolling,
        Transport::WebSocket,
    ] {
        let connection = script.open(transport);
        script.send(connection, json!({"channel": "/a"}));
        let answer = [json!({"channel": "/a", "successful": false, "error": UNKNOWN})];
        script.expect(connection, json!(answer));
    }
    let client = script.connected_over(Transport::WebSocket, Value::Null);
    script.subscribe(&client, "/a").publish("/a", json!(1));
    let socket = client.socket.unwrap();
    script.expect(socket, json!([event("/a", json!(1))]));
}

// Proves: FR-4
#[test]
fn an_empty_frame_is_ignored_on_a_socket() {
    let mut script = Script::new(Config::default());
    let socket = script.open(Transport::WebSocket);

    script.receive(socket, Messages::default());

    script.expect_nothing(socket);
    script.send(socket, json!({"channel": "/a", "id": "1"}));
    assert_eq!(script.take(socket)[0]["id"], json!("1"));
}

// Proves: FR-5
#[test]
fn what_is_published_arrives_to_the_byte() {
    let mut script = Script::new(Config::default());
    let client = script.connected();
    script.subscribe(&client, "/a");
    let data = concat!(
        r#"{"z":1.0,"a":1,"big":18446744073709551615,"nano":-1700000000123456789,"#,
        r#""exact":0.1000,"e":1E5,"zero":-0,"long":123456789012345678901234567890,"#,
        r#""text":"\u00e9\/é","list":[ 1 ,{}],"":null}"#
    );
    let frame = format!(
        r#"{{"ext":{{"t":1.50}},"data":{data},"own":1e2,"channel":"/a","clientId":"{}"}}"#,
        client.session
    );

    let exchange = send_text(&mut script, &frame);

    let sent = script.take_bytes(exchange).unwrap();
    let event = format!(r#"{{"channel":"/a","data":{data},"ext":{{"t":1.50}},"own":1e2}}"#);
    let reply = r#"{"channel":"/a","successful":true}"#;
    assert_eq!(String::from_utf8_lossy(&sent), format!("[{event},{reply}]"));
}
