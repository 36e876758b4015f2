//! The command line that all server binaries share.
//!
//! [`parse`] makes [`Settings`] of flags, variables and a file, or a [`Stop`]: whatever is wrong is told in
//! one line and ends the process with exit code 2.

use core::fmt;
use core::net::SocketAddr;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use bayeux_core::http::Origins;
use clap::builder::NonEmptyStringValueParser;
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{self, Conformance, Draft, FLAGS, Flag, Given, Settings, Times};
use crate::server::StartError;

/// The settings that this process was started with: `args` as the operating system gave them, the
/// program's own name first, and the variables `BAYEUX_…` of the environment.
///
/// # Errors
///
/// If the process is to end instead: after `--help` and `--version` with exit code 0, after a mistake
/// with exit code 2.
pub fn parse(
    name: &'static str,
    about: &'static str,
    args: impl Iterator<Item = OsString>,
) -> Result<Settings, Stop> {
    parse_with(name, about, args, |variable| env::var_os(variable))
}

/// The settings as [`parse`] would have them now: the same arguments and variables, and what has become
/// of the file; for a process that is to [reload](crate::Running::reload_or_warn).
///
/// # Errors
///
/// If there is a mistake in them, or if the file is none that can be read again, such as a pipe.
pub fn parse_again(
    name: &'static str,
    about: &'static str,
    args: impl Iterator<Item = OsString>,
) -> Result<Settings, Stop> {
    let variable = |variable: &str| env::var_os(variable);
    let matches = command(name, about)
        .try_get_matches_from(args)
        .map_err(|error| Stop::of(&error))?;
    if let Some(path) = file(&matches, &variable).filter(|path| path.exists() && !path.is_file()) {
        return Err(Stop::usage(&format!(
            "cannot read {} again",
            path.display()
        )));
    }
    settings(&matches, &variable).map_err(Stop::first)
}

/// The same as [`parse`] with the variables of `variable` instead of the environment's.
///
/// # Errors
///
/// As [`parse`].
///
/// ```
/// use bayeux_server::command_line::parse_with;
///
/// let args = ["server", "--shards", "2"].map(Into::into);
/// let settings = parse_with("server", "Serves.", args.into_iter(), |_| None)?;
/// assert_eq!(settings.shards.get(), 2);
///
/// let args = ["server", "--shards", "0"].map(Into::into);
/// let stop = parse_with("server", "Serves.", args.into_iter(), |_| None).unwrap_err();
/// assert_eq!((stop.code, &*stop.text), (2, "--shards: must be between 1 and 1024, got \"0\""));
/// # Ok::<(), bayeux_server::command_line::Stop>(())
/// ```
pub fn parse_with(
    name: &'static str,
    about: &'static str,
    args: impl Iterator<Item = OsString>,
    variable: impl Fn(&str) -> Option<OsString>,
) -> Result<Settings, Stop> {
    let matches = command(name, about)
        .try_get_matches_from(args)
        .map_err(|error| Stop::of(&error))?;
    settings(&matches, &variable).map_err(Stop::first)
}

/// What a process was started for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To serve.
    Serve(Box<Settings>),
    /// To look whether it could, with these settings; or with what is wrong with them.
    Examine(Result<Box<Settings>, Vec<String>>),
}

/// The same as [`parse`] for a binary that can do something else than serve.
///
/// # Errors
///
/// As [`parse`]; but mistakes in what is to be examined are none.
pub(crate) fn asked(
    name: &'static str,
    about: &'static str,
    args: impl Iterator<Item = OsString>,
) -> Result<Asked, Stop> {
    let matches = command(name, about)
        .subcommand(with_flags(Command::new(DOCTOR)).about(
            "Look whether a server could run here with these settings, and say what is wrong",
        ))
        .args_conflicts_with_subcommands(true)
        .try_get_matches_from(args)
        .map_err(|error| Stop::of(&error))?;
    let variable = |variable: &str| env::var_os(variable);
    if let Some(matches) = matches.subcommand_matches(DOCTOR) {
        return Ok(Asked::Examine(settings(matches, &variable).map(Box::new)));
    }
    settings(&matches, &variable)
        .map(|settings| Asked::Serve(Box::new(settings)))
        .map_err(Stop::first)
}

