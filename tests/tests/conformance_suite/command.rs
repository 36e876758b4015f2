//! The command, as continuous integration calls it.

use std::net::SocketAddr;
use std::process::{Command, Output};
use std::sync::OnceLock;

use bayeux_tests::live::{Server, executable};

use crate::broken::{Fault, broken};

/// What the command does with a server that listens there.
fn checked(address: SocketAddr, arguments: &[&str]) -> Output {
    static PROGRAM: OnceLock<std::path::PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| executable("--bin", "bayeux-conformance"));
    let mut command = Command::new(program);
    command.arg(format!("http://{address}{}", Server::PATH));
    command.args(arguments);
    command.output().expect("what was built can be started")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_server_that_conforms_ends_it_with_0_and_one_that_deviates_with_1() {
    let server = crate::server();
    let fault = Fault::Says("400::channel_missing", "400::channel_missinc");
    let broken = broken(server.address(), Some(fault));
    let only = ["--only", "FI-1,service", "--skip", "callback-polling"];

    let good = checked(server.address(), &only);
    let bad = checked(broken, &only);

    assert_eq!(good.status.code(), Some(0), "{}", stdout(&good));
    assert!(
        !stdout(&good).contains("callback-polling "),
        "{}",
        stdout(&good)
    );
    assert_eq!(bad.status.code(), Some(1), "{}", stdout(&bad));
    let told = stdout(&bad);
    let failed = told.split_once("FAILED ").map(|(_, failed)| failed);
    let exchange = failed.unwrap_or_default();
    assert!(
        exchange.contains(" > POST /bayeux HTTP/1.1\\r\\n"),
        "{told}"
    );
    assert!(exchange.contains("400::channel_missinc"), "{told}");
}

#[test]
fn what_cannot_be_checked_ends_it_with_2() {
    let server = crate::server();
    let table = [
        (server.address(), ["--only", "CN9"], "CN9 is no transport"),
        (
            SocketAddr::from(([127, 0, 0, 1], 1)),
            ["--only", "CN-9"],
            "does not accept",
        ),
        (
            broken(
                server.address(),
                Some(Fault::Hears("Upgrade: ", "Upgrudo: ")),
            ),
            ["--require", "websocket"],
            "websocket is required",
        ),
    ];
    for (address, arguments, why) in table {
        let output = checked(address, &arguments);

        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn the_findings_are_written_for_programs() {
    let server = crate::server();
    let folder = tempfile::tempdir().unwrap();
    let [xml, json] = ["report.xml", "report.json"].map(|name| folder.path().join(name));
    let files = [xml.to_str().unwrap(), json.to_str().unwrap()];
    let arguments = ["--only", "HT-2", "--junit", files[0], "--json", files[1]];

    let output = checked(server.address(), &arguments);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let xml = std::fs::read_to_string(&xml).unwrap();
    assert!(xml.starts_with("<?xml"), "{xml}");
    assert!(xml.contains("<testsuite name=\"http\""), "{xml}");
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(json["conforms"], true);
    let rules = json["rulesChecked"].as_array().unwrap();
    assert!(rules.iter().any(|rule| rule == "HT-2"), "{rules:?}");
}
