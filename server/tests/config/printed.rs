//! What is printed, and the document.

use super::flags::{EACH_FLAG, SWITCHES};
use super::*;

#[test]
fn help_and_version_end_well() {
    for flag in ["--help", "-h"] {
        let stop = flags(&[flag]).run().expect_err("help");
        assert_eq!(stop.code, 0);
        assert!(stop.text.starts_with("Serves."), "{stop}");
        for (flag, variable, ..) in EACH_FLAG {
            let value = if SWITCHES.contains(flag) { "\n" } else { " <" };
            let lines = stop.text.replace("  ", "\n");
            assert!(lines.contains(&format!("--{flag}{value}")), "{flag}");
            assert!(
                stop.text.contains(&format!("[env: {variable}]")),
                "{variable}"
            );
        }
        assert!(stop.text.contains("[env: BAYEUX_CONFIG]"));
        assert_eq!(stop.text.contains("maxInterval = 10000"), flag == "--help");
    }
    let stop = flags(&["--version"]).run().expect_err("version");
    assert_eq!(
        (stop.code, stop.text),
        (0, format!("server {}", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn the_greeting_has_every_url_and_says_who_is_let_in() {
    let bound = ["127.0.0.1:8080", "[::]:81"].map(|address| address.parse().unwrap());

    assert_eq!(
        greeting(
            &flags(&["--path", "/bayeux", "--path", "/faye"]).settings(),
            &bound,
            &[],
        ),
        "listening on http://127.0.0.1:8080/bayeux\nlistening on http://127.0.0.1:8080/faye\n\
         listening on http://localhost:81/bayeux\nlistening on http://localhost:81/faye\n\
         try it in a browser: http://127.0.0.1:8080/\n\
         pages of other origins are refused; --allow-origin lets them in\n\
         warning: there are no [[rules]], so whoever reaches this server may subscribe and publish to \
         every channel"
    );
    let ruled = toml("[[rules]]\npattern = '/**'\nallow = 'anyone'\n").settings();
    assert!(!greeting(&ruled, &bound, &[]).contains("warning"));
    let mapped = ["[::ffff:127.0.0.1]:8080".parse().unwrap()];
    assert!(!greeting(&flags(&[]).settings(), &mapped, &[]).contains("warning"));
    let nearby = greeting(&flags(&[]).settings(), &bound[..1], &[]);
    assert!(!nearby.contains("warning"), "{nearby}");
    let without_page = flags(&["--path", "/bayeux", "--path", "/"]).settings();
    assert!(!greeting(&without_page, &bound, &[]).contains("browser"));
    let open = flags(&["--allow-origin", "https://a.example"]).settings();
    assert!(!greeting(&open, &bound, &[]).contains("refused"));
    let safe = flags(&["--tls-cert", "a.pem", "--tls-key", "a.key"]).settings();
    let greeting_of_safe = greeting(&safe, &bound, &[]);
    assert!(greeting_of_safe.starts_with("listening on https://127.0.0.1:8080/bayeux\n"));
    assert!(!greeting_of_safe.contains("http://"));
    let helping = flags(&["--conformance"]).settings();
    assert!(greeting(&helping, &bound, &[]).contains("\nconformance helpers are on: "));
}

#[test]
fn a_port_in_use_ends_with_exit_code_1_and_the_address() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let error = std::net::TcpListener::bind(address).unwrap_err();

    let stop = Stop::from(StartError::Listen(address, error));

    assert_eq!((stop.code, stop.text), (1, format!("{address} is in use")));
}

#[test]
fn the_document_is_what_the_tables_say() {
    let document = fs::read_to_string(DOCUMENT).unwrap_or_default();

    assert!(
        document == reference(),
        "docs/configuration.md is out of date: \
         cargo test -p bayeux-server --test config -- --ignored writes it anew"
    );
}

#[test]
#[ignore = "writes docs/configuration.md"]
fn write_the_document() {
    fs::write(DOCUMENT, reference()).unwrap();
}
