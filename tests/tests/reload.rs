//! What an operator changes with `SIGHUP`: rules, secrets and keys, for those who are there and for those
//! who come.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

use std::fs;
use std::path::{Path, PathBuf};

use bayeux_tests::live::{HttpConnection, Poller, Server, Settings, WebSocket};
use serde_json::{Value, json};

const OLD: &str = "the old secret of the backend";
const NEW: &str = "the new secret of the backend";

/// A server whose configuration is in files that the test writes again.
struct Rewritten {
    folder: PathBuf,
    server: Server,
}

impl Rewritten {
    /// Starts it with this configuration and the old secret.
    fn start(name: &str, text: &str, settings: Settings) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reload-{name}"));
        fs::create_dir_all(&folder).expect("a folder");
        write(&folder, "secret", OLD);
        write(&folder, "bayeux.toml", text);
        let file = folder.join("bayeux.toml");
        let server = Server::start(&settings.shards(2).config(&file));
        Self { folder, server }
    }

    fn write(&self, name: &str, text: &str) {
        write(&self.folder, name, text);
    }

    /// Has it reload, and gives the line that it ends with, which has this in it.
    fn reload(&mut self, says: &str) -> String {
        self.server.signal("HUP");
        self.server.says(says)
    }

    /// Whether whoever knows this secret may publish, without a session.
    fn takes(&self, secret: &str) -> bool {
        let message =
            json!([{"channel": "/news", "id": "1", "data": 1, "ext": {"secret": secret}}]);
        let mut connection = HttpConnection::open(self.server.address());
        let response = connection.request("POST", Server::PATH, &[], &message.to_string());
        response.messages()[0]["successful"] == true
    }
}

/// Rules by which anyone may use this channel, and publishers with the secret in the file.
fn rules(folder: &str, channel: &str) -> String {
    let secret = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("reload-{folder}/secret"));
    format!(
        "[[rules]]\npattern = '{channel}'\nallow = 'anyone'\n[[publishers]]\nfile = {secret:?}\n"
    )
}

/// Puts the file in place as a whole.
fn write(folder: &Path, name: &str, text: &str) {
    let fresh = folder.join(format!("{name}.fresh"));
    fs::write(&fresh, text).expect("a file to be written");
    fs::rename(&fresh, folder.join(name)).expect("and put in place");
}

/// A session of either kind, which may subscribe or not.
enum Session {
    Polling(Poller),
    WebSocket(WebSocket, String),
}

impl Session {
    /// One of each.
    fn both(server: &Server) -> [Self; 2] {
        let mut socket = WebSocket::open(server.address(), Server::PATH, &[]);
        socket.send(&json!([{
            "channel": "/meta/handshake", "id": "h", "version": "1.0",
            "supportedConnectionTypes": ["websocket"],
        }]));
        let reply = socket.messages().remove(0);
        let session = reply["clientId"].as_str().expect("a session").to_owned();
        [
            Self::Polling(Poller::connected(server.address())),
            Self::WebSocket(socket, session),
        ]
    }

    fn may_subscribe(&mut self, channel: &str) -> bool {
        let reply: Value = match self {
            Self::Polling(poller) => {
                let subscribe = poller.subscribe(channel);
                poller.post(json!([subscribe])).remove(0)
            }
            Self::WebSocket(socket, session) => {
                socket.send(&json!([{
                    "channel": "/meta/subscribe", "id": "s", "clientId": session,
                    "subscription": channel,
                }]));
                socket.messages().remove(0)
            }
        };
        reply["successful"] == true
    }
}

#[test]
fn at_sighup_rules_and_secrets_change_for_sessions_that_are_open_and_for_new_ones() {
    let mut rewritten = Rewritten::start("rules", &rules("rules", "/a"), Settings::default());
    let mut open = Session::both(&rewritten.server);
    for session in &mut open {
        assert!(session.may_subscribe("/a") && !session.may_subscribe("/b"));
    }
    assert!(rewritten.takes(OLD) && !rewritten.takes(NEW));

    rewritten.write("bayeux.toml", &rules("rules", "/b"));
    rewritten.write("secret", NEW);
    assert!(rewritten.takes(OLD), "nobody has asked to reload");
    let line = rewritten.reload("reload");
    assert!(line.ends_with("reloaded"), "it has nothing to add: {line}");

    let new = Session::both(&rewritten.server);
    for mut session in open.into_iter().chain(new) {
        assert!(session.may_subscribe("/b") && !session.may_subscribe("/a"));
    }
    assert!(rewritten.takes(NEW) && !rewritten.takes(OLD));
    let lines = rewritten.server.stop_and_tell();
    assert!(lines.iter().all(|line| !line.contains("WARN")), "{lines:?}");
}

