//! Every row of the fault matrix that is about the custom-ID workflow has a test, or a reason why it has none.

use dn_tests::{faults, root};

#[test]
fn every_fault_has_a_test_or_a_reason() {
    for fault in faults::faults(root()).unwrap() {
        if fault.concerns_the_workflow() {
            assert_ne!(
                fault.tests.is_empty(),
                fault.not_tested.is_empty(),
                "{}: a test whose name begins with its id, or a reason in tests/faults.csv, and not both",
                fault.id
            );
        }
    }
}

#[test]
fn the_table_in_the_documents_is_made_from_the_tests() {
    let (text, fresh) = faults::document(root()).unwrap();
    assert!(text == fresh, "run `cargo run -p dn-tests --bin fault-table -- --write`");
}
