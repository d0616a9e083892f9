//! Importing members. The rows are stored beside the members first. After the whole file was read, they are applied in
//! short transactions, so that no other writer waits long. An interruption before that moment leaves nothing; after it,
//! the next import or the daemon applies the rest.

use super::Store;
use super::convert::{hex, json_list, millis};
use super::engine::{query, query_scalar};
use super::error::Result;
use super::import_steps as steps;
use super::locks::ExclusiveLock;
use super::sweeps::poll_key;
use crate::domain::{
    AuditAction, AuditEntry, Fingerprint, MemberEdit, MemberId, NewCredential, Sealed, Time,
};
use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

/// Rows in one transaction while a daemon runs.
const SHORT_STEP: u32 = 500;
/// Rows in one transaction while none runs.
const LONG_STEP: u32 = 2_000;
/// After this much time in transactions, an import beside a daemon pauses for [`PAUSE`]. A writer that has waited for less
/// than 100 ms asks for the lock every 25 ms, so the daemon gets its turn within that time.
const TURN: Duration = Duration::from_millis(40);
const PAUSE: Duration = Duration::from_millis(30);

/// A row of an import.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// The line in the file, from 1. Ascending.
    pub line: u64,
    pub edit: MemberEdit,
    /// `None` keeps the stored credential.
    pub credential: Option<NewCredential>,
}

#[derive(serde::Serialize)]
struct StagedRow<'a> {
    line: u64,
    id: &'a str,
    email: Option<&'a str>,
    /// In hexadecimal.
    address_hash: Option<String>,
    domain: Option<String>,
    locale: Option<String>,
    time_zone: Option<String>,
    subject: Option<String>,
    label: Option<String>,
    poll_key: i64,
    key_id: Option<&'a str>,
    /// In hexadecimal.
    sealed: Option<String>,
    imported_key: Option<&'a str>,
    /// In hexadecimal.
    imported_hash: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportCounts {
    /// Members enrolled or updated.
    pub members: u64,
    /// Refresh tokens that had been imported before. They changed nothing.
    pub known_tokens: u64,
}

/// An import under way. Dropped without [`Import::apply`], it changes no member.
pub struct Import {
    store: Store,
    _lock: ExclusiveLock,
    id: i64,
    counts: ImportCounts,
    staged: u64,
    /// The only member so far; `None` after a second one.
    only: Option<MemberId>,
    /// Rows in one transaction.
    step: u32,
    /// The time in transactions since the last pause.
    busy: Duration,
}

impl Store {
    /// Begins an import. First finishes or discards an interrupted one.
    ///
    /// # Errors
    /// [`super::StoreError::Importing`] if another import is under way.
    pub async fn import(&self, now: Time) -> Result<Import> {
        let lock = self.lock_imports().await?;
        steps::finish_interrupted(self, now).await?;
        let insert = query_scalar("INSERT INTO imports (started_at) VALUES ($1) RETURNING import_id");
        let insert = insert.bind(millis(now));
        let id = self.write(async |mut tx| insert.clone().fetch_one(&mut tx).await).await?;
        Ok(Import {
            store: self.clone(),
            _lock: lock,
            id,
            counts: ImportCounts::default(),
            staged: 0,
            only: None,
            step: if self.is_instance_running()? { SHORT_STEP } else { LONG_STEP },
            busy: Duration::ZERO,
        })
    }

    /// Imports rows that fit into memory.
    pub async fn import_all(&self, rows: &[ImportRow], now: Time) -> Result<ImportCounts> {
        let mut import = self.import(now).await?;
        import.stage(rows).await?;
        import.apply(now, |_| {}).await
    }

    /// Applies the rest of an interrupted import, or deletes the rows of one whose file was not read to its end. Does
    /// nothing while an import is under way. Returns the number of members enrolled or updated.
    pub(crate) async fn finish_interrupted_import(&self, now: Time) -> Result<u64> {
        let any: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM imports)").fetch_one(&self.reader).await?;
        if !any {
            return Ok(0);
        }
        match self.lock_imports().await {
            Ok(_lock) => steps::finish_interrupted(self, now).await,
            Err(super::StoreError::Importing { .. }) => Ok(0),
            Err(error) => Err(error),
        }
    }
}

impl Import {
    /// How many rows to stage at once.
    pub fn step(&self) -> usize {
        self.step as usize
    }

