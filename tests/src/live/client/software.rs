//! The clients in use that tests steer, and the transports they can be held to.

/// Which client, where it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// npm `faye` on Node.js.
    Faye,
    /// Its browser build, on a page of the server's origin.
    FayeOnPage,
    /// The same on a page of another site.
    FayeOnForeignPage,
    /// Debian's `ruby-faye`.
    FayeOnRuby,
    /// npm `cometd` through `cometd-nodejs-client`.
    CometD,
    /// The same with its acknowledge extension.
    CometDWithAck,
    /// npm `cometd` on a page of the server's origin.
    CometDOnPage,
    /// The same with its acknowledge extension.
    CometDOnPageWithAck,
    /// npm `cometd` on a page of another site.
    CometDOnForeignPage,
    /// CometD's Java client; it long-polls over HTTP/1.1.
    CometDOnJava,
    /// The same with its acknowledge extension.
    CometDOnJavaWithAck,
    /// CometD's Java client; it long-polls over HTTP/2 without TLS.
    CometDOnJavaOverHttp2,
    /// The same with its acknowledge extension.
    CometDOnJavaOverHttp2WithAck,
    /// PyPI `aiocometd`, as in programs that listen to Salesforce's streams.
    AioCometD,
}

/// What runs a library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    /// A process of its own, of this program with that script.
    Process(&'static str, &'static str),
    /// The process that runs all Java clients.
    Java,
    /// That page in the browser.
    Page(&'static str),
}

impl Software {
    /// Whether it has the acknowledge extension.
    #[must_use]
    pub fn acknowledges(self) -> bool {
        matches!(
            self,
            Self::CometDWithAck
                | Self::CometDOnPageWithAck
                | Self::CometDOnJavaWithAck
                | Self::CometDOnJavaOverHttp2WithAck
        )
    }

    /// Whether its page comes from another origin than the server's.
    #[must_use]
    pub fn is_foreign(self) -> bool {
        matches!(self, Self::FayeOnForeignPage | Self::CometDOnForeignPage)
    }

    /// Whether it polls by two connections, one of which waits, and opens no other.
    #[must_use]
    pub fn polls_by_two_connections(self) -> bool {
        !self.speaks_http_2() && !matches!(self.runtime(), Runtime::Page(_))
    }

    /// Whether it speaks HTTP/2; all others speak HTTP/1.1.
    pub(super) fn speaks_http_2(self) -> bool {
        matches!(
            self,
            Self::CometDOnJavaOverHttp2 | Self::CometDOnJavaOverHttp2WithAck
        )
    }

    pub(super) fn runtime(self) -> Runtime {
        match self {
            Self::Faye => Runtime::Process("node", "faye.mjs"),
            Self::FayeOnRuby => Runtime::Process("ruby", "faye.rb"),
            Self::AioCometD => Runtime::Process(".venv/bin/python", "aio.py"),
            Self::CometD | Self::CometDWithAck => Runtime::Process("node", "cometd.mjs"),
            Self::FayeOnPage | Self::FayeOnForeignPage => Runtime::Page("faye.html"),
            Self::CometDOnPage | Self::CometDOnPageWithAck | Self::CometDOnForeignPage => {
                Runtime::Page("cometd.html")
            }
            Self::CometDOnJava
            | Self::CometDOnJavaWithAck
            | Self::CometDOnJavaOverHttp2
            | Self::CometDOnJavaOverHttp2WithAck => Runtime::Java,
        }
    }
}

/// The only transport that the client may use; Faye handshakes by another in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// `websocket`
    WebSocket,
    /// `long-polling`
    LongPolling,
    /// `callback-polling`
    CallbackPolling,
}

impl Transport {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::LongPolling => "long-polling",
            Self::CallbackPolling => "callback-polling",
        }
    }

    /// Whether a connect that names this type goes over it; Faye has a name of its own across origins.
    pub(super) fn is_named(self, name: &str) -> bool {
        name.strip_prefix("cross-origin-").unwrap_or(name) == self.name()
    }
}
