//! The HTTP API for backends.

use super::*;

const KEY: &str = "a-key-that-nobody-has-guessed";

fn admin(start: Start) -> (Vec<String>, String) {
    let admin = start.settings().admin;
    let listen = admin.listen.iter().map(ToString::to_string).collect();
    (listen, format!("{:?}", admin.keys))
}

#[test]
fn there_is_an_api_once_a_key_is_set_or_it_is_asked_for() {
    let listen = |addresses: &[&str]| addresses.iter().map(ToString::to_string).collect();
    let no_keys = "AdminKeys(0)".to_string();
    let keys = |count| format!("AdminKeys({count})");
    let usual = || listen(&["127.0.0.1:8081"]);

    assert_eq!(admin(flags(&[])), (Vec::new(), no_keys.clone()));
    assert_eq!(
        admin(flags(&[
            "--admin-listen",
            "[::1]:9000",
            "--admin-listen",
            "127.0.0.1:9000"
        ])),
        (listen(&["[::1]:9000", "127.0.0.1:9000"]), no_keys)
    );
    let variable = |value: &str| Start::default().variable("BAYEUX_ADMIN_KEY", value);
    assert_eq!(admin(variable(KEY)), (usual(), keys(1)));
    assert_eq!(
        admin(variable(&format!("{KEY}, {KEY}2"))),
        (usual(), keys(2))
    );
    let list = format!("[server]\nadmin-key = [\"{KEY}1\", \"{KEY}2\"]");
    assert_eq!(admin(toml(&list)), (usual(), keys(2)));
    // A variable counts more than the file.
    let both = toml(&list).variable("BAYEUX_ADMIN_KEY", KEY);
    assert_eq!(admin(both), (usual(), keys(1)));

    let path = file(format!("# of the website\n{KEY}\n\n  {KEY}2  \n").as_bytes());
    let key_file = || flags(&["--admin-key-file", path.to_str().unwrap()]);
    assert_eq!(admin(key_file()), (usual(), keys(2)));
    let both = key_file().variable("BAYEUX_ADMIN_KEY", KEY);
    assert_eq!(admin(both), (usual(), keys(3)));
    let elsewhere = key_file().flags(&["--admin-listen", "127.0.0.1:9000"]);
    assert_eq!(admin(elsewhere), (listen(&["127.0.0.1:9000"]), keys(2)));
}

#[test]
fn a_mistake_about_the_api_is_told_without_its_key() {
    let with_file = |text: &str| {
        let path = file(text.as_bytes());
        flags(&["--admin-key-file", path.to_str().unwrap()]).mistake()
    };
    let variable = |value: &str| Start::default().variable("BAYEUX_ADMIN_KEY", value);

    assert_eq!(
        variable("short").mistake(),
        "BAYEUX_ADMIN_KEY: a key must have 16 characters or more"
    );
    assert_eq!(
        with_file(&format!("{KEY}\n\na key with spaces in it")),
        "--admin-key-file: F:3: a key must be of the letters A to Z, digits and -._~+/="
    );
    assert_eq!(
        with_file("# none\n"),
        "--admin-key-file: there is no key in \"F\""
    );
    let missing = flags(&["--admin-key-file", "/nowhere/key"]).mistake();
    assert!(
        missing.starts_with("--admin-key-file: cannot read \"/nowhere/key\": "),
        "{missing}"
    );
    let unspoken = flags(&["--admin-key", KEY]).mistake();
    assert!(
        unspoken.contains("unexpected argument") && !unspoken.contains(KEY),
        "{unspoken}"
    );
    assert_eq!(
        toml("[server]\nadmin-key = 1234567890123456.5").mistake(),
        "F:2: server.admin-key: must be a text or a list of texts"
    );
    assert_eq!(
        flags(&[
            "--admin-listen",
            "127.0.0.1:8080",
            "--listen",
            "127.0.0.1:8080"
        ])
        .mistake(),
        "--admin-listen: 127.0.0.1:8080 is given twice"
    );
}

#[test]
fn the_greeting_says_where_backends_come_in_and_whether_they_can() {
    let address = ["127.0.0.1:8081".parse().unwrap()];

    let closed = greeting(&flags(&[]).settings(), &[], &address);
    assert!(
        closed.contains("backends: http://127.0.0.1:8081/api/v1 (closed: no key is set)"),
        "{closed}"
    );
    let open = Start::default()
        .variable("BAYEUX_ADMIN_KEY", KEY)
        .settings();
    let open = greeting(&open, &[], &address);
    assert!(open.contains("/api/v1 (with a key)"), "{open}");
}
