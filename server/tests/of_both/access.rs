//! Rules and secrets that change while a server runs.

use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_executor::block_on;

use crate::server::command_line::parse_with;
use crate::server::{Access, NeedsRestart, ReloadError, Server, Settings};

const OLD: &str = "the old secret of the backend";
const NEW: &str = "the new secret of the backend";

#[test]
fn rules_and_secrets_change_while_the_server_runs() {
    let secret = |name: &str, text: &str| {
        let path = scratch(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (old, new) = (secret("old", OLD), secret("new", NEW));
    let shut = rules("/open/**", Some(&old));
    let mut builder = Server::builder().shards(NonZeroU32::new(3).unwrap());
    builder = builder.listen("127.0.0.1:0".parse().unwrap());
    builder.settings().shutdown_window = Duration::from_millis(100);
    builder.settings().access = shut;
    let running = block_on(builder.start()).unwrap();
    let address = running.addresses()[0];
    let news = |secret: &str| publish(address, "/news/a", secret);
    let (granted, refused) = (r#""successful":true"#, "402::session_unknown");

    // On every shard: each connection is another's.
    for _ in 0..3 {
        assert!(news(OLD).contains(granted));
        assert!(news(NEW).contains(refused));
        assert!(news("").contains(refused));
    }
    running
        .reload(&with(rules("/open/**", Some(&new))))
        .unwrap();
    for _ in 0..3 {
        assert!(news(OLD).contains(refused));
        assert!(news(NEW).contains(granted));
    }

    // What cannot change leaves all as it was.
    let needs_restart = |access: Access| {
        let result = running.reload(&with(access));
        matches!(result, Err(ReloadError::Access(NeedsRestart)))
    };
    assert!(needs_restart(Access::default()));
    assert!(news(NEW).contains(granted));
    assert!(news("").contains(refused));

    let subscribes = |channel: &str| subscribe(address, channel).contains(granted);
    assert!(subscribes("/open/a") && !subscribes("/closed/a"));
    running
        .reload(&with(rules("/closed/**", Some(&new))))
        .unwrap();
    for _ in 0..3 {
        assert!(!subscribes("/open/a") && subscribes("/closed/a"));
    }

    // The last publisher may go, and none comes where there is none.
    running.reload(&with(rules("/closed/**", None))).unwrap();
    for _ in 0..3 {
        assert!(news(NEW).contains(refused));
    }
    assert!(needs_restart(rules("/closed/**", Some(&new))));
    assert!(news(NEW).contains(refused));
    block_on(running.shutdown());
}

/// Settings that differ from the default by this alone.
fn with(access: Access) -> Settings {
    let mut settings = Settings::default();
    settings.access = access;
    settings
}

/// Anyone may use these channels, and whoever knows the secret in this file all of them.
fn rules(pattern: &str, secret: Option<&Path>) -> Access {
    let mut text = format!("[[rules]]\npattern = '{pattern}'\nallow = 'anyone'\n");
    if let Some(file) = secret {
        text.push_str(&format!("[[publishers]]\nfile = {file:?}\n"));
    }
    let path = scratch("rules");
    fs::write(&path, text).unwrap();
    let args = ["server", "--config", path.to_str().unwrap()].map(OsString::from);
    let settings = parse_with("server", "Serves.", args.into_iter(), |_| None);
    settings.unwrap_or_else(|stop| panic!("{stop}")).access
}

fn scratch(name: &str) -> PathBuf {
    let name = format!("access-{}-{name}", std::process::id());
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn publish(address: SocketAddr, channel: &str, secret: &str) -> String {
    let message = format!(r#"{{"channel":"{channel}","data":1,"ext":{{"secret":"{secret}"}}}}"#);
    post(address, &message)
}

fn subscribe(address: SocketAddr, channel: &str) -> String {
    let handshake = r#"{"channel":"/meta/handshake","version":"1.0"}"#;
    let welcome = post(address, handshake);
    let (_, rest) = welcome.split_once(r#""clientId":""#).unwrap();
    let session = rest.split_once('"').unwrap().0;
    let message = format!(
        r#"{{"channel":"/meta/subscribe","clientId":"{session}","subscription":"{channel}"}}"#
    );
    post(address, &message)
}

/// The response to a POST on a connection of its own.
fn post(address: SocketAddr, body: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let length = body.len();
    let head = "POST /bayeux HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length:";
    write!(socket, "{head} {length}\r\n\r\n{body}").unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).unwrap();
    response
}
