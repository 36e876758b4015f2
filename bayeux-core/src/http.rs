//! What a Bayeux server decides about an HTTP request, without IO and without an HTTP library.

mod callback;

pub use self::callback::{Callback, CallbackForm, CallbackNameError};
