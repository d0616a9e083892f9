//! Database files for the tests of this process.

use reconnectd::store::testing::empty_database;
use std::{fs, path::Path};
use tokio::sync::OnceCell;

/// Makes a database with all tables at `path`. The migrations run once in a process.
pub(crate) async fn new_database_with_tables(path: &Path) {
    static TEMPLATE: OnceCell<Vec<u8>> = OnceCell::const_new();
    let template = TEMPLATE.get_or_init(async || empty_database().await.expect("the tables")).await;
    fs::write(path, template).expect("a copy");
}
