//! A Redis that is spoken to over TLS, by a user who may do what is needed and nothing else.

use bayeux_tests::live::{Authority, Balancer, Redis, Server, Settings};

use super::crowd::Session;

/// What the guide says that the user needs.
fn rules() -> Vec<String> {
    let guide = include_str!("../../../docs/operating.md");
    let (_, rest) = guide
        .split_once("The user needs the commands")
        .expect("what the user needs");
    let (commands, _) = rest.split_once('.').expect("the end of the sentence");
    let commands = commands.split('`').skip(1).step_by(2);
    let rule = |command: &str| format!("+{}", command.to_lowercase().replace(' ', "|"));
    let mut rules: Vec<_> = commands.map(rule).collect();
    rules.push("~{bayeux}:*".into());
    rules
}

#[test]
fn redis_is_reached_over_tls_by_a_user_with_the_rights_that_the_guide_names() {
    let authority = Authority::new();
    let identity = authority.issue("redis");
    let rules = rules();
    let rules: Vec<_> = rules.iter().map(String::as_str).collect();
    let redis = Redis::guarded(&identity, "bayeux", "open-sesame", &rules);
    let url = |password: &str| format!("rediss://bayeux:{password}@{}/1", redis.address());
    let settings = Settings::default().trust(&authority).log("info");
    let with = |password| settings.clone().store(&url(password));
    let servers = [(); 2].map(|()| Server::start(&with("open-sesame")));
    servers.iter().for_each(Server::until_ready);
    let balancer = Balancer::before(servers.len());
    for (seat, server) in servers.iter().enumerate() {
        balancer.seat(seat, Some(server));
    }

    let mut reader = Session::open(balancer.address());
    reader.connect(0);
    reader.subscribe("/a");
    let mut writer = Session::open(balancer.address());
    for number in 1..=5 {
        assert_eq!(writer.publish("/a", number), Some(true));
    }
    while reader.received.last() != Some(&5) {
        reader.connect(100);
    }
    reader.disconnect();
    for server in servers {
        let said = server.stop_and_tell().join("\n");
        assert!(!said.contains("sesame"), "{said}");
    }

    let mut stranger = Server::start(&with("barley"));
    let said = stranger.says("Redis is away");
    assert!(!said.contains("barley"), "{said}");
    let mut distrustful =
        Server::start(&Settings::default().store(&url("open-sesame")).log("info"));
    let said = distrustful.says("Redis is away");
    assert!(!said.contains("sesame"), "{said}");
}
