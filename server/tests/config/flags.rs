//! Flags and variables, and which of them count.

use super::*;

#[test]
fn untold_a_server_listens_on_loopback_under_the_three_paths() {
    let settings = flags(&[]).settings();

    assert_eq!(settings.listen, ["127.0.0.1:8080".parse().unwrap()]);
    assert_eq!(
        settings.paths,
        ["/bayeux", "/faye", "/cometd"].map(Box::<str>::from)
    );
    assert_eq!(settings.page_path(), "/bayeux");
    assert_eq!(settings.http.mounts.len(), 3);
    assert_eq!(settings.store, Store::Memory);
    assert_eq!(settings.http.origins, Origins::Own);
    assert_eq!(&*settings.log, "info");
    assert_eq!(
        format!("{settings:?}"),
        format!("{:?}", Settings::default())
    );
}

type Shown = fn(&Settings) -> String;

/// For each flag its variable, a value for each place that it can be given in, and how the settings show which of them counts.
pub(super) const EACH_FLAG: &[(&str, &str, [&str; 3], Shown)] = &[
    (
        "listen",
        "BAYEUX_LISTEN",
        ["[::1]:1", "[::1]:2", "[::1]:3"],
        |s| s.listen[0].to_string(),
    ),
    ("path", "BAYEUX_PATH", ["/a", "/b", "/c"], |s| {
        assert!(s.http.mounts[0].contains(&s.paths[0]));
        s.paths[0].to_string()
    }),
    (
        "store",
        "BAYEUX_STORE",
        ["memory", "redis://b", "rediss+sentinel://c/main"],
        |s| match &s.store {
            Store::Memory => "memory".into(),
            Store::Redis(target) => target.to_string(),
            other => panic!("{other:?}"),
        },
    ),
    (
        "redis-prefix",
        "BAYEUX_REDIS_PREFIX",
        ["a", "b.c", "d-e:f_1"],
        |s| s.redis_prefix.to_string(),
    ),
    ("node-name", "BAYEUX_NODE_NAME", ["a", "b", "c"], |s| {
        s.node_name.to_string()
    }),
    ("shards", "BAYEUX_SHARDS", ["1001", "1002", "1003"], |s| {
        s.shards.to_string()
    }),
    (
        "allow-origin",
        "BAYEUX_ALLOW_ORIGIN",
        [
            "https://a.example",
            "https://b.example",
            "https://c.example",
        ],
        |s| {
            [
                "https://a.example",
                "https://b.example",
                "https://c.example",
            ]
            .into_iter()
            .filter(|origin| s.http.origins.allows(origin, None))
            .collect()
        },
    ),
    (
        "trusted-proxy",
        "BAYEUX_TRUSTED_PROXY",
        ["10.0.0.1", "10.0.0.2", "10.0.0.3"],
        |s| {
            ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
                .into_iter()
                .filter(|address| s.trusted_proxies.contains(address.parse().unwrap()))
                .collect()
        },
    ),
    ("log", "BAYEUX_LOG", ["warn", "debug", "off"], |s| {
        s.log.to_string()
    }),
    (
        "log-format",
        "BAYEUX_LOG_FORMAT",
        ["json", "text", "json"],
        |s| match s.log_format {
            LogFormat::Text => "text".into(),
            LogFormat::Json => "json".into(),
        },
    ),
    (
        "conformance",
        "BAYEUX_CONFORMANCE",
        ["true", "false", "true"],
        |s| match s.conformance {
            Conformance::On => "true".into(),
            Conformance::Off => "false".into(),
        },
    ),
];

/// The flags that have no value on the command line.
pub(super) const SWITCHES: [&str; 1] = ["conformance"];

#[test]
fn a_flag_counts_more_than_its_variable_and_a_variable_more_than_the_file() {
    for (name, variable, [in_file, in_variable, as_flag], shown) in EACH_FLAG {
        let flag = format!("--{name}");
        let is_switch = SWITCHES.contains(name);
        let quote = if is_switch { "" } else { "'" };
        let file = || toml(&format!("[server]\n{name} = {quote}{in_file}{quote}"));

        assert_eq!(shown(&file().settings()), *in_file, "{flag}");
        assert_eq!(
            shown(&file().variable(variable, in_variable).settings()),
            *in_variable,
            "{flag}"
        );
        let on_line: &[&str] = if is_switch {
            &[&flag]
        } else {
            &[&flag, as_flag]
        };
        let all = file().variable(variable, in_variable).flags(on_line);
        assert_eq!(shown(&all.settings()), *as_flag, "{flag}");
    }
}

