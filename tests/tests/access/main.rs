//! Access control over the wire: what rules, tokens and secrets let through, and what those who are denied
//! see and do.

#![allow(
    clippy::indexing_slicing,
    reason = "a JSON value without the member that is asked for gives null"
)]

mod clients;
mod rules;
mod secrets;
mod tokens;
mod wire;

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;

use bayeux_tests::live::{
    Client, Cutter, Ending, Extras, HttpConnection, Server, Settings, Software, Transport,
    WebSocket,
};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use wire::{End, OVER, Over, Wire};

/// A client that sends this `ext` with everything.
fn with(ext: Value) -> Extras {
    Extras {
        ext,
        ..Extras::default()
    }
}

const KEY: &str = "the key of the tokens: thirty-two bytes and more";
const PASSWORD: &str = "the password of the backend";
/// Times that have come, and that have not.
const PAST: u64 = 1_000_000_000;
const FUTURE: u64 = 4_000_000_000;

const RULES: &str = r#"
[[rules]]
pattern = "/public/**"
operations = ["subscribe"]
allow = "anyone"

[[rules]]
pattern = "/lobby"
allow = "anyone"

[[rules]]
pattern = "/chat/*"

[[rules]]
pattern = "/users/{sub}/**"

[[rules]]
pattern = "/rooms/{rooms}"

[[rules]]
pattern = "/admin/**"
claims = { role = "admin" }

[[rules]]
pattern = "/service/echo"
operations = ["publish"]
"#;

/// Who somebody is.
const STRANGER: Option<&str> = None;
const ANN: Option<&str> = Some(r#"{"sub": "ann", "rooms": ["7", "8"]}"#);
const ROOT: Option<&str> = Some(r#"{"sub": "root", "role": ["user", "admin"]}"#);
const STAR: Option<&str> = Some(r#"{"sub": "**", "rooms": ["*", "7/8", "", "**"]}"#);

const NO_SUBSCRIBE: &str = "403:denied_by_security_policy:subscribe_denied";
const NO_PUBLISH: &str = "403:denied_by_security_policy:publish_denied";
const OK: &str = "";

/// A server with the rules and these lines in `[access]`.
fn guarded(access: &str) -> Server {
    Server::start(&settings(access).shards(1))
}

fn settings(access: &str) -> Settings {
    let (key, password) = (file("key", KEY), file("password", PASSWORD));
    Settings::default().tables(&format!(
        "[access]\n{access}\n\
         [[keys]]\nfile = {key:?}\nalgorithm = 'HS256'\n\
         [[publishers]]\nfile = {password:?}\npattern = '/public/**'\n{RULES}"
    ))
}

/// A file with this text, written once by all tests of this process.
fn file(name: &str, text: &str) -> PathBuf {
    static WRITING: Mutex<()> = Mutex::new(());
    let _alone = WRITING.lock().expect("nobody panics while writing");
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("access-{name}"));
    if fs::read_to_string(&path).is_ok_and(|found| found == text) {
        return path;
    }
    fs::write(&path, text).expect("a file can be written");
    path
}

/// A token that says this, good until `exp`.
fn token(claims: &str, exp: u64) -> String {
    sign(KEY, claims, exp)
}

fn sign(key: &str, claims: &str, exp: u64) -> String {
    let mut claims: Value = serde_json::from_str(claims).expect("claims in JSON");
    claims["exp"] = exp.into();
    let key = EncodingKey::from_secret(key.as_bytes());
    encode(&Header::default(), &claims, &key).expect("a token")
}

/// A token that nobody signed.
fn none(claims: &str) -> String {
    let head = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    assert_eq!(claims, r#"{"sub": "ann", "exp": 4000000000}"#);
    format!("{head}.eyJzdWIiOiAiYW5uIiwgImV4cCI6IDQwMDAwMDAwMDB9.")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a token ends by the clock of the world"
)]
fn in_seconds(seconds: u64) -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |now| now.as_secs()) + seconds
}
