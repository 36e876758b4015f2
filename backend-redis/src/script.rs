//! The scripts: what has to be done in one step is done in Redis.
//!
//! Each is loaded with every new connection and called by the name that Redis gives it.

use redis::Cmd;

macro_rules! scripts {
    ($($name:ident $file:literal)*) => {
        /// A script.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Script {
            $($name),*
        }

        impl Script {
            /// All there are, in order.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];

            const fn text(self) -> &'static str {
                match self {
                    $(Self::$name => include_str!(concat!("lua/", $file, ".lua"))),*
                }
            }
        }
    };
}

scripts! {
    Join "join"
    Renew "renew"
    Verify "verify"
    Open "open"
    Claim "claim"
    Bind "bind"
    Subscribe "subscribe"
    Unsubscribe "unsubscribe"
    Release "release"
    Disown "disown"
    Finish "finish"
    Append "append"
    Read "read"
    Forward "forward"
    Settle "settle"
}

impl Script {
    /// The command that loads it; its reply is the name to call it by.
    pub(crate) fn load(self) -> Cmd {
        let mut command = redis::cmd("SCRIPT");
        command.arg("LOAD").arg(self.text());
        command
    }
}

/// The names that Redis has given the scripts.
#[derive(Debug, Default)]
pub(crate) struct Names(Vec<String>);

impl Names {
    /// In the order of [`Script::ALL`].
    pub(crate) const fn new(names: Vec<String>) -> Self {
        Self(names)
    }

    /// A call of `script` with these keys; its arguments are added to it.
    pub(crate) fn call(&self, script: Script, keys: &[&str]) -> Cmd {
        let name = self.0.get(script as usize).map_or("", |name| name);
        let mut command = redis::cmd("EVALSHA");
        command.arg(name).arg(keys.len()).arg(keys);
        command
    }
}
