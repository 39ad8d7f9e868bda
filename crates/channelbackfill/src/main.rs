//! (begun)
fn main() {}
