//! The binary.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    bayeux_server_smol::main("bayeux-server-smol")
}
