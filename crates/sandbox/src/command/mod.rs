//! What the program `dn-sandbox` does.
