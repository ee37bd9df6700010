//! One command on the way back.

use crate::{
    command::{Command, Sequence},
    domain::Refusal,
};

/// Runs a command, if there is one.
pub(super) fn run(
    sequence: &mut Sequence<'_>,
    command: Option<Box<dyn Command>>,
) -> Result<(), Refusal> {
    command.map_or(Ok(()), |command| sequence.run(command.as_ref()))
}
