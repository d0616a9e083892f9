//! Makes a database fail at a chosen write, by triggers on all tables. Only for tests.

use super::Result;
use super::testing::TestDatabase;

/// What fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailingWrite {
    /// The statement that writes the row.
    Statement,
    /// The commit of the transaction that writes the row.
    Commit,
}

/// While `_failing` has its row, each row that is written counts. From number `first_failing` on, statements or commits
/// fail. What a failure undoes does not count, so a repetition fails, too.
const TABLES: &str = "
    CREATE TABLE _failing (written BIGINT NOT NULL, first_failing BIGINT NOT NULL, what TEXT NOT NULL);
    CREATE TABLE _nothing (id BIGINT PRIMARY KEY);
    CREATE TABLE _doomed (id BIGINT NOT NULL REFERENCES _nothing (id) DEFERRABLE INITIALLY DEFERRED)";

const ON_SQLITE: &str = "BEGIN
    UPDATE _failing SET written = written + 1;
    SELECT RAISE(ABORT, 'a write that fails') FROM _failing WHERE what = 'statement' AND written >= first_failing;
    INSERT INTO _doomed SELECT 1 FROM _failing WHERE what = 'commit' AND written >= first_failing;
    END";

const ON_POSTGRES: &str = "
    CREATE FUNCTION count_write() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE failing TEXT;
    BEGIN
        UPDATE _failing SET written = written + 1
            RETURNING CASE WHEN written >= first_failing THEN what END INTO failing;
        IF failing = 'statement' THEN RAISE EXCEPTION 'a write that fails'; END IF;
        IF failing = 'commit' THEN INSERT INTO _doomed VALUES (1); END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END $$";

impl TestDatabase {
    /// Prepares [`TestDatabase::fail_writes`].
    pub async fn watch_writes(&mut self) -> Result<()> {
        let tables = self.tables().await?;
        self.run(TABLES).await?;
        let action = match self {
            Self::Sqlite(_) => ON_SQLITE,
            Self::Postgres(_) => {
                self.run(ON_POSTGRES).await?;
                "FOR EACH ROW EXECUTE FUNCTION count_write()"
            }
        };
        for table in tables {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                let trigger =
                    format!("CREATE TRIGGER watch_{table}_{event} BEFORE {event} ON {table} {action}");
                self.run(&trigger).await?;
            }
        }
        Ok(())
    }

    /// Lets the n-th row that is written from now on fail, and all after it. Counts from 1.
    pub async fn fail_writes(&mut self, what: FailingWrite, from: usize) -> Result<()> {
        let what = match what {
            FailingWrite::Statement => "statement",
            FailingWrite::Commit => "commit",
        };
        self.run(&format!("DELETE FROM _failing; INSERT INTO _failing VALUES (0, {from}, '{what}')")).await
    }

    /// Ends the failures. Returns how many rows were written since [`TestDatabase::fail_writes`].
    pub async fn end_failing_writes(&mut self) -> Result<usize> {
        let written = self.numbers("_failing", "written").await?;
        self.run("DELETE FROM _failing").await?;
        Ok(written.first().map_or(0, |written| usize::try_from(*written).unwrap_or_default()))
    }
}