#[test]
fn at_sighup_a_file_with_a_mistake_leaves_the_rules_and_secrets_as_they_were() {
    let good = rules("mistake", "/a");
    let mut rewritten = Rewritten::start("mistake", &good, Settings::default());
    let [mut poller, mut socket] = Session::both(&rewritten.server);

    let wrong = rules("mistake", "/b");
    rewritten.write("bayeux.toml", &format!("{wrong}[[rules]]\npattern = 'c'\n"));
    rewritten.write("secret", NEW);
    let line = rewritten.reload("the configuration stays as it is");

    assert!(line.contains("bayeux.toml:7: rule 2: pattern"), "{line}");
    for session in [&mut poller, &mut socket] {
        assert!(session.may_subscribe("/a") && !session.may_subscribe("/b"));
    }
    assert!(rewritten.takes(OLD) && !rewritten.takes(NEW));

    // A secret that cannot be read is one too.
    rewritten.write("bayeux.toml", &wrong);
    rewritten.write("secret", "short");
    let line = rewritten.reload("the configuration stays as it is");
    assert!(line.contains("must have 16 bytes or more"), "{line}");
    assert!(poller.may_subscribe("/a") && !poller.may_subscribe("/b"));
    let lines = rewritten.server.stop_and_tell();
    let told = |line: &String| line.contains("reloaded");
    assert!(!lines.iter().any(told), "nothing was: {lines:?}");
}

#[test]
fn at_sighup_what_takes_a_restart_is_told_and_the_rest_of_access_stays_too() {
    let mut rewritten = Rewritten::start("restart", &rules("restart", "/a"), Settings::default());
    let [mut session, _] = Session::both(&rewritten.server);
    let wanted = rules("restart", "/b");

    for text in [
        "timeout = 20000\n".to_owned(),
        format!("[access]\nsecretMember = 'password'\n{wanted}"),
    ] {
        rewritten.write("bayeux.toml", &text);
        let line = rewritten.reload("access control stays as it is");

        assert!(line.contains("change only at a restart"), "{line}");
        assert!(session.may_subscribe("/a") && !session.may_subscribe("/b"));
    }
    // Of what else has changed it takes what it can, and names the rest.
    rewritten.write("bayeux.toml", &format!("timeout = 20000\n{wanted}"));
    let line = rewritten.reload("not before the next start");
    assert!(line.ends_with(": timeout"), "{line}");
    rewritten.server.says("reloaded");
    assert!(session.may_subscribe("/b") && !session.may_subscribe("/a"));
}

#[test]
fn at_sighup_the_last_secret_of_a_publisher_goes_and_comes_back_with_a_restart() {
    let with = rules("revoked", "/news");
    let mut rewritten = Rewritten::start("revoked", &with, Settings::default());
    assert!(rewritten.takes(OLD));

    let without = "[[rules]]\npattern = '/news'\nallow = 'anyone'\n";
    rewritten.write("bayeux.toml", without);
    let line = rewritten.reload("reload");

    assert!(line.ends_with("reloaded"), "it has nothing to add: {line}");
    assert!(!rewritten.takes(OLD));
    rewritten.write("bayeux.toml", &with);
    let line = rewritten.reload("access control stays as it is");
    assert!(line.contains("publishers where there were none"), "{line}");
    assert!(!rewritten.takes(OLD));
}

#[test]
fn at_sighup_the_keys_of_the_http_api_change() {
    let keys = ["the-first-key-of-all", "the-second-key-of-all"];
    let text = |key: &str| format!("[server]\nadmin-key = '{key}'\n");
    let settings = Settings::default().admin();
    let mut rewritten = Rewritten::start("keys", &text(keys[0]), settings);
    let mut backend = HttpConnection::open(rewritten.server.admin_address());
    let mut statuses = || {
        let mut ask = |key: &str| {
            let bearer = format!("Bearer {key}");
            let headers = [("Authorization", &*bearer)];
            backend
                .request("GET", "/api/v1/counters", &headers, "")
                .status
        };
        keys.map(&mut ask)
    };
    assert_eq!(statuses(), [200, 401]);

    rewritten.write("bayeux.toml", &text(keys[1]));
    let line = rewritten.reload("reload");
    assert!(line.ends_with("reloaded"), "{line}");
    assert_eq!(statuses(), [401, 200]);

    rewritten.write("bayeux.toml", "");
    rewritten.reload("reloaded");
    assert_eq!(statuses(), [403, 403]);
}
