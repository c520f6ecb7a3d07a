//! Fair shares of the slots for deliveries: how many subscriptions of an account, and of one
//! destination, are served at a time.
//!
//! An eighth of the slots is reserved for accounts that hold none. Of the others, an account gets another
//! slot while it holds fewer than are free, and a destination of the account while it holds fewer than
//! the account can still get. So one account alone gets less than half of the slots, and an account that
//! holds none finds one free, however many endpoints of other accounts hang. Within these shares,
//! accounts take turns, and so do the destinations of an account.
//!
//! AWS documents no rule for this.

use std::collections::BTreeMap;

/// The slots and their holders.
#[derive(Debug, Clone)]
pub struct Shares {
    free: usize,
    /// Free slots reserved for accounts that hold none.
    reserved: usize,
    by_account: BTreeMap<String, Held>,
    turn: String,
}

#[derive(Debug, Clone, Default)]
struct Held {
    slots: usize,
    by_destination: BTreeMap<String, usize>,
    turn: String,
}

impl Shares {
    /// Returns shares with this number of free slots.
    pub fn new(slots: usize) -> Self {
        Self { free: slots, reserved: slots / 8, by_account: BTreeMap::new(), turn: String::new() }
    }

    /// Returns how many slots are free.
    pub fn free(&self) -> usize {
        self.free
    }

    /// Returns whether an account may get another slot.
    pub fn admit_account(&self, account: &str) -> bool {
        self.left_for(account) > 0
    }

    /// Returns whether an account may get another slot for this destination.
    pub fn admit(&self, account: &str, destination: &str) -> bool {
        let held = self.by_account.get(account);
        let held = held.and_then(|held| held.by_destination.get(destination)).copied();
        held.unwrap_or(0) < self.left_for(account)
    }

    fn left_for(&self, account: &str) -> usize {
        match self.by_account.get(account) {
            None => self.free,
            Some(held) => self.free.saturating_sub(self.reserved + held.slots),
        }
    }

    /// Returns the account that was served last; the accounts after it come first.
    pub fn turn(&self) -> &str {
        &self.turn
    }

    /// Returns the destination of an account that was served last.
    pub fn turn_of(&self, account: &str) -> &str {
        self.by_account.get(account).map_or("", |held| &held.turn)
    }

    /// Assigns a slot.
    pub fn take(&mut self, account: &str, destination: &str) {
        self.free = self.free.saturating_sub(1);
        account.clone_into(&mut self.turn);
        let held = self.by_account.entry(account.to_owned()).or_default();
        held.slots += 1;
        destination.clone_into(&mut held.turn);
        *held.by_destination.entry(destination.to_owned()).or_default() += 1;
    }

    /// Releases a slot.
    pub fn give_back(&mut self, account: &str, destination: &str) {
        let Some(held) = self.by_account.get_mut(account) else { return };
        let Some(slots) = held.by_destination.get_mut(destination) else { return };
        *slots -= 1;
        held.slots -= 1;
        if *slots == 0 {
            held.by_destination.remove(destination);
        }
        if held.slots == 0 {
            self.by_account.remove(account);
        }
        self.free += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Assigns as many slots as this account gets for an endless number of destinations.
    fn fill(shares: &mut Shares, account: &str) -> usize {
        let before = shares.free();
        for destination in (0..).map(|n| n.to_string()) {
            if !shares.admit(account, &destination) {
                return before - shares.free();
            }
            shares.take(account, &destination);
        }
        0
    }

    #[test]
    fn slots_remain_for_an_account_that_has_none() {
        let mut shares = Shares::new(512);
        assert_eq!(fill(&mut shares, "a"), 224);
        for account in (0..60).map(|n| n.to_string()) {
            assert!(fill(&mut shares, &account) > 0, "{account}");
        }
        assert!(shares.free() > 0);
    }

    #[test]
    fn a_destination_leaves_slots_to_others_of_its_account() {
        let mut shares = Shares::new(512);
        while shares.admit("a", "hangs") {
            shares.take("a", "hangs");
        }
        assert_eq!(512 - shares.free(), 150);
        assert!(shares.admit("a", "other"));
    }

    proptest! {
        #[test]
        fn what_is_given_back_is_free(steps: Vec<(bool, u8, u8)>) {
            let mut shares = Shares::new(64);
            let mut held = Vec::new();
            for (takes, account, destination) in steps {
                let (account, destination) = ((account % 4).to_string(), (destination % 4).to_string());
                if takes && shares.admit(&account, &destination) {
                    shares.take(&account, &destination);
                    held.push((account, destination));
                } else if !takes && let Some((account, destination)) = held.pop() {
                    shares.give_back(&account, &destination);
                }
                prop_assert_eq!(shares.free(), 64 - held.len());
                prop_assert_eq!(shares.admit("new", "new"), shares.free() > 0);
            }
        }
    }
}
