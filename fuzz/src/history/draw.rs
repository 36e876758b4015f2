//! Strategies for histories: mostly sensible, never only.

use proptest::prelude::*;
use proptest::sample::select;

use super::{
    Ack, Asked, CHANNELS, CLIENTS, History, IdKind, Odd, SOCKETS, Said, Setting, Step, Types, Way,
    What, Whose,
};

/// A history of up to this many steps.
pub fn history(steps: usize) -> impl Strategy<Value = History> {
    let steps = prop::collection::vec(step(), 0..=steps);
    (setting(), steps).prop_map(|(setting, steps)| History { setting, steps })
}

/// A setting, the usual one every second time.
pub fn setting() -> impl Strategy<Value = Setting> {
    prop_oneof![Just(Setting::Usual), select(&Setting::ALL[..])]
}

/// A step.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (who(), way(), said()).prop_map(|(who, way, said)| {
            let messages = vec![said];
            Step::Send { who, way, messages }
        }),
        4 => (who(), way(), prop::collection::vec(said(), 2..5))
            .prop_map(|(who, way, messages)| Step::Send { who, way, messages }),
        2 => (who(), 0..3_u8).prop_map(|(who, which)| Step::Cut { who, which }),
        1 => (who(), any::<bool>()).prop_map(|(who, works)| Step::Wire { who, works }),
        2 => (channel(), any::<bool>()).prop_map(|(channel, lazy)| Step::Publish { channel, lazy }),
        1 => (who(), channel(), any::<bool>())
            .prop_map(|(who, channel, lazy)| Step::Deliver { who, channel, lazy }),
        1 => who().prop_map(|who| Step::Disconnect { who }),
        4 => millis().prop_map(|millis| Step::Pass { millis }),
        1 => any::<bool>().prop_map(|works| Step::Store { works }),
    ]
}

fn who() -> impl Strategy<Value = u8> {
    0..CLIENTS
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![
        4 => Just(Way::Poll),
        1 => Just(Way::Callback),
        4 => (0..SOCKETS).prop_map(Way::Socket),
    ]
}

/// Channels, the first ones more often: there is more to tell of them.
fn channel() -> impl Strategy<Value = u8> {
    let last = u8::try_from(CHANNELS.len()).unwrap_or(u8::MAX) - 1;
    prop_oneof![4 => 0..8_u8, 2 => 0..=last]
}

/// Times around those at which something happens.
fn millis() -> impl Strategy<Value = u32> {
    prop_oneof![
        3 => 1..1_500_u32,
        3 => select(&[1_000, 4_999, 5_000, 9_999, 10_000, 29_999, 30_000][..]),
        1 => 1_500..60_000_u32,
    ]
}

fn said() -> impl Strategy<Value = Said> {
    let whose = prop_oneof![
        30 => Just(Whose::Own),
        1 => Just(Whose::Former),
        1 => who().prop_map(Whose::Of),
        1 => Just(Whose::Nobody),
        1 => Just(Whose::Missing),
    ];
    let kinds = [IdKind::Number, IdKind::Missing, IdKind::Null, IdKind::Wrong];
    let id = prop_oneof![14 => Just(IdKind::Text), 1 => select(kinds.to_vec())];
    (what(), whose, id).prop_map(|(what, whose, id)| Said { what, whose, id })
}

fn what() -> impl Strategy<Value = What> {
    let types = [
        Types::CrossOrigin,
        Types::Foreign,
        Types::Missing,
        Types::Denied,
    ];
    let types = prop_oneof![12 => Just(Types::Usual), 1 => select(types.to_vec())];
    let acks = [Ack::Missing, Ack::Less, Ack::Zero, Ack::Negative];
    let ack = prop_oneof![12 => Just(Ack::Honest), 1 => select(acks.to_vec())];
    let odd = [
        Odd::NoChannel,
        Odd::UnknownMeta,
        Odd::NoSubscription,
        Odd::NumberSubscription,
        Odd::MixedSubscription,
        Odd::NoUnsubscription,
    ];
    let names = || prop::collection::vec(channel(), 0..4);
    let one = || channel().prop_map(|channel| vec![channel]);
    prop_oneof![
        6 => (any::<bool>(), types).prop_map(|(ack, types)| What::Handshake { ack, types }),
        12 => (asked(), ack).prop_map(|(advice, ack)| What::Connect { advice, ack }),
        6 => prop_oneof![4 => one().boxed(), 1 => names().boxed()].prop_map(What::Subscribe),
        2 => prop_oneof![4 => one().boxed(), 1 => names().boxed()].prop_map(What::Unsubscribe),
        9 => channel().prop_map(What::Publish),
        1 => Just(What::Disconnect),
        1 => select(odd.to_vec()).prop_map(What::Odd),
    ]
}

fn asked() -> impl Strategy<Value = Asked> {
    prop_oneof![
        8 => Just(Asked::Nothing),
        3 => Just(Asked::Timeout(0)),
        1 => select(&[1, 3_000, 30_000, 400_000][..]).prop_map(Asked::Timeout),
        1 => select(&[0, 2_000, 100_000][..]).prop_map(Asked::Interval),
        1 => Just(Asked::Wrong),
    ]
}
