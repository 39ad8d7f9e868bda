//! `dn-sandbox`.
fn main() {}
