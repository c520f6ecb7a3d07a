//! Sets of ways to meet a policy, of which there are never more than a policy may be complex.

use std::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Sub, SubAssign};

use crate::domain::limits::FILTER_POLICY_COMPLEXITY;

const WORDS: usize = FILTER_POLICY_COMPLEXITY.div_ceil(64);

/// A set of the ways to meet a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ways([u64; WORDS]);

impl Ways {
    pub const NONE: Self = Self([0; WORDS]);
    pub const ALL: Self = Self([u64::MAX; WORDS]);

    /// The way of this number alone.
    pub fn only(number: usize) -> Self {
        let mut ways = Self::NONE;
        if let Some(word) = ways.0.get_mut(number / 64) {
            *word = 1 << (number % 64);
        }
        ways
    }

    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }
}

impl BitAnd for Ways {
    type Output = Self;

    fn bitand(mut self, other: Self) -> Self {
        self &= other;
        self
    }
}

impl BitAndAssign for Ways {
    fn bitand_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours &= theirs);
    }
}

impl BitOr for Ways {
    type Output = Self;

    fn bitor(mut self, other: Self) -> Self {
        self |= other;
        self
    }
}

impl BitOrAssign for Ways {
    fn bitor_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours |= theirs);
    }
}

impl Sub for Ways {
    type Output = Self;

    fn sub(mut self, other: Self) -> Self {
        self -= other;
        self
    }
}

impl SubAssign for Ways {
    fn sub_assign(&mut self, other: Self) {
        self.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours &= !theirs);
    }
}
