//! Frames as websocket texts, checked once for all sockets that get them.

use async_tungstenite::tungstenite::Utf8Bytes;
use bytes::Bytes;

/// The last frame that was made a text.
///
/// An event for a thousand sockets comes as a thousand batches that share one buffer: only the
/// first is looked at.
#[derive(Default)]
pub(crate) struct Frames {
    last: Option<(Bytes, Utf8Bytes)>,
}

impl Frames {
    /// `frame` as a text; `None` if it is not UTF-8, which the engine never makes.
    pub(crate) fn text(&mut self, frame: &Bytes) -> Option<Utf8Bytes> {
        if let Some((bytes, text)) = &self.last
            && std::ptr::eq(bytes.as_ptr(), frame.as_ptr())
            && bytes.len() == frame.len()
        {
            return Some(text.clone());
        }
        let text = Utf8Bytes::try_from(frame.clone()).ok()?;
        self.last = Some((frame.clone(), text.clone()));
        Some(text)
    }

    /// Lets go of the last frame.
    pub(crate) fn clear(&mut self) {
        self.last = None;
    }
}
