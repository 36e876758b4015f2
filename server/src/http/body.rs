//! The body of a request, read whole: up to a size and a time.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use http_body::Body;

use crate::runtime::Runtime;
use crate::site::Site;

/// Why there is no body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyFailure {
    /// It is larger than may be.
    TooLarge,
    /// It took too long.
    TooSlow,
    /// The peer broke off, or it is not framed as it said.
    Broken,
}

/// Reads `body`. One that says that it is too large is refused before it is read.
pub(crate) async fn read<B>(body: B, site: &Site, runtime: &Runtime) -> Result<Bytes, BodyFailure>
where
    B: Body + Unpin,
{
    let limit = site.decode.max_size;
    let announced = body.size_hint().lower();
    if usize::try_from(announced).map_or(true, |announced| announced > limit) {
        return Err(BodyFailure::TooLarge);
    }
    let reading = Reading {
        body,
        limit,
        first: Bytes::new(),
        rest: BytesMut::new(),
    };
    let read = runtime.within(site.deadlines.body, reading).await;
    read.unwrap_or(Err(BodyFailure::TooSlow))
}

/// Up to this size a body is copied out of the buffer that it came in. That is 8 KiB or more and would
/// be kept by the smallest part of it, in the log say; and hyper would need another in the meantime.
const COPIED: usize = 4 << 10;

/// A large body that comes in one piece is passed on as that piece.
struct Reading<B> {
    body: B,
    limit: usize,
    first: Bytes,
    rest: BytesMut,
}

impl<B> Reading<B> {
    fn take(&mut self, piece: Bytes) -> Result<(), BodyFailure> {
        if self.first.len() + self.rest.len() + piece.len() > self.limit {
            return Err(BodyFailure::TooLarge);
        }
        if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest.extend_from_slice(&piece);
        }
        Ok(())
    }

    fn whole(&mut self) -> Bytes {
        let first = std::mem::take(&mut self.first);
        if self.rest.is_empty() {
            return if first.len() <= COPIED {
                Bytes::copy_from_slice(&first)
            } else {
                first
            };
        }
        let mut whole = BytesMut::with_capacity(first.len() + self.rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&self.rest);
        whole.freeze()
    }
}

impl<B: Body + Unpin> Future for Reading<B> {
    type Output = Result<Bytes, BodyFailure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                None => return Poll::Ready(Ok(self.whole())),
                Some(Err(_)) => return Poll::Ready(Err(BodyFailure::Broken)),
                Some(Ok(frame)) => {
                    let Ok(mut piece) = frame.into_data() else {
                        continue;
                    };
                    let piece = piece.copy_to_bytes(piece.remaining());
                    self.take(piece)?;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(piece: &Bytes) -> Bytes {
        let mut reading = Reading {
            body: (),
            limit: piece.len(),
            first: Bytes::new(),
            rest: BytesMut::new(),
        };
        assert_eq!(reading.take(piece.clone()), Ok(()));
        reading.whole()
    }

    #[test]
    fn a_small_body_does_not_keep_the_buffer_that_it_came_in() {
        let small = Bytes::from(vec![b' '; COPIED]);
        let large = Bytes::from(vec![b' '; COPIED + 1]);

        assert_eq!(whole(&small), small);
        assert_ne!(whole(&small).as_ptr(), small.as_ptr());
        assert_eq!(whole(&large).as_ptr(), large.as_ptr());
    }
}