/// The settings, or everything that is wrong with them, one line each.
fn settings(
    matches: &ArgMatches,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Settings, Vec<String>> {
    let mut draft = Draft::default();
    let mut wrong = Vec::new();
    if let Some(path) = file(matches, variable) {
        wrong.extend(config::read(&path, &mut draft).err().into_iter().flatten());
    }
    for flag in &FLAGS {
        let given = match flags(matches, flag) {
            given if given.is_empty() => variables(flag, variable),
            given => Ok(given),
        };
        let applied = given.and_then(|given| {
            if given.is_empty() {
                return Ok(());
            }
            flag.apply(&mut draft, &given)
        });
        wrong.extend(applied.err());
    }
    if wrong.is_empty() {
        return draft.finish().map_err(|text| vec![text]);
    }
    Err(wrong)
}

/// What a line of the greeting begins with that is a warning.
pub(crate) const WARNING: &str = "warning: ";

/// What a server prints when it listens at `bound` for clients and at `admin` for backends: where it is reached, who is let in, and
/// what is on that a server in use would not have.
#[must_use]
pub fn greeting(settings: &Settings, bound: &[SocketAddr], admin: &[SocketAddr]) -> String {
    let mut lines = Vec::new();
    for address in bound {
        lines.extend(
            settings
                .paths
                .iter()
                .map(|path| format!("listening on {}{path}", url(settings, address))),
        );
    }
    // Where Bayeux is spoken at `/` there is no page.
    if settings.paths.iter().all(|path| &**path != "/") {
        lines.extend(
            bound
                .first()
                .map(|address| format!("try it in a browser: {}/", url(settings, address))),
        );
    }
    if settings.http.origins == Origins::Own {
        lines.push("pages of other origins are refused; --allow-origin lets them in".into());
    }
    for address in admin {
        let key = if settings.admin.keys.is_empty() {
            "closed: no key is set"
        } else {
            "with a key"
        };
        lines.push(format!(
            "backends: {}/api/v1 ({key})",
            url(settings, address)
        ));
    }
    if settings.conformance == Conformance::On {
        lines.push(
            "conformance helpers are on: clients may ask to be sent events, refused, disconnected"
                .into(),
        );
    }
    let is_local = |address: &SocketAddr| address.ip().to_canonical().is_loopback();
    let beyond_loopback = !bound.iter().all(is_local);
    if beyond_loopback && settings.access.is_open() {
        lines.push(format!(
            "{WARNING}there are no [[rules]], so whoever reaches this server may subscribe and \
             publish to every channel"
        ));
    }
    lines.join("\n")
}

/// Scheme, host and port of a server that listens at `address`.
fn url(settings: &Settings, address: &SocketAddr) -> String {
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    if address.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", address.port())
    } else {
        format!("{scheme}://{address}")
    }
}

/// Why a process ends before it serves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stop {
    /// The exit code: 0 after what was asked for, 1 if the system does not allow to serve, 2 after a
    /// mistake in flags, variables or file.
    pub code: u8,
    /// What to tell; one line unless `code` is 0, and none if it was told already.
    pub text: String,
}

impl Stop {
    /// There are mistakes; of these, the first is told.
    fn first(mistakes: Vec<String>) -> Self {
        Self::usage(mistakes.first().map_or("", |text| text))
    }

    /// Somebody asked for something that cannot be.
    fn usage(text: &str) -> Self {
        Self {
            code: 2,
            text: one_line(text),
        }
    }

    fn of(error: &clap::Error) -> Self {
        let text = error.to_string();
        if matches!(
            error.kind(),
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
        ) {
            Self {
                code: 0,
                text: text.trim_end().into(),
            }
        } else {
            Self::usage(&condensed(&text))
        }
    }

    /// Prints the text, to standard output if it was asked for, else to standard error.
    #[must_use]
    pub fn tell(&self) -> ExitCode {
        // Nobody may be there to read it, or not to the end.
        let _ = if self.code == 0 {
            writeln!(io::stdout(), "{}", self.text)
        } else if self.text.is_empty() {
            Ok(())
        } else {
            writeln!(io::stderr(), "{}", self.text)
        };
        ExitCode::from(self.code)
    }
}

