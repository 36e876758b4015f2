//! The files of `deploy/` say what is true of the server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bayeux_tests::live::{Process, Server, Settings};

/// A file of the repository.
fn file(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The health check of the image, for a server at that port.
fn health_check(port: u16) -> Process {
    let image = file("deploy/Dockerfile");
    let (_, rest) = image.split_once("HEALTHCHECK").expect("a health check");
    let command = rest
        .split_once("CMD ")
        .and_then(|(_, rest)| rest.lines().next());
    let words: Vec<String> = serde_json::from_str(command.expect("a command")).expect("a list");
    let words: Vec<_> = words
        .iter()
        .map(|word| word.replace("8080", &port.to_string()))
        .collect();
    let (program, arguments) = words.split_first().expect("a program");
    Process::start("the health check", Command::new(program).args(arguments))
}

#[test]
fn the_health_check_of_the_image_tells_a_server_from_none() {
    let server = Server::start(&Settings::default().shards(1));
    let port = server.address().port();

    assert_eq!(health_check(port).end().0, Some(0));
    server.kill();
    let (code, _) = health_check(port).end();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
}

#[test]
fn the_image_and_the_unit_set_only_what_the_server_takes() {
    let known = file("docs/configuration.md");
    for path in ["deploy/Dockerfile", "deploy/bayeux-server.service"] {
        let text = file(path);
        let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let variables: Vec<_> = words.filter(|word| word.starts_with("BAYEUX_")).collect();
        assert!(!variables.is_empty(), "{path} sets none");
        for variable in variables {
            let named = known.contains(&format!("`{variable}`"));
            assert!(named, "{path}: {variable} is no variable of the server's");
        }
    }
}

#[test]
fn the_unit_starts_a_binary_with_a_subcommand_that_it_has() {
    let unit = file("deploy/bayeux-server.service");
    let commands = ["ExecStartPre=", "ExecStart="].map(|key| {
        let line = unit.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap_or_else(|| panic!("no {key}"))
            .split_whitespace()
    });
    for mut words in commands {
        let program = words.next().expect("a program");
        assert_eq!(program, "/usr/local/bin/bayeux-server-tokio");
        let mut arguments: Vec<_> = words.collect();
        arguments.push("--help");
        assert_eq!(
            Server::run(&arguments, "").end().0,
            Some(0),
            "{arguments:?}"
        );
    }
}
