//! Puts the page together: `cargo run -p bayeux-example-wasm` writes `target/wasm-page/index.html`.
//!
//! The library is compiled for the browser, wasm-bindgen makes its glue, and module, glue, script, style and the rules
//! of the protocol that the script names go into one file. It needs no server and loads nothing: open it.

#[cfg(not(target_arch = "wasm32"))]
mod bundle;
#[cfg(not(target_arch = "wasm32"))]
mod rules;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let page = bundle::write()?;
    println!("{}", page.display());
    Ok(())
}

/// There is nothing to be done in a browser.
#[cfg(target_arch = "wasm32")]
fn main() {}
