//! An application with a Bayeux service beside its own routes.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use futures_executor::block_on;

use crate::Server;

const PATIENCE: Duration = Duration::from_secs(30);

fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}

#[test]
fn what_is_said_to_the_application_and_what_is_published_is_heard_on_either_side() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let running = block_on(Server::builder().start()).unwrap();
    crate::serve(listener, &running);
    let bayeux = |message: &str| ask(address, "POST", "/bayeux", message);

    assert!(ask(address, "GET", "/other", "").starts_with("HTTP/1.1 404"));
    let welcome = bayeux(
        r#"[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["long-polling"]}]"#,
    );
    let (_, rest) = welcome.split_once(r#""clientId":""#).unwrap();
    let id = rest.split_once('"').unwrap().0;
    let connect = format!(
        r#"{{"channel":"/meta/connect","clientId":"{id}","connectionType":"long-polling"}}"#
    );
    let subscribe =
        format!(r#"{{"channel":"/meta/subscribe","clientId":"{id}","subscription":"/chat"}}"#);
    bayeux(&format!("[{subscribe},{connect}]"));

    assert!(ask(address, "POST", "/say", r#""hello"#).starts_with("HTTP/1.1 400"));
    assert!(ask(address, "POST", "/say", r#""hello""#).starts_with("HTTP/1.1 20"));
    let heard = bayeux(&format!("[{connect}]"));
    assert!(heard.contains(r#""data":"hello""#), "{heard}");

    let next = std::thread::spawn(move || ask(address, "GET", "/next", ""));
    let handle = running.handle();
    while block_on(handle.channels()).unwrap().values().sum::<u32>() < 2 {
        assert!(!next.is_finished(), "it waits for what is said next");
    }
    bayeux(&format!(
        r#"[{{"channel":"/chat","clientId":"{id}","data":"goodbye"}}]"#
    ));
    let heard = next.join().unwrap();
    assert!(heard.ends_with(r#""goodbye""#), "{heard}");
    block_on(running.shutdown());
}
