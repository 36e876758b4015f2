//! Names for what the driver, the engine and the application own.
//!
//! Whoever owns a thing names it: the driver its connections, the application its calls, the
//! engine its sessions and tickets. Session and browser identifiers are secrets: `Debug` shows
//! their first four characters only.

use alloc::string::String;
use core::fmt;
use core::num::{NonZeroU64, NonZeroU128};
use core::str;

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

macro_rules! numbered {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU64);

        impl $name {
            /// The name that has this number; the highest there is counts as the one before it.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                // One more, so that an `Option` of it is no larger.
                Self(NonZeroU64::MIN.saturating_add(number))
            }

            /// The number this name was made of.
            #[must_use]
            pub const fn number(self) -> u64 {
                self.0.get() - 1
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.number())
            }
        }
    )*};
}

numbered! {
    /// An exchange or a duplex, named by the driver; never used twice in the life of an engine. No peer may have a
    /// say in it, since names are not guarded against being chosen to collide.
    ConnectionId
    /// A request to the store, named by the engine.
    StoreTicket
    /// A question to a decider, named by the engine.
    DecisionTicket
    /// A call of the application, named by the application.
    CallTicket
    /// Messages that another engine forwarded, named by the store.
    ForwardTicket
}

/// The 32 bytes from which an engine draws all of its identifiers and keys.
///
/// Take them from the operating system's randomness, and use them once: two engines with one seed
/// give out the same session identifiers. For that reason it cannot be cloned.
pub struct Seed([u8; 32]);

impl Seed {
    /// A seed of these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}

/// The engine's source of identifiers: a cipher stream from the seed.
pub(crate) struct Entropy(ChaCha12Rng);

impl Entropy {
    pub(crate) fn new(seed: Seed) -> Self {
        Self(ChaCha12Rng::from_seed(seed.0))
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound`, for spreading over time (not for secrets); 0 if `bound` is 0.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.word().checked_rem(bound).unwrap_or(0)
    }

    fn wide(&mut self) -> u128 {
        (u128::from(self.word()) << 64) | u128::from(self.word())
    }
}

/// `LENGTH` digits of base 36, most significant first.
fn digits<const LENGTH: usize>(mut value: u128) -> [u8; LENGTH] {
    let mut text = [b'0'; LENGTH];
    for digit in text.iter_mut().rev() {
        // A remainder of a division by 36 fits.
        let rest = u8::try_from(value % 36).unwrap_or(0);
        *digit = if rest < 10 {
            b'0' + rest
        } else {
            b'a' + rest - 10
        };
        value /= 36;
    }
    text
}

/// The value of exactly `length` digits of base 36 in lower case.
fn value(text: &str, length: usize) -> Option<u128> {
    if text.len() != length {
        return None;
    }
    text.bytes().try_fold(0_u128, |sum, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return None,
        };
        sum.checked_mul(36)?.checked_add(u128::from(digit))
    })
}

/// A session's name on the wire, its `clientId`: 25 letters and digits that hold 128 random bits.
///
/// Knowing it is the right to act as that session (HS-3), so `Debug` shows four characters; ask
/// for the whole with [`Display`](fmt::Display) or [`SessionId::text`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(8))]
pub struct SessionId(u128);

impl SessionId {
    const LENGTH: usize = 25;

    /// The identifier that reads `text`; `None` for everything the engine would not give out.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        value(text, Self::LENGTH).map(Self)
    }

    /// What a client sees of it.
    #[must_use]
    pub fn text(self) -> String {
        let digits = digits::<{ Self::LENGTH }>(self.0);
        str::from_utf8(&digits).unwrap_or_default().into()
    }

    /// Which of `shards` engines of one process this session lives on.
    ///
    /// A pure function of the identifier: a driver finds the engine of a message without asking
    /// anybody. An engine mints identifiers until one falls on itself.
    #[must_use]
    pub fn shard(self, shards: u32) -> u32 {
        home(self.0, shards)
    }

    pub(crate) fn draw(entropy: &mut Entropy) -> Self {
        Self(entropy.wide())
    }
}

/// A browser's name, the value of its cookie: 24 letters and digits (BR-1, DE-5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(Rust, packed(8))]
pub struct BrowserId(NonZeroU128);

impl BrowserId {
    const LENGTH: usize = 24;

    /// The identifier that reads `text`, if it has exactly the shape of ours.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        value(text, Self::LENGTH).map(Self::of)
    }

    /// The one whose digits are `value`, of which there are far fewer than 128 bits hold: one more is kept,
    /// so that an `Option` of it is no larger.
    const fn of(value: u128) -> Self {
        Self(NonZeroU128::MIN.saturating_add(value))
    }

    const fn value(self) -> u128 {
        self.0.get() - 1
    }

    /// The cookie's value.
    #[must_use]
    pub fn text(self) -> String {
        let digits = digits::<{ Self::LENGTH }>(self.value());
        str::from_utf8(&digits).unwrap_or_default().into()
    }

    /// Which of `shards` engines handshakes with this cookie belong on, so that what is counted
    /// per browser is counted in one place.
    #[must_use]
    pub fn shard(self, shards: u32) -> u32 {
        home(self.value(), shards)
    }

    pub(crate) fn draw(entropy: &mut Entropy) -> Self {
        Self::of(entropy.wide() % 36_u128.pow(24))
    }
}

fn home(value: u128, shards: u32) -> u32 {
    let shard = value.checked_rem(u128::from(shards)).unwrap_or(0);
    u32::try_from(shard).unwrap_or(0)
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SessionId({}..)",
            self.text().get(..4).unwrap_or_default()
        )
    }
}

impl fmt::Debug for BrowserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "BrowserId({}..)",
            self.text().get(..4).unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    // Proves: HS-3
    #[test]
    fn a_session_id_is_25_letters_and_digits_and_reads_back() {
        let mut entropy = Entropy::new(Seed::new([7; 32]));
        for _ in 0..1_000 {
            let id = SessionId::draw(&mut entropy);
            let text = id.text();

            assert_eq!(text.len(), 25);
            assert!(
                text.bytes()
                    .all(|byte| byte.is_ascii_digit() || byte.is_ascii_lowercase())
            );
            assert_eq!(SessionId::parse(&text), Some(id));
            assert_eq!(format!("{id}").as_bytes(), text.as_bytes());
        }
    }

    #[test]
    fn identifiers_are_drawn_from_all_their_bits() {
        let mut entropy = Entropy::new(Seed::new([7; 32]));
        let drawn: [u128; 100] = core::array::from_fn(|_| entropy.wide());

        assert_eq!(drawn.iter().fold(0, |all, one| all | one), u128::MAX);
        assert_eq!(drawn.iter().fold(u128::MAX, |all, one| all & one), 0);
    }

    #[test]
    fn what_was_never_given_out_is_no_identifier() {
        for text in [
            "",
            "x",
            "A000000000000000000000000",
            "00000000000000000000000-0",
        ] {
            assert_eq!(SessionId::parse(text), None, "{text}");
        }
        assert_eq!(
            SessionId::parse(&"z".repeat(25)),
            None,
            "more than 128 bits"
        );
        assert!(BrowserId::parse(&"z".repeat(24)).is_some());
        assert_eq!(BrowserId::parse(&"z".repeat(23)), None);
    }

    #[test]
    fn debug_keeps_the_secret() {
        let id = SessionId(u128::MAX);

        assert_eq!(
            format!("{id:?}"),
            format!("SessionId({}..)", &id.text()[..4])
        );
    }
}
