//! `database.url`: a file of SQLite, or a database of a PostgreSQL server.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use url::Url;

const DEFAULT_CONNECTIONS: u32 = 16;
const DEFAULT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// `sqlite://PATH`. A relative path starts at the working directory.
    Sqlite(PathBuf),
    Postgres(PostgresUrl),
}

/// `postgres://USER@HOST:PORT/NAME`, which may contain a password.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    url: Url,
    max_connections: u32,
    statement_timeout: Duration,
}

impl DatabaseUrl {
    /// With limits that a database file does not have.
    #[must_use]
    pub fn with_limits(self, max_connections: u32, statement_timeout: Duration) -> Self {
        match self {
            Self::Sqlite(_) => self,
            Self::Postgres(url) => Self::Postgres(PostgresUrl { max_connections, statement_timeout, ..url }),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_postgres(text) {
            return text.parse().map(Self::Postgres);
        }
        let error = match text.strip_prefix("sqlite://") {
            None | Some("") => {
                "must be \"sqlite://PATH\", such as \"sqlite:///var/lib/reconnectd/reconnectd.db\", or \
                 \"postgres://USER@HOST/NAME\""
            }
            Some(":memory:") => {
                "loses everything when the process ends; name a file, such as \"sqlite:///var/lib/reconnectd/reconnectd.db\""
            }
            Some(path) if path.contains('?') => {
                "takes no parameters; remove the part from the question mark on"
            }
            Some(path) => return Ok(Self::Sqlite(path.into())),
        };
        Err(error.to_owned())
    }
}

fn is_postgres(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

/// The parameters of the URL, as libpq names them. `host` is the folder of a Unix socket.
const PARAMETERS: [&str; 6] = ["sslmode", "sslrootcert", "sslcert", "sslkey", "host", "port"];
const SSL_MODES: [&str; 5] = ["disable", "prefer", "require", "verify-ca", "verify-full"];

impl PostgresUrl {
    /// With the password.
    pub(crate) fn expose(&self) -> &Url {
        &self.url
    }

    /// For a shell, between single quotes.
    pub(crate) fn without_password(&self) -> String {
        let mut url = self.url.clone();
        // Fails only for a URL that can have none.
        let _ = url.set_password(None);
        url.as_str().replace('\'', "%27")
    }

    pub(crate) fn max_connections(&self) -> u32 {
        self.max_connections
    }

    /// After this time the server ends a statement.
    pub(crate) fn statement_timeout(&self) -> Duration {
        self.statement_timeout
    }
}

impl FromStr for PostgresUrl {
    type Err = String;

    /// No error contains any of the text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Ok(url) = Url::parse(text) else {
            return Err("cannot be read; write \"postgres://USER:PASSWORD@HOST:PORT/NAME\", with special characters of the \
                        password percent-encoded, such as %40 for @"
                .to_owned());
        };
        if url.path().trim_matches('/').is_empty() {
            return Err("names no database; write \"postgres://USER@HOST:PORT/NAME\"".to_owned());
        }
        if url.fragment().is_some() {
            return Err("must not contain #; write %23 for # in the password".to_owned());
        }
        for (name, value) in url.query_pairs() {
            if !PARAMETERS.contains(&&*name) {
                return Err(format!("takes no other parameters than {}", PARAMETERS.join(", ")));
            }
            if name == "sslmode" && !SSL_MODES.contains(&&*value) {
                return Err(format!("sslmode must be one of {}", SSL_MODES.join(", ")));
            }
        }
        Ok(Self { url, max_connections: DEFAULT_CONNECTIONS, statement_timeout: DEFAULT_STATEMENT_TIMEOUT })
    }
}

/// Without the password and the parameters.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if !self.url.username().is_empty() {
            write!(f, "{}@", self.url.username())?;
        }
        f.write_str(self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.url.path())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

/// The text with `mask` in place of the password of a PostgreSQL URL. A PostgreSQL URL that cannot be read is masked whole.
pub(super) fn masked(text: &str, mask: &str) -> String {
    if !is_postgres(text) {
        return text.to_owned();
    }
    let Ok(mut url) = Url::parse(text) else { return mask.to_owned() };
    // A # in the password ends the URL.
    if url.fragment().is_some() {
        return mask.to_owned();
    }
    match url.password() {
        None => text.to_owned(),
        Some(_) => url.set_password(Some(mask)).map_or_else(|()| mask.to_owned(), |()| url.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<DatabaseUrl, String> {
        text.parse()
    }

    #[test]
    fn a_postgres_url_is_shown_without_its_password_and_parameters() {
        for (text, shown) in [
            (
                "postgres://u:hush@db.example:5433/name?sslmode=verify-full",
                "postgres://u@db.example:5433/name",
            ),
            ("postgresql://db.example/name", "postgres://db.example/name"),
            ("postgres:///name?host=/run/postgresql", "postgres:///name"),
        ] {
            let Ok(DatabaseUrl::Postgres(url)) = parsed(text) else { panic!("{text}") };
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("PostgresUrl({shown})"));
        }
    }

    #[test]
    fn an_unusable_postgres_url_is_an_error_without_the_password() {
        for text in [
            "postgres://u:hush@db.example",
            "postgres://u:hush@db.example/",
            "postgres://u:hush@db.example:port/name",
            "postgres://u:hu#sh@db.example/name",
            "postgres://u:hush@db.example/name?sslmode=maybe",
            "postgres://u:hush@db.example/name?options=-csearch_path",
        ] {
            let error = parsed(text).unwrap_err();
            assert!(!error.contains("hu") || error.contains("such"), "{error}");
            assert!(!error.contains("hush"), "{error}");
        }
    }

    #[test]
    fn the_mask_replaces_the_password_only() {
        for (text, shown) in [
            ("sqlite://reconnectd.db", "sqlite://reconnectd.db"),
            ("postgres://u@db/name", "postgres://u@db/name"),
            ("postgres://u:hush@db/name?sslmode=require", "postgres://u:***@db/name?sslmode=require"),
            ("postgres://u:hush@db:port/name", "***"),
            ("postgres://u:hu#sh@db/name", "***"),
        ] {
            assert_eq!(masked(text, "***"), shown, "{text}");
        }
    }
}
