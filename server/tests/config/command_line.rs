//! Mistakes in flags and in variables, and what these may say.

use super::*;

#[test]
fn a_mistake_on_the_command_line_is_one_line() {
    let table: &[(&[&str], &str)] = &[
        (
            &["--lisen", "x"],
            "unexpected argument '--lisen' found; a similar argument exists: '--listen'",
        ),
        (
            &["--frobnicate"],
            "unexpected argument '--frobnicate' found",
        ),
        (&["serve"], "unexpected argument 'serve' found"),
        (
            &["--shards"],
            "a value is required for '--shards <N>' but none was supplied",
        ),
        (
            &["--log", ""],
            "a value is required for '--log <FILTER>' but none was supplied",
        ),
        (
            &["--shards", "1", "--shards", "2"],
            "the argument '--shards <N>' cannot be used multiple times",
        ),
        (
            &["--shards", "0"],
            "--shards: must be between 1 and 1024, got \"0\"",
        ),
        (
            &["--shards", "-1"],
            "--shards: must be between 1 and 1024, got \"-1\"",
        ),
        (
            &["--shards", "1025"],
            "--shards: must be between 1 and 1024, got \"1025\"",
        ),
        (
            &["--shards", "two"],
            "--shards: must be between 1 and 1024, got \"two\"",
        ),
        (
            &["--store", "redis"],
            "--store: must be memory, or where Redis is: expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or redis+sentinel://[user:password@]host[:port],…/name[/database]",
        ),
        (
            &["--store", "redis://:secret@h/x"],
            "--store: must be memory, or where Redis is: expected redis://[user:password@]host[:port][/database], rediss:// for TLS, or redis+sentinel://[user:password@]host[:port],…/name[/database]",
        ),
        (
            &["--redis-prefix", "a{b}"],
            "--redis-prefix: must be 1 to 64 letters, digits, - . : or _, got \"a{b}\"",
        ),
        (
            &["--node-name", "a b"],
            "--node-name: must be 1 to 64 letters, digits, - . : or _, got \"a b\"",
        ),
        (
            &["--listen", "8080"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, got \"8080\"",
        ),
        (
            &["--listen", ":8080"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, got \":8080\"",
        ),
        (
            &["--listen", "::1:8080:x"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, \
             got \"::1:8080:x\"",
        ),
        (
            &["--listen", "localhost:65536"],
            "--listen: must be an address and a port, such as 127.0.0.1:8080 or [::1]:8080, \
             got \"localhost:65536\"",
        ),
        (
            &["--listen", "[::1]:1", "--listen", "[::1]:1"],
            "--listen: [::1]:1 is given twice",
        ),
        (
            &["--path", "bayeux"],
            "--path: a mount begins with /, got \"bayeux\"",
        ),
        (
            &["--path", "/a?b"],
            "--path: a mount is a path as it is sent: printable ASCII without ?, # and *, got \"/a?b\"",
        ),
        (
            &["--path", "/a", "--path", "/a/"],
            "--path: /a is given twice",
        ),
        (
            &["--allow-origin", "https://*.example"],
            "--allow-origin: an origin needs a host, of letters, digits, '-', '.', '_' or an address, \
             got \"https://*.example\"",
        ),
        (
            &["--allow-origin", "a.example"],
            "--allow-origin: an origin begins with a scheme, as in https://host, got \"a.example\"",
        ),
        (
            &["--allow-origin", "https://a.example/x"],
            "--allow-origin: an origin ends with its host and port, got \"https://a.example/x\"",
        ),
        (
            &["--allow-origin", "*", "--allow-origin", "https://a.example"],
            "--allow-origin: * allows any origin and must stand alone",
        ),
        (
            &["--trusted-proxy", "10.0.0.0/33"],
            "--trusted-proxy: the prefix of a network is a number up to 32, or 128 for IPv6, \
             got \"10.0.0.0/33\"",
        ),
        (
            &["--trusted-proxy", "proxy"],
            "--trusted-proxy: a network begins with an IPv4 or IPv6 address, got \"proxy\"",
        ),
        (
            &["--log", "loud"],
            "--log: must be off, error, warn, info, debug or trace, or target=level, \
             separated by commas, got \"loud\"",
        ),
        (
            &["--log", "info,hyper="],
            "--log: must be off, error, warn, info, debug or trace, or target=level, \
             separated by commas, got \"info,hyper=\"",
        ),
        (
            &["--conformance=true"],
            "unexpected value 'true' for '--conformance' found; no more were expected",
        ),
        (
            &["--conformance", "true"],
            "unexpected argument 'true' found",
        ),
        (
            &["--conformance", "--conformance"],
            "the argument '--conformance' cannot be used multiple times",
        ),
        (
            &["--path", "/a\nb"],
            "--path: a mount is a path as it is sent: printable ASCII without ?, # and *, got \"/a\\nb\"",
        ),
        (&["--a\nb"], "unexpected argument '--a; b' found"),
    ];
    for (given, expected) in table {
        assert_eq!(flags(given).mistake(), *expected, "{given:?}");
    }
}

#[test]
fn a_mistake_in_a_variable_names_the_variable() {
    for (variable, value, expected) in [
        (
            "BAYEUX_SHARDS",
            "x",
            "BAYEUX_SHARDS: must be between 1 and 1024, got \"x\"",
        ),
        (
            "BAYEUX_PATH",
            "/a,b",
            "BAYEUX_PATH: a mount begins with /, got \"b\"",
        ),
        (
            "BAYEUX_CONFORMANCE",
            "1",
            "BAYEUX_CONFORMANCE: must be true or false, got \"1\"",
        ),
        (
            "BAYEUX_CONFIG",
            "/none",
            "cannot read /none: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(
            Start::default().variable(variable, value).mistake(),
            expected
        );
    }
}

#[cfg(unix)]
#[test]
fn what_is_not_utf_8_is_told() {
    use std::os::unix::ffi::OsStringExt;

    let garbage = || OsString::from_vec(vec![b'/', 0xff]);
    let mut start = Start::default();
    start.variables.insert("BAYEUX_PATH", garbage());
    assert_eq!(start.mistake(), "BAYEUX_PATH: is not UTF-8");

    let mut start = flags(&["--path"]);
    start.flags.push(garbage());
    assert_eq!(
        start.mistake(),
        "invalid UTF-8 was detected in one or more arguments"
    );
}

#[test]
fn a_name_stands_for_its_ipv4_address() {
    let settings = flags(&["--listen", "localhost:8081", "--listen", "localhost:0"]).settings();

    assert_eq!(
        settings.listen,
        [
            "127.0.0.1:8081".parse().unwrap(),
            "127.0.0.1:0".parse().unwrap()
        ]
    );
    assert!(
        flags(&["--listen", "no-such-host.invalid:1"])
            .mistake()
            .starts_with("--listen: cannot find the address of \"no-such-host.invalid\": ")
    );
}

#[test]
fn the_operating_system_may_choose_the_port_more_than_once() {
    let settings = flags(&["--listen", "127.0.0.1:0", "--listen", "127.0.0.1:0"]).settings();

    assert_eq!(settings.listen.len(), 2);
}

#[test]
fn any_origin_is_allowed_by_a_star() {
    assert_eq!(
        flags(&["--allow-origin", "*"]).settings().http.origins,
        Origins::Any
    );
}
