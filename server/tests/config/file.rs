//! Mistakes in the file.

use super::reference::rows;
use super::*;

// Proves: WS-14
#[test]
fn a_mistake_in_the_file_is_told_with_file_line_and_key() {
    let table = [
        (
            "\ntimeout = -5",
            "F:2: timeout: must be between 0 and 86400000 (milliseconds), got -5",
        ),
        (
            "timeout = '30s'",
            "F:1: timeout: must be between 0 and 86400000 (milliseconds), got \"30s\"",
        ),
        (
            "timeout = 9223372036854775807",
            "F:1: timeout: must be between 0 and 86400000 (milliseconds), got 9223372036854775807",
        ),
        (
            "# one\n# two\ntiemout = 1",
            "F:3: tiemout: unknown key; did you mean timeout?",
        ),
        (
            "Timeout = 1",
            "F:1: Timeout: unknown key; did you mean timeout?",
        ),
        (
            "max_interval = 1",
            "F:1: max_interval: unknown key; did you mean maxInterval?",
        ),
        ("frobnicate = 1", "F:1: frobnicate: unknown key"),
        (
            "messagesPerFrame = 1",
            "F:1: messagesPerFrame: unknown key; it belongs in [ws]",
        ),
        (
            "listen = '[::1]:1'",
            "F:1: listen: unknown key; it belongs in [server]",
        ),
        (
            "[server]\nbrowserBinding = 'off'",
            "F:2: server.browserBinding: unknown key; \
             it belongs at the top of the file, before the first [table]",
        ),
        ("[server]\nconfig = 'x'", "F:2: server.config: unknown key"),
        (
            "[server]\nconformance = 'true'",
            "F:2: server.conformance: must be true or false, got \"true\"",
        ),
        (
            "[server]\nconformance = [true]",
            "F:2: server.conformance: must be true or false, got a list",
        ),
        (
            "[server]\nstore = true",
            "F:2: server.store: must be a text, got true",
        ),
        (
            "[sw]\ntimeout = 1",
            "F:1: sw: unknown table; did you mean [ws]?",
        ),
        (
            "[long_polling]\ntimeout = 1",
            "F:1: long_polling: unknown table; did you mean [long-polling]?",
        ),
        ("[metrics]\nport = 1", "F:1: metrics: unknown table"),
        ("ws = 1", "F:1: ws: must be a table, got 1"),
        (
            "[[ws]]\ntimeout = 1",
            "F:1: ws: must be a table, got a list",
        ),
        ("server = 'x'", "F:1: server: must be a table, got \"x\""),
        (
            "sweepThreads = 2",
            "F:1: sweepThreads: not an option of this server: \
             no thread sweeps: each session has a deadline of its own",
        ),
        (
            "[ws]\nbufferSize = 4096",
            "F:2: ws.bufferSize: not an option of this server: buffers grow as they are needed",
        ),
        (
            "[ws]\nenableExtension.permessage-deflate = true",
            "F:2: ws.enableExtension: not an option of this server: no websocket extension is negotiated",
        ),
        (
            "extensions = ['ack', 'binary']",
            "F:1: extensions: may have \"ack\", \"timesync\", \"timestamp\" and \"activity\", got \"binary\"",
        ),
        (
            "extensions = ['ack', 'ack']",
            "F:1: extensions: has \"ack\" twice",
        ),
        (
            "allowedTransports = []",
            "F:1: allowedTransports: must have one or more of \
             \"websocket\", \"long-polling\" and \"callback-polling\"",
        ),
        (
            "stripExt = ['a', 1]",
            "F:1: stripExt: must be a list of texts, got a list",
        ),
        (
            "duplicateMetaConnectHttpResponseCode = 408",
            "F:1: duplicateMetaConnectHttpResponseCode: must not be 408, \
             which makes browsers repeat the request",
        ),
        (
            "browserCookieSameSite = 'None'",
            "F:1: browserCookieSameSite: browsers drop such a cookie unless browserCookieSecure is true",
        ),
        (
            "browserCookiePartitioned = true",
            "F:1: browserCookiePartitioned: browsers drop such a cookie unless browserCookieSecure is true",
        ),
        (
            "browserBinding = 'strict'\ntrustClientSession = true",
            "F:2: trustClientSession: contradicts browserBinding, which is to be \"off\" or left out",
        ),
        (
            "timeout = 300000",
            "F:1: timeout: ws.idleTimeout (300000) must be longer than a websocket's timeout (300000) \
             and interval (0) together",
        ),
        (
            "\n[ws]\nidleTimeout = 1000",
            "F:3: ws.idleTimeout: ws.idleTimeout (1000) must be longer than a websocket's timeout (30000) \
             and interval (0) together",
        ),
        (
            "[server]\nshards = 0",
            "F:2: server.shards: must be between 1 and 1024, got \"0\"",
        ),
        (
            "[server]\nshards = [1]",
            "F:2: server.shards: must be a text, got a list",
        ),
        (
            "[server]\nlisten = [\n  '[::1]:1',\n  true,\n]",
            "F:4: server.listen: must be a text or a list of texts, got true",
        ),
        (
            "[server]\npath = [\n  '/a',\n  'b',\n]",
            "F:4: server.path: a mount begins with /, got \"b\"",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(toml(text).mistake(), expected, "{text}");
    }
}

#[test]
fn of_several_mistakes_the_first_in_the_file_is_told() {
    let mistake = toml("timeout = 1\nzzz = 1\ninterval = -1\naaa = 1\n").mistake();

    assert_eq!(mistake, "F:2: zzz: unknown key");
}

#[test]
fn what_is_no_toml_is_told_with_file_and_line() {
    for (text, start) in [
        ("timeout = 1\ntimeout = 2", "F:2: timeout: duplicate key"),
        ("a = 1\nb", "F:2: key with no value, "),
        ("[ws", "F:1: unclosed table, "),
        ("timeout = 10\n\ninterval = ", "F:3: interval: "),
        ("[ws]\n[limits]\n[ws]", "F:3: duplicate key"),
        ("stripExt = [\n'a'\n'b'\n]", "F:3: "),
    ] {
        let mistake = toml(text).mistake();
        assert!(mistake.starts_with(start), "{text:?}: {mistake}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    assert_eq!(
        flags(&["--config", "/no/such/file.toml"]).mistake(),
        "cannot read /no/such/file.toml: No such file or directory (os error 2)"
    );
    assert!(
        flags(&["--config", "/"])
            .mistake()
            .starts_with("cannot read /: ")
    );

    let path = file(b"timeout = 1\nbrowserCookieName = '\xff'\n");
    let mistake = flags(&["--config", path.to_str().unwrap()]).mistake();
    assert_eq!(mistake, "F:2: is not UTF-8");
}

proptest! {
    #[test]
    fn any_file_is_taken_or_refused_in_one_line(
        text in r#"(\[?[a-zA-Z\-.]{0,9}\]?( = |=|)('[^']{0,5}'|-?[0-9]{0,22}|true|\[\]|\{\}|.{0,5})\n){0,4}"#
    ) {
        if let Err(stop) = toml(&text).run() {
            prop_assert_eq!(stop.code, 2);
            prop_assert!(!stop.text.contains('\n'));
        }
    }

    #[test]
    fn any_value_of_any_key_is_taken_or_refused_in_one_line(
        row in select(rows().into_iter().map(|row| (row.table, row.key)).collect::<Vec<_>>()),
        value in r#"'[^'\n]{0,9}'|-?[1-9][0-9]{0,25}|\[('.?',)*\]|"\\u00[0-9a-f]{2}""#
    ) {
        if let Err(stop) = toml(&with(&row.0, &row.1, &value)).run() {
            prop_assert_eq!(stop.code, 2);
            prop_assert!(!stop.text.contains(char::is_control), "{}", stop);
        }
    }

    #[test]
    fn any_arguments_are_taken_or_refused_in_one_line(
        args in vec("(--(listen|path|store|shards|allow-origin|trusted-proxy|log)=)?.{0,9}", 0..4)
    ) {
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        if let Err(stop) = flags(&args).run() && stop.code != 0 {
            prop_assert_eq!(stop.code, 2);
            prop_assert!(!stop.text.is_empty() && !stop.text.contains(char::is_control), "{}", stop);
        }
    }
}
