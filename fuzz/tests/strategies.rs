//! The strategies make what they say, also of given bytes.

use bayeux_core::{ChannelName, ChannelPattern, DecodeLimits, Messages};
use bayeux_fuzz::history::{self, History};
use bayeux_fuzz::{channel, frame};
use proptest::prelude::*;

proptest! {
    #[test]
    fn valid_names_and_patterns_are_taken(name in channel::name(), pattern in channel::pattern()) {
        if name.len() <= 1_024 {
            prop_assert!(name.parse::<ChannelName>().is_ok(), "{name}");
        }
        if pattern.len() <= 1_024 {
            prop_assert!(pattern.parse::<ChannelPattern>().is_ok(), "{pattern}");
        }
    }

    #[test]
    fn valid_frames_are_taken(frame in frame::valid()) {
        prop_assert!(Messages::decode(frame, &DecodeLimits::default()).is_ok());
    }

    #[test]
    fn a_history_is_the_same_as_text(history in history::history(20)) {
        let text = history.to_string();
        prop_assert_eq!(text.parse::<History>().unwrap(), history, "{}", text);
    }

    #[test]
    fn any_bytes_make_a_history(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let history = history::of_bytes(&bytes);
        prop_assert!(history.steps.len() <= bytes.len());
        prop_assert_eq!(history.to_string().parse::<History>().unwrap(), history);
    }
}
