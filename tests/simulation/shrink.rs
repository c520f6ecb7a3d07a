//! Shortens a failing history: leaves out parts of it, large ones first, as long as the rest still
//! fails.

use super::Failure;
use super::actions::Action;

/// A part of the actions that still fails, from which no single one can be left out, unless that
/// took more than so many repeats. Which complaint it is may change on the way.
pub fn shrink(
    mut actions: Vec<Action>,
    mut failure: Failure,
    mut repeats: u64,
    run: impl Fn(&[Action]) -> Result<(), Failure>,
) -> (Vec<Action>, Failure) {
    let mut size = actions.len().div_ceil(2);
    while size > 0 {
        let mut at = 0;
        let mut is_shorter = false;
        while at < actions.len() {
            if repeats == 0 {
                return (actions, failure);
            }
            repeats -= 1;
            let end = (at + size).min(actions.len());
            let rest = [&actions[..at], &actions[end..]].concat();
            match run(&rest) {
                Ok(()) => at = end,
                Err(found) => {
                    // What comes after the complaint is not needed for it.
                    actions = rest;
                    actions.truncate(found.after);
                    failure = found;
                    is_shorter = true;
                }
            }
        }
        if size > 1 || !is_shorter {
            size /= 2;
        }
    }
    (actions, failure)
}
