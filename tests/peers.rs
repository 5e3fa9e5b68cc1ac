//! The program behind `tests/peers/run`: it measures what it says it measures, in few rounds and without
//! Python. How fast anything is, is no matter of tests.

use crate::harness::Client;

#[test]
fn the_table_can_be_made() {
    let place = crate::harness::Place::new();
    let program = env!("CARGO_BIN_EXE_peers");
    let client =
        Client::new(program, &place.cache()).args(["--rounds", "1", "--without-python", "start", "cold"]);
    let output = client.spawn().wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    for row in &rows {
        assert_eq!(row.split('|').count(), 9, "seven columns: {row}");
        assert!(!row.contains('?') && !row.contains("NaN"), "a value that was not measured: {row}");
    }
    for what in
        ["whole program", "cold trivial kernel", "cold kernel with `<cmath>`", "own time for a source"]
    {
        assert!(rows.iter().any(|row| row.contains(what)), "no row `{what}`:\n{text}");
    }
}