    /// Stores rows without a change to any member.
    pub async fn stage(&mut self, rows: &[ImportRow]) -> Result<()> {
        self.only =
            rows.first().filter(|_| self.staged == 0 && rows.len() == 1).map(|row| row.edit.id.clone());
        self.staged += rows.len() as u64;
        for rows in rows.chunks(self.step()) {
            let started = Instant::now();
            let imported_before = self.imported_before(rows).await?;
            let mut staged = Vec::with_capacity(rows.len());
            for row in rows {
                let mut credential = row.credential.as_ref();
                if let (Some(new), Some(known)) = (credential, imported_before.get(row.edit.id.as_str()))
                    && new.fingerprints.contains(known)
                {
                    // The gateway may have rotated it since, and the old one would lock its member out.
                    self.counts.known_tokens += 1;
                    credential = None;
                }
                staged.push(staged_row(row, credential));
            }
            let keys: BTreeSet<&str> = staged.iter().filter_map(|row| row.key_id).collect();
            let keys: Vec<_> = keys.into_iter().collect();
            let staged = json_list(&staged)?;
            self.store.write(async |mut tx| steps::stage(&mut tx, self.id, &staged, &keys).await).await?;
            self.pause_after(started.elapsed()).await;
        }
        Ok(())
    }

    /// The lines without an address whose member is not enrolled, in ascending order, at most `limit`.
    pub async fn lines_without_address(&self, limit: u32) -> Result<Vec<u64>> {
        let lines: Vec<i64> = query_scalar(
            "SELECT line FROM import_rows r WHERE import_id = $1 AND email IS NULL
               AND NOT EXISTS (SELECT 1 FROM members m WHERE m.member_id = r.member_id AND m.removed_at IS NULL)
             ORDER BY line LIMIT $2",
        )
        .bind(self.id)
        .bind(limit)
        .fetch_all(&self.store.reader)
        .await?;
        Ok(lines.into_iter().map(i64::unsigned_abs).collect())
    }

    /// Enrolls and updates the members. A removed member is enrolled again, with the defaults for the values that the
    /// row does not mention. A new credential replaces the old one and its failure. `progress` receives the number of
    /// rows applied so far.
    pub async fn apply(mut self, now: Time, mut progress: impl FnMut(u64)) -> Result<ImportCounts> {
        let entry = match &self.only {
            Some(member) => AuditEntry::new(AuditAction::MemberAdd).about(member),
            None => AuditEntry::new(AuditAction::MemberImport).affected(self.staged),
        };
        steps::mark_read(&self.store, self.id, entry, now).await?;
        loop {
            let started = Instant::now();
            let Some(applied) = steps::apply(&self.store, self.id, self.step, now).await? else { break };
            self.counts.members += applied;
            progress(self.counts.members);
            self.pause_after(started.elapsed()).await;
        }
        Ok(self.counts)
    }

    /// Deletes the staged rows.
    pub async fn discard(self) -> Result<()> {
        steps::discard(&self.store, self.id).await
    }

    async fn pause_after(&mut self, busy: Duration) {
        self.busy += busy;
        if self.step == SHORT_STEP && self.busy >= TURN {
            self.busy = Duration::ZERO;
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The fingerprints of the refresh tokens that these members' last imports brought.
    async fn imported_before(&self, rows: &[ImportRow]) -> Result<HashMap<String, Fingerprint>> {
        let with_token = rows.iter().filter(|row| row.credential.is_some()).map(|row| &row.edit.id);
        let ids = with_token.collect::<Vec<_>>();
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = query(
            "SELECT member_id, imported_key, imported_hash FROM credentials
             WHERE imported_hash IS NOT NULL AND member_id IN (SELECT value FROM json_each($1))",
        )
        .bind(json_list(&ids)?)
        .fetch_all(&self.store.reader)
        .await?;
        rows.iter()
            .map(|row| {
                let print =
                    Fingerprint { key_id: row.try_get("imported_key")?, hash: row.try_get("imported_hash")? };
                Ok((row.try_get("member_id")?, print))
            })
            .collect()
    }
}

fn staged_row<'a>(row: &'a ImportRow, credential: Option<&'a NewCredential>) -> StagedRow<'a> {
    let edit = &row.edit;
    let print = credential.and_then(|new| new.fingerprints.last());
    let sealed = credential.map(|new| &new.sealed);
    StagedRow {
        line: row.line,
        id: edit.id.as_str(),
        email: edit.email.as_ref().map(|email| email.expose()),
        address_hash: edit.email.as_ref().map(|email| hex(&email.address_hash().0)),
        domain: edit.email.as_ref().map(|email| email.ascii_domain()),
        locale: edit.locale.encode(Clone::clone),
        time_zone: edit.time_zone.encode(|zone| zone.name().to_owned()),
        subject: edit.subject.encode(Clone::clone),
        label: edit.label.encode(Clone::clone),
        poll_key: poll_key(edit.id.as_str()),
        key_id: sealed.map(|Sealed { key_id, .. }| key_id.as_str()),
        sealed: sealed.map(|Sealed { bytes, .. }| hex(bytes)),
        imported_key: print.map(|print| print.key_id.as_str()),
        imported_hash: print.map(|print| hex(&print.hash)),
    }
}
