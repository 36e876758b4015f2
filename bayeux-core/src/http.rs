//! What a Bayeux server decides about an HTTP request, without IO and without an HTTP library.

mod callback;
mod charset;
mod form;
mod origin;

pub use self::{
    callback::{Callback, CallbackForm, CallbackNameError},
    form::{BodyError, body_texts},
    origin::{Origin, OriginError, Origins, Scheme},
};
