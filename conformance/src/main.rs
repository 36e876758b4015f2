//! `bayeux-conformance URL`: checks a Bayeux server, rule by rule.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bayeux_conformance::{
    Group, Helpers, Options, Profile, Report, Target, Transport, Trust, groups, run,
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

const CONFORMS: u8 = 0;
const DEVIATES: u8 = 1;
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let matches = command().get_matches();
    match carried_out(&matches) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("bayeux-conformance: {why}");
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn command() -> Command {
    let value = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).help(help)
    };
    let milliseconds = |name, help| value(name, "MS", help).value_parser(value_parser!(u64));
    let names = |name, help| {
        value(name, "NAME", help)
            .value_delimiter(',')
            .action(ArgAction::Append)
    };
    let file = |name, help| value(name, "FILE", help).value_parser(value_parser!(PathBuf));
    let profiles = Profile::ALL.map(Profile::name);
    Command::new("bayeux-conformance")
        .about("Checks a Bayeux server, rule by rule, over each transport that it offers")
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(
            "Ends with 0 if the server conforms, 1 if it deviates, 2 if it could not be checked.",
        )
        .arg(
            Arg::new("url")
                .value_name("URL")
                .help("The server, such as http://127.0.0.1:8080/bayeux")
                .required_unless_present("list"),
        )
        .arg(
            value(
                "profile",
                "PROFILE",
                "Whose known differences are put up with",
            )
            .value_parser(profiles)
            .default_value("strict"),
        )
        .arg(names(
            "only",
            "Rule, group or transport to check, and nothing else; repeatable",
        ))
        .arg(names(
            "skip",
            "Rule, group or transport not to check; repeatable",
        ))
        .arg(
            value(
                "require",
                "TRANSPORT",
                "A transport that the server has to offer; repeatable",
            )
            .value_parser(Transport::ALL.map(Transport::name))
            .value_delimiter(',')
            .action(ArgAction::Append),
        )
        .arg(value(
            "path",
            "PATH",
            "The path at which Bayeux is spoken, instead of the URL's",
        ))
        .arg(milliseconds(
            "timeout",
            "The server's longest hold, instead of what it advises",
        ))
        .arg(milliseconds(
            "max-interval",
            "How long a session lives after its last connect",
        ))
        .arg(
            value(
                "max-message-size",
                "BYTES",
                "The greatest message that the server takes",
            )
            .value_parser(value_parser!(usize)),
        )
        .arg(value(
            "origin",
            "ORIGIN",
            "An origin whose pages may use the server",
        ))
        .arg(file(
            "ca",
            "For https://: the authorities whose certificates are believed, in PEM",
        ))
        .arg(
            Arg::new("insecure")
                .long("insecure")
                .help("For https://: any certificate is believed")
                .action(ArgAction::SetTrue)
                .conflicts_with("ca"),
        )
        .arg(
            Arg::new("helpers")
                .long("helpers")
                .help("The server helps as this project's do with --conformance")
                .action(ArgAction::SetTrue),
        )
        .arg(value(
            "deliver",
            "CHANNEL",
            "A service channel that delivers back",
        ))
        .arg(value(
            "disconnect",
            "CHANNEL",
            "A service channel that has the sender disconnected",
        ))
        .arg(value(
            "echo",
            "CHANNEL",
            "A service channel that answers a remote call with its data",
        ))
        .arg(value(
            "lazy",
            "CHANNEL",
            "A channel below which all channels are lazy",
        ))
        .arg(
            value("jobs", "N", "How many checks run at a time [default: 8]")
                .value_parser(value_parser!(usize)),
        )
        .arg(milliseconds(
            "patience",
            "How long an answer may take [default: 15000]",
        ))
        .arg(milliseconds(
            "quiet",
            "How long to listen where nothing may come [default: 300]",
        ))
        .arg(file("junit", "Write the findings there as JUnit XML"))
        .arg(file("json", "Write the findings there as JSON"))
        .arg(
            Arg::new("list")
                .long("list")
                .help("List the checks instead, and what the profile says of them")
                .action(ArgAction::SetTrue),
        )
}

fn carried_out(matches: &ArgMatches) -> Result<u8, String> {
    if matches.get_flag("list") {
        list(profile(matches));
        return Ok(CONFORMS);
    }
    let options = options(matches)?;
    let report =
        run(&options, |finding| say(&finding.to_text())).map_err(|error| error.to_string())?;
    say(&report.summary());
    write(matches, &report)?;
    if report.checked_rules().is_empty() {
        return Err("nothing was checked".to_owned());
    }
    Ok(if report.conforms() {
        CONFORMS
    } else {
        DEVIATES
    })
}

