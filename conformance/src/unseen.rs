//! The rules that have no check, each with the reason. A rule of the digest has a check or stands here.

/// Rules that cannot be seen over a connection, or not without more help than a check can ask for.
#[derive(Clone, Copy, Debug)]
pub struct Unseen {
    /// The ids.
    pub rules: &'static [&'static str],
    /// Why there is no check.
    pub why: &'static str,
}

/// All of them, by reason.
pub const fn unseen() -> &'static [Unseen] {
    UNSEEN
}

static UNSEEN: &[Unseen] = &[
    Unseen {
        rules: &[
            "AD-9", "BR-5", "ER-3", "EX-5", "EX-8", "LP-3", "MO-3", "MO-4", "PB-10", "RC-7", "XO-6",
        ],
        why: "says what clients do, or what something is not: no act of the server of its own",
    },
    Unseen {
        rules: &[
            "AD-8", "CN-16", "EX-2", "EX-3", "HS-15", "PL-2", "QU-8", "TM-1", "TM-7", "WS-14",
            "XO-5",
        ],
        why: "follows from an option of the server, and no client can tell how that is set",
    },
    Unseen {
        rules: &[
            "AK-9", "HS-8", "HS-18", "PB-9", "PL-1", "PL-4", "PL-5", "PL-6", "PL-8", "QU-3",
            "RC-6", "TM-9",
        ],
        why: "needs a policy, an extension or other code within the server",
    },
    Unseen {
        rules: &["AK-8", "CN-15", "DC-3", "TM-4"],
        why: "depends on what has left the server at one moment, which no client can arrange",
    },
    Unseen {
        rules: &["ER-7", "TM-11"],
        why: "needs a server that loses its store, or stops",
    },
    Unseen {
        rules: &["AK-12", "HS-17", "QU-5"],
        why: "is a bound of the server's own choice, and reaching it is a burden on others",
    },
    Unseen {
        rules: &["DE-23"],
        why: "is the help that checks ask for (--helpers)",
    },
    Unseen {
        rules: &["CH-8"],
        why: "nothing can be published to a name that ends in a wildcard (PB-5)",
    },
    Unseen {
        rules: &[
            "ES-1", "ES-2", "HT-12", "SF-1", "SF-2", "SF-3", "SF-4", "SF-5", "SF-6", "SF-7",
            "SF-8", "SF-9", "WS-15",
        ],
        why: "is optional: EventSource, replay, HTTP/2 and compression are not spoken by this suite",
    },
];
