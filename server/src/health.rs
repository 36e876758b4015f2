//! Whether the server is alive, and whether it is ready for clients: for probes.

use http::StatusCode;
use serde_json::json;

use crate::measure::measures;
use crate::router::Router;
use crate::runtime::Runtime;

/// What keeps a server from being ready, in plain words; nothing if it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Readiness {
    reasons: Vec<String>,
}

impl Readiness {
    /// Asks all shards; none of them may be stuck, none without its store, and the server not stopping.
    pub(crate) async fn of(router: &Router, runtime: &Runtime) -> Self {
        let mut reasons = Vec::new();
        if router.is_draining() {
            reasons.push("the server is stopping".into());
        }
        for (shard, measure) in measures(router, Some(runtime)).await.iter().enumerate() {
            match measure {
                None => reasons.push(format!("shard {shard} does not answer")),
                Some(measure) if !measure.has_store => {
                    reasons.push(format!("shard {shard} cannot reach the store"));
                }
                Some(_) => {}
            }
        }
        Self { reasons }
    }

    /// The HTTP status: 200, or 503.
    pub(crate) const fn status(&self) -> StatusCode {
        if self.reasons.is_empty() {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        }
    }

    /// The body of the response: `{"ready":true}`, or why not.
    pub(crate) fn json(&self) -> String {
        if self.reasons.is_empty() {
            return json!({"ready": true}).to_string();
        }
        json!({"ready": false, "reasons": self.reasons}).to_string()
    }
}

/// The body that says that the process answers.
pub(crate) const LIVE: &str = r#"{"live":true}"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_ready_says_why() {
        let ready = Readiness {
            reasons: Vec::new(),
        };
        let not_ready = Readiness {
            reasons: vec!["shard 1 does not answer".into()],
        };

        assert_eq!(
            (ready.status().as_u16(), &*ready.json()),
            (200, r#"{"ready":true}"#)
        );
        assert_eq!(
            (not_ready.status().as_u16(), &*not_ready.json()),
            (
                503,
                r#"{"ready":false,"reasons":["shard 1 does not answer"]}"#
            )
        );
    }
}
