//! `t8gate policy`: what operators do with the sets of UEs that clients are granted.

mod build;
mod rows;
mod subscribers;

use std::process::ExitCode;

use clap::Subcommand;

#[derive(Subcommand)]
pub enum Command {
    /// Make one file of lists of UEs, for [policy] in the configuration: 0 when it is written, 1
    /// when something is wrong with the lists, and nothing is.
    Build(build::Options),
    /// Make the set of those who are subscribers, for privacy.known_subscribers_file: 0 when it is
    /// written, 1 when something is wrong with the list, and nothing is.
    Subscribers(subscribers::Options),
}

/// Runs one of them.
pub fn main(command: &Command) -> ExitCode {
    match command {
        Command::Build(options) => build::main(options),
        Command::Subscribers(options) => subscribers::main(options),
    }
}