/// Writes to the standard output at once. Nobody may listen any more: the exit code counts all the same.
fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).ok();
    output.flush().ok();
}

fn options(matches: &ArgMatches) -> Result<Options, String> {
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let duration = |name: &str| {
        let milliseconds = matches.get_one::<u64>(name).copied();
        milliseconds.map(Duration::from_millis)
    };
    let names = |name: &str| -> Vec<String> {
        let names = matches.get_many::<String>(name);
        names.into_iter().flatten().cloned().collect()
    };

    let url = text("url").unwrap_or_default();
    let mut target = Target::resolve(&url).map_err(|error| error.to_string())?;
    if let Some(path) = text("path") {
        target.path = path.trim_end_matches('/').to_owned();
    }
    let mut options = Options::new(target);
    if options.target.secure {
        options.trust = Some(trust(matches)?);
    }
    options.profile = profile(matches);
    options.only = known(names("only"))?;
    options.skip = known(names("skip"))?;
    let required = names("require");
    let is_required = |transport: &Transport| required.iter().any(|it| it == transport.name());
    options.required = Transport::ALL.into_iter().filter(is_required).collect();
    options.jobs = matches.get_one("jobs").copied().unwrap_or(options.jobs);
    options.patience = duration("patience").unwrap_or(options.patience);
    options.quiet = duration("quiet").unwrap_or(options.quiet);
    options.timeout = duration("timeout");
    options.max_interval = duration("max-interval");
    let size = matches.get_one("max-message-size").copied();
    options.max_message_size = size.unwrap_or(options.max_message_size);
    options.origin = text("origin");

    let usual = if matches.get_flag("helpers") {
        Helpers::usual()
    } else {
        Helpers::default()
    };
    options.helpers = Helpers {
        deliver: text("deliver").or(usual.deliver),
        disconnect: text("disconnect").or(usual.disconnect),
        echo: text("echo").or(usual.echo),
        lazy: text("lazy").or(usual.lazy),
        handshake: usual.handshake,
    };
    Ok(options)
}

/// The names, if each of them is one of a rule with a check, a group, or a transport.
fn known(names: Vec<String>) -> Result<Vec<String>, String> {
    let groups = groups();
    let is_known = |name: &str| {
        let is_transport = Transport::ALL.iter().any(|it| it.name() == name);
        let is_rule = |group: &Group| group.checks.iter().any(|it| it.rules.contains(&name));
        is_transport || groups.iter().any(|it| it.name == name || is_rule(it))
    };
    match names.iter().find(|name| !is_known(name)) {
        Some(name) => Err(format!(
            "{name} is no transport, no group, and no rule that has a check: see --list"
        )),
        None => Ok(names),
    }
}

fn trust(matches: &ArgMatches) -> Result<Trust, String> {
    if matches.get_flag("insecure") {
        return Trust::in_anybody();
    }
    match matches.get_one::<PathBuf>("ca") {
        Some(file) => Trust::in_authorities(file),
        None => Err("https:// needs --ca FILE or --insecure".to_owned()),
    }
}

fn write(matches: &ArgMatches, report: &Report) -> Result<(), String> {
    let files = [
        ("junit", report.to_junit()),
        ("json", format!("{:#}\n", report.to_json())),
    ];
    for (name, text) in files {
        if let Some(path) = matches.get_one::<PathBuf>(name) {
            let failed = |error| format!("{}: {error}", path.display());
            std::fs::write(path, text).map_err(failed)?;
        }
    }
    Ok(())
}

fn profile(matches: &ArgMatches) -> Profile {
    let name = matches.get_one::<String>("profile");
    let is_it = |profile: &Profile| name.is_some_and(|name| name == profile.name());
    Profile::ALL.into_iter().find(is_it).unwrap_or_default()
}

fn list(profile: Profile) {
    for group in bayeux_conformance::groups() {
        for check in group.checks {
            let rules = check.rules.join(" ");
            say(&format!("{:<12} {} [{rules}]\n", group.name, check.promise));
            if let Some(known) = check.known_difference(profile) {
                let at_times = if known.at_times { ", at times" } else { "" };
                say(&format!("{:<12} known{at_times}: {}\n", "", known.what));
            }
        }
    }
    for unseen in bayeux_conformance::unseen() {
        let rules = unseen.rules.join(" ");
        say(&format!("{:<12} {} [{rules}]\n", "no check", unseen.why));
    }
}