impl From<StartError> for Stop {
    /// The system does not let the server start.
    fn from(error: StartError) -> Self {
        let text = match &error {
            StartError::Listen(address, error) if error.kind() == io::ErrorKind::AddrInUse => {
                format!("{address} is in use")
            }
            StartError::Listen(..) => error.to_string(),
            StartError::Cookie(_) | StartError::Tls(_) | StartError::System(_) => {
                format!("cannot start: {error}")
            }
        };
        Self {
            code: 1,
            text: one_line(&text),
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Stop {}

/// The text without what would begin a line, or do worse in a terminal.
pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect()
}

/// What clap says in several paragraphs, without the usage.
fn condensed(text: &str) -> String {
    let said = text.strip_prefix("error: ").unwrap_or(text);
    said.lines()
        .map(str::trim)
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"))
        .filter(|line| !line.is_empty())
        .map(|line| line.strip_prefix("tip: ").unwrap_or(line))
        .collect::<Vec<_>>()
        .join("; ")
}

/// The sub-command that looks whether a server could run.
const DOCTOR: &str = "doctor";

/// `command` with all flags.
fn with_flags(command: Command) -> Command {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("TOML file with all that can be set [env: BAYEUX_CONFIG]");
    let flags = FLAGS.iter().filter(|flag| is_spoken(flag));
    command.args(flags.map(arg)).arg(config)
}

fn command(name: &'static str, about: &'static str) -> Command {
    with_flags(Command::new(name))
        .about(about)
        .version(env!("CARGO_PKG_VERSION"))
        .after_help(
            "A flag counts more than its variable, and a variable more than the file. Variables of flags \
             that may be repeated take values separated by commas.",
        )
        .after_long_help(format!(
            "A flag counts more than its variable, and a variable more than the file. Variables of flags \
             that may be repeated take values separated by commas.\n\n{}",
            config::summary()
        ))
}

/// Whether it may stand on the command line.
fn is_spoken(flag: &Flag) -> bool {
    flag.times != Times::Secret
}

fn arg(flag: &'static Flag) -> Arg {
    let often = match flag.times {
        Times::Often => "; repeatable",
        Times::Once | Times::Secret | Times::Switch => "",
    };
    let help = format!(
        "{}{often} [env: {}] [default: {}]",
        flag.meaning,
        flag.variable(),
        flag.default
    );
    let arg = Arg::new(flag.name).long(flag.name).help(help);
    let action = match flag.times {
        Times::Once => ArgAction::Set,
        Times::Often | Times::Secret => ArgAction::Append,
        Times::Switch => return arg.action(ArgAction::SetTrue),
    };
    arg.value_name(flag.value)
        .action(action)
        .allow_negative_numbers(true)
        .value_parser(NonEmptyStringValueParser::new())
}

/// The file to read, if any.
fn file(matches: &ArgMatches, variable: &impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let from_flag = matches.get_one::<PathBuf>("config").cloned();
    let from_variable = || {
        variable("BAYEUX_CONFIG")
            .filter(|path| !path.is_empty())
            .map(PathBuf::from)
    };
    from_flag.or_else(from_variable)
}

fn flags(matches: &ArgMatches, flag: &Flag) -> Vec<Given> {
    let texts: Vec<String> = match flag.times {
        Times::Once | Times::Often => {
            let values = matches.get_many(flag.name).into_iter().flatten();
            values.cloned().collect()
        }
        Times::Secret => Vec::new(),
        Times::Switch if matches.get_flag(flag.name) => vec!["true".into()],
        Times::Switch => Vec::new(),
    };
    let source = format!("--{}", flag.name);
    texts
        .into_iter()
        .map(|text| Given {
            source: source.clone(),
            text,
        })
        .collect()
}

fn variables(
    flag: &Flag,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Vec<Given>, String> {
    let source = flag.variable();
    let Some(value) = variable(&source) else {
        return Ok(Vec::new());
    };
    let Ok(text) = value.into_string() else {
        return Err(format!("{source}: is not UTF-8"));
    };
    let texts: Vec<_> = match flag.times {
        Times::Once | Times::Switch => iter::once(text.trim()).collect(),
        Times::Often | Times::Secret => text.split(',').map(str::trim).collect(),
    };
    let texts = texts.into_iter().filter(|text| !text.is_empty());
    Ok(texts
        .map(|text| Given {
            source: source.clone(),
            text: text.into(),
        })
        .collect())
}
