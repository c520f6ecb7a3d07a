//! The `squab` program: arguments and start-up.

fn main() {}
