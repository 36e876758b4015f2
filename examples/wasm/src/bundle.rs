//! One file out of all: what the browser runs, and leave to run just that.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::rules;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The name that cargo gives to the module.
const MODULE: &str = "bayeux_example_wasm";

/// Builds the page, and says where it is.
pub(crate) fn write() -> Result<PathBuf> {
    let target = target_directory()?;
    let glue = target.join("wasm-glue");
    bind(&compile(&target)?, &glue)?;

    let read = |file: &str| fs::read_to_string(Path::new(HERE).join(file));
    let (outline, style) = (read("page/index.html")?, read("page/style.css")?);
    let (script, stories) = (read("page/page.js")?, read("page/stories.js")?);
    let rules = rules::named_in(&stories, &read("../../docs/protocol.md")?)?;

    // First what is known, then those who use it.
    let module = BASE64_STANDARD.encode(fs::read(glue.join(format!("{MODULE}_bg.wasm")))?);
    let scripts = [
        fs::read_to_string(glue.join(format!("{MODULE}.js")))?,
        format!(
            "const MODULE = \"{module}\";\nconst RULES = {};\n",
            serde_json::to_string(&rules)?
        ),
        read("page/client.js")?,
        stories,
        script,
    ];
    let script = scripts.concat().replace("</script", "<\\/script");
    let page = outline
        .replace("{{policy}}", &policy(&style, &script))
        .replace("{{style}}", &style)
        .replace("{{script}}", &script);
    let directory = target.join("wasm-page");
    fs::create_dir_all(&directory)?;
    let file = directory.join("index.html");
    fs::write(&file, page)?;
    Ok(file)
}

/// Where cargo puts what it builds, which is where this program is.
fn target_directory() -> Result<PathBuf> {
    if let Some(directory) = env::var_os("CARGO_TARGET_DIR") {
        return Ok(directory.into());
    }
    Ok(Path::new(HERE).join("../../target").canonicalize()?)
}

/// The library as a module of WASM.
fn compile(target: &Path) -> Result<PathBuf> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .current_dir(HERE)
        .args(["build", "--lib", "--profile", "page"])
        .args(["--target", "wasm32-unknown-unknown", "--target-dir"])
        .arg(target)
        .status()?;
    if !built.success() {
        return Err("it does not compile: `rustup target add wasm32-unknown-unknown`?".into());
    }
    Ok(target.join(format!("wasm32-unknown-unknown/page/{MODULE}.wasm")))
}

/// The module as a browser loads it, and the functions by which scripts call it.
fn bind(module: &Path, glue: &Path) -> Result<()> {
    Bindgen::new()
        .input_path(module)
        .no_modules(true)?
        .omit_default_module_path(true)
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(glue)?;
    Ok(())
}

/// The page runs its own script and module, uses its own style, and talks to nobody.
fn policy(style: &str, script: &str) -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; script-src 'sha256-{}' 'wasm-unsafe-eval'; style-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(script),
        hash(style)
    )
}
