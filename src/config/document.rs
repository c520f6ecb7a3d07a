//! What the program prints about itself, made from the definition of its flags.

use clap::CommandFactory;

use super::CommandLine;

/// Something to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Document {
    /// What makes this shell complete commands, flags and values.
    Completions(clap_complete::Shell),
    /// The manual page, in roff.
    Manual,
}

impl Document {
    /// Its text in UTF-8.
    pub fn bytes(self) -> Vec<u8> {
        let mut command = CommandLine::command();
        let mut bytes = Vec::new();
        match self {
            Self::Completions(shell) => {
                clap_complete::generate(shell, &mut command, "squab", &mut bytes);
            }
            // Writing into memory does not fail.
            Self::Manual => clap_mangen::Man::new(command).render(&mut bytes).unwrap_or_default(),
        }
        bytes
    }
}