/// The two files, with a space in between.
fn tls(settings: &Settings) -> String {
    let files = settings.tls.as_ref().unwrap();
    format!("{} {}", files.certificate.display(), files.key.display())
}

#[test]
fn a_certificate_and_its_key_are_named_from_anywhere() {
    let file = || toml("[server]\ntls-cert = 'a.pem'\ntls-key = 'a.key'");

    assert_eq!(tls(&file().settings()), "a.pem a.key");
    let file = || file().variable("BAYEUX_TLS_CERT", "b.pem");
    assert_eq!(tls(&file().settings()), "b.pem a.key");
    let file = || file().variable("BAYEUX_TLS_KEY", "b.key");
    let all = file().flags(&["--tls-cert", "c.pem", "--tls-key", "c.key"]);
    assert_eq!(tls(&all.settings()), "c.pem c.key");
}

#[test]
fn a_certificate_without_a_key_is_a_mistake_and_a_key_without_one_too() {
    for (start, expected) in [
        (
            flags(&["--tls-cert", "a.pem"]),
            "--tls-cert: needs tls-key too",
        ),
        (
            flags(&["--tls-key", "a.key"]),
            "--tls-key: needs tls-cert too",
        ),
        (
            toml("[server]\ntls-cert = 'a.pem'"),
            "F:2: server.tls-cert: needs tls-key too",
        ),
        (
            flags(&[]).variable("BAYEUX_TLS_KEY", "a.key"),
            "BAYEUX_TLS_KEY: needs tls-cert too",
        ),
    ] {
        assert_eq!(start.mistake(), expected);
    }
}

#[test]
fn the_file_may_be_named_by_variable_too() {
    let [by_variable, by_flag] = ["timeout = 1", "timeout = 2"].map(|text| file(text.as_bytes()));
    let start = || Start::default().variable("BAYEUX_CONFIG", by_variable.to_str().unwrap());

    assert_eq!(start().settings().engine.timeout, ms(1));
    let both = start().flags(&["--config", by_flag.to_str().unwrap()]);
    assert_eq!(both.settings().engine.timeout, ms(2));
    let empty = Start::default().variable("BAYEUX_CONFIG", "");
    assert_eq!(empty.settings().engine.timeout, ms(30_000));
}

#[test]
fn what_may_be_repeated_is_by_flag_by_list_and_by_commas() {
    let by_flag = flags(&["--path", "/a", "--path=/b/"]);
    let by_variable = Start::default().variable("BAYEUX_PATH", "/a, /b/,");
    let by_file = toml("[server]\npath = ['/a', '/b/']");

    for settings in [
        by_flag.settings(),
        by_variable.settings(),
        by_file.settings(),
    ] {
        assert_eq!(settings.paths, ["/a", "/b"].map(Box::<str>::from));
        assert_eq!(settings.http.mounts.len(), 2);
    }
}

#[test]
fn a_variable_that_is_empty_is_as_if_unset() {
    for (_, variable, ..) in EACH_FLAG {
        let settings = Start::default().variable(variable, "").settings();
        assert_eq!(
            format!("{settings:?}"),
            format!("{:?}", Settings::default()),
            "{variable}"
        );
    }
}

#[test]
fn what_is_overruled_need_not_be_right_unless_it_is_in_the_file() {
    let settings = flags(&["--shards", "3"])
        .variable("BAYEUX_SHARDS", "many")
        .settings();
    assert_eq!(settings.shards.get(), 3);

    let settings =
        toml("[server]\nlisten = 'no-such-host.invalid:1'").flags(&["--listen", "[::1]:1"]);
    assert_eq!(settings.settings().listen, ["[::1]:1".parse().unwrap()]);

    let mistake = toml("[server]\nshards = -3")
        .flags(&["--shards", "3"])
        .mistake();
    assert_eq!(
        mistake,
        "F:2: server.shards: must be between 1 and 1024, got \"-3\""
    );
}
