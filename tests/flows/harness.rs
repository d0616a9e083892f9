//! The daemon's components in process, with a simulated gateway and a simulated mail server.

use crate::browser::{Browser, person};
use crate::served_pages::ServedPages;
use crate::{postgres, sqlite};
use chrono::TimeDelta;
use reconnectd::{
    base::clock::{Clock, ManualClock},
    base::config::{Config, DatabaseUrl},
    base::telemetry::LogCapture,
    credentials::keyring::Keyring,
    detect::sweep::SweepReport,
    domain::{Member, MemberId, NewCredential, RefreshToken},
    server::components::App,
    sim::{
        Fault, FaultKind, Operation, Options, PageResponse, ReceivedEmail, Simulator, SmtpFault, TestBrowser,
    },
    store::{ImportCounts, ImportRow, query_plans::record_statements, testing::TestDatabase},
};
use std::{path::Path, sync::Arc, thread};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

#[derive(Default)]
pub(crate) struct Setup {
    settings: Vec<(String, String)>,
    members: u32,
    smtp_login: Option<(String, String)>,
    /// The URL, if the test does not run on the engine of the suite.
    database: Option<String>,
}

impl Setup {
    /// On a server, where several instances can work on one database. `None` when this machine has no PostgreSQL.
    pub(crate) async fn shared() -> Option<Self> {
        Some(Self { database: Some(postgres::new_database_with_tables().await?), ..Self::default() })
    }

    /// On a database that exists.
    pub(crate) fn on(self, database: &str) -> Self {
        Self { database: Some(database.to_owned()), ..self }
    }

    /// Sets a configuration key by its environment name, such as `SWEEP__CONFIRM_SWEEPS`.
    pub(crate) fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.settings.push((key.to_owned(), value.to_string()));
        self
    }

    /// Adds numbered members `m1`, `m2`, … to the simulated world.
    pub(crate) fn members(self, members: u32) -> Self {
        Self { members, ..self }
    }

    /// The mail server requires this user name and password.
    pub(crate) fn smtp_login(self, name: &str, password: &str) -> Self {
        Self { smtp_login: Some((name.to_owned(), password.to_owned())), ..self }
    }

    pub(crate) async fn start(self) -> Harness {
        let start = "2026-03-02T09:00:00Z".parse().expect("a time");
        let clock = ManualClock::at(start);
        let sim = Simulator::start(Options {
            clock: Clock::Manual(clock.clone()),
            members: self.members,
            smtp_credentials: self.smtp_login,
            ..Options::default()
        })
        .await
        .expect("the simulator starts");
        let log = LogCapture::start();
        record_statements();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut pages = ServedPages::bind();
        let address = pages.address();
        let keys = folder.path().join("flows.keys");
        Keyring::generate(&keys).expect("a key ring");
        let smtp = sim.smtp_addr();
        let database = match self.database {
            Some(url) => url,
            None => new_database(folder.path()).await,
        };
        let usual = [
            ("DATABASE__URL", database),
            ("KEYS__FILE", keys.display().to_string()),
            ("GATEWAY__URL", sim.gateway_url()),
            ("GATEWAY__CLIENT_KEY", "the-client-key".into()),
            ("SWEEP__CONFIRM_SWEEPS", "1".into()),
            ("NOTICES__EXPIRED__FIRST_AFTER", "0s".into()),
            ("NOTICES__DISCONNECTED__FIRST_AFTER", "0s".into()),
            ("NOTICES__MIN_GAP", "0s".into()),
            ("NOTICES__QUIET_HOURS", String::new()),
            ("NOTICES__MAX_PER_MONTH", "1000".into()),
            ("STORM__MIN_MEMBERS", "100000".into()),
            ("EMAIL__FROM", "Example Health <no-reply@example.net>".into()),
            ("EMAIL__PER_MINUTE", "1000000".into()),
            ("EMAIL__SMTP__HOST", smtp.ip().to_string()),
            ("EMAIL__SMTP__PORT", smtp.port().to_string()),
            ("EMAIL__SMTP__TLS", "none".into()),
            ("LINKS__LISTEN", address.to_string()),
            ("LINKS__PUBLIC_URL", format!("http://{address}")),
            ("TELEMETRY__LOG", "trace".into()),
        ];
        let mut settings: Vec<_> = usual.map(|(key, value)| (key.to_owned(), value)).into();
        settings.extend(self.settings);
        let app = open(&settings, &clock).await;
        pages.serve(&app);
        Harness { sim, app, clock, folder, settings, log, pages }
    }
}

pub(crate) fn on_postgres() -> bool {
    std::env::var(ENGINE).is_ok_and(|engine| engine == "postgres")
}

/// The suite runs on SQLite, or on the engine that this variable names.
const ENGINE: &str = "RECONNECTD_TEST_ENGINE";

async fn new_database(folder: &Path) -> String {
    match std::env::var(ENGINE).as_deref() {
        Ok("postgres") => postgres::new_database_with_tables().await.expect("PostgreSQL"),
        Ok("sqlite" | "") | Err(_) => {
            let file = folder.join("flows.db");
            sqlite::new_database_with_tables(&file).await;
            format!("sqlite://{}", file.display())
        }
        Ok(other) => panic!("{ENGINE} is sqlite or postgres, not {other}"),
    }
}

async fn open(settings: &[(String, String)], clock: &ManualClock) -> App {
    let variables = settings.iter().map(|(key, value)| (format!("RECONNECTD__{key}"), value));
    let config = Config::load(None, variables).expect("a valid configuration").config;
    App::open(config, Clock::Manual(clock.clone())).await.expect("the app opens")
}

/// The `User-Agent` of a member's browser.
const MEMBER_AGENT: &str = "Mozilla/5.0 (a member's)";

/// On drop, fails the test if a scripted fault never happened, a notice is still in state `sending`, or a statement reads a
/// whole table.
pub(crate) struct Harness {
    pub(crate) log: LogCapture,
    pub(crate) sim: Simulator,
    pub(crate) app: App,
    pub(crate) clock: ManualClock,
    pub(crate) folder: TempDir,
    settings: Vec<(String, String)>,
    pub(crate) pages: ServedPages,
}

impl Harness {
    /// Enrols members and runs one cycle, so that all their connections are known to be CONNECTED.
    pub(crate) async fn watching(members: &[&str]) -> Self {
        Self::watching_with(Setup::default(), members).await
    }

    /// Also lets each member's epic connection expire, and queues the notices.
    pub(crate) async fn queued(members: &[&str]) -> Self {
        let harness = Self::watching(members).await;
        for member in members {
            harness.set(member, "epic", "EXPIRED");
        }
        harness.sweep().await;
        while harness.app.planner.plan_page().await.expect("a plan") {}
        harness
    }

    pub(crate) async fn watching_with(setup: Setup, members: &[&str]) -> Self {
        let harness = setup.start().await;
        harness.enrol(members).await;
        assert!(harness.pass().await.complete(), "the first pass is clear");
        harness
    }

    /// Also sends alice an email about these connections. Returns its link.
    pub(crate) async fn mailed(setup: Setup, broken: &[(&str, &str)]) -> (Self, String) {
        let harness = Self::watching_with(setup, &["alice"]).await;
        for (connection, status) in broken {
            harness.set("alice", connection, status);
        }
        harness.pass().await;
        let link = harness.link();
        (harness, link)
    }

    pub(crate) fn database_url(&self) -> DatabaseUrl {
        let is_url = |(key, _): &&(String, String)| key == "DATABASE__URL";
        let (_, url) = self.settings.iter().find(is_url).expect("each test has a database");
        url.parse().expect("a URL")
    }

    /// A second process of the daemon, on the same files.
    pub(crate) async fn another_app(&self, settings: &[(&str, &str)]) -> App {
        let more = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        open(&self.settings.iter().cloned().chain(more).collect::<Vec<_>>(), &self.clock).await
    }

    /// Enrols members with the refresh tokens that they have at the gateway now.
    pub(crate) async fn enrol(&self, members: &[&str]) {
        let mut rows = Vec::new();
        for id in members {
            let token = self.sim.world().refresh_token(id).expect("a member of the simulated world");
            let member = member(id);
            let token = RefreshToken::new(token);
            let credential = self.app.keyring.new_credential(&member.id, &token).expect("sealed");
            rows.push((member, Some(credential)));
        }
        self.import(&rows).await;
    }

    pub(crate) async fn enrol_without_credential(&self, id: &str) {
        self.import(&[(member(id), None)]).await;
    }

    pub(crate) async fn enrol_at(&self, id: &str, address: &str) {
        let email = address.parse().expect("an address");
        self.import(&[(Member { email, ..member(id) }, None)]).await;
    }

    pub(crate) async fn enrol_as(&self, id: &str, subject: &str) {
        self.import(&[(Member { subject: subject.into(), ..member(id) }, None)]).await;
    }

    pub(crate) async fn import_token(&self, id: &str, token: &str) -> ImportCounts {
        let member = member(id);
        let token = RefreshToken::new(token);
        let credential = self.app.keyring.new_credential(&member.id, &token).expect("sealed");
        self.import(&[(member, Some(credential))]).await
    }

    async fn import(&self, rows: &[(Member, Option<NewCredential>)]) -> ImportCounts {
        let row = |(line, (member, credential)): (u64, &(Member, Option<NewCredential>))| ImportRow {
            line,
            edit: member.clone().into(),
            credential: credential.clone(),
        };
        let rows: Vec<_> = (1..).zip(rows).map(row).collect();
        self.app.store.import_all(&rows, self.clock.now()).await.expect("members are imported")
    }

    /// One pass: sweep, early polls, plan, deliver.
    pub(crate) async fn pass(&self) -> SweepReport {
        self.app.run_once(&CancellationToken::new()).await.expect("a pass").sweep
    }

    pub(crate) async fn sweep(&self) -> SweepReport {
        self.app.sweeper.sweep(&CancellationToken::new()).await.expect("a sweep")
    }

    pub(crate) async fn sweep_after(&self, wait: TimeDelta) -> SweepReport {
        self.clock.advance(wait);
        self.sweep().await
    }

    /// Polls members now, even if a retry is scheduled for later.
    pub(crate) async fn retry(&self, members: &[&str]) -> SweepReport {
        let members: Vec<_> = members.iter().map(|id| Ok(MemberId::from(*id))).collect();
        let members = futures_util::stream::iter(members);
        self.app.sweeper.poll_now(members, &CancellationToken::new()).await.expect("polls")
    }

    pub(crate) async fn pass_after(&self, wait: TimeDelta) -> SweepReport {
        self.clock.advance(wait);
        self.pass().await
    }

    /// Sets the status of a connection at the gateway.
    pub(crate) fn set(&self, member: &str, connection: &str, status: &str) {
        self.sim.world().set_status(member, connection, status).expect("a member of the simulated world");
    }

    /// Scripts a fault of a gateway operation.
    pub(crate) fn fault(&self, operation: Operation, trouble: FaultKind) {
        self.sim.world().add_fault(Fault::new(trouble).on(operation));
    }

    /// Ends all faults. Each must have happened.
    pub(crate) fn end_faults(&self) {
        self.check_faults();
        self.sim.world().clear_faults();
        self.sim.mailbox().clear_faults();
    }

    /// Scripts a fault of the mail server.
    pub(crate) fn mail_fault(&self, fault: SmtpFault) {
        self.sim.mailbox().script(fault);
    }

    fn check_faults(&self) {
        let (gateway, mail) = (self.sim.world().pending_faults(), self.sim.mailbox().pending_faults());
        assert!(gateway.is_empty() && mail.is_empty(), "faults that never happened: {gateway:?} {mail:?}");
    }

    /// The emails that the mail server accepted, oldest first.
    pub(crate) fn mails(&self) -> Vec<Arc<ReceivedEmail>> {
        self.sim.mailbox().mails()
    }

    /// The recipients of the accepted emails, oldest first.
    pub(crate) fn recipients(&self) -> Vec<String> {
        self.mails().iter().map(|mail| mail.to[0].clone()).collect()
    }

    /// The link in the newest email.
    pub(crate) fn link(&self) -> String {
        link_in(self.mails().last().expect("a mail"))
    }

    /// A browser without cookies, as of somebody who never pressed a button.
    pub(crate) fn person(&self) -> TestBrowser {
        person(MEMBER_AGENT, self.clock.clone())
    }

    /// Like [`Self::person`], for tests in which every request gets a response.
    pub(crate) fn browser(&self) -> Browser {
        self.browser_named(MEMBER_AGENT)
    }

    pub(crate) fn browser_named(&self, agent: &str) -> Browser {
        Browser::new(agent, self.clock.clone())
    }

    /// Presses the only button of a link's page.
    pub(crate) async fn press(&self, link: &str) -> PageResponse {
        self.person().press(link, &[]).await.expect("the pages answer")
    }

    /// A link that invites the member to connect a source, for an operator to hand over.
    pub(crate) async fn invitation(&self, member: &str, source: &str) -> String {
        let (member, operator) = (member.into(), &self.app.operator);
        let source = operator.connection_or_source(&member, &source.into()).await.expect("a source");
        let (token, _) = operator.create_invitation_link(&member, &source).await.expect("an invitation");
        format!("http://{}/r/{}", self.app.config.links.listen, token.expose())
    }

    pub(crate) async fn look(&self, link: &str) -> PageResponse {
        self.person().open(link).await.expect("the pages answer")
    }

    /// Presses the only button of a link's page and allows the access at the source.
    pub(crate) async fn reconnect(&self, link: &str) {
        let pressed = self.press(link).await;
        assert_eq!(pressed.status, 303);
        self.allow(&pressed).await;
    }

    /// Allows access at the source that a press redirected to.
    pub(crate) async fn allow(&self, pressed: &PageResponse) {
        let url = pressed.location.as_deref().expect("a way to the source");
        assert_eq!(self.person().allow(url).await.expect("the source answers").status, 303);
    }

    /// The number of requests for a member.
    pub(crate) fn asked(&self, member: &str, operation: Operation) -> u32 {
        self.sim.world().request_count_for(member, operation).expect("a member of the simulated world")
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        if thread::panicking() {
            return;
        }
        self.check_faults();
        let database = self.database_url();
        let read = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut rows = TestDatabase::connect(&database).await.expect("the database opens");
                let scans = rows.table_scans().await.expect("the plans");
                (rows.texts("notices", "state").await.expect("the states"), scans)
            })
        });
        let (states, scans) = read.join().expect("the database is read");
        assert!(!states.iter().any(|state| state == "sending"), "an interrupted delivery was not rescued");
        assert!(scans.is_empty(), "statements that read a whole table: {scans:#?}");
    }
}

pub(crate) fn unsubscribe_link_in(mail: &ReceivedEmail) -> String {
    mail.links().into_iter().find(|link| link.contains("/u/")).expect("an unsubscribe link in the mail")
}

pub(crate) fn link_in(mail: &ReceivedEmail) -> String {
    mail.links().into_iter().find(|link| link.contains("/r/")).expect("a link in the mail")
}

pub(crate) fn member(id: &str) -> Member {
    Member {
        id: id.into(),
        email: format!("{id}@example.org").parse().expect("an address"),
        locale: None,
        time_zone: None,
        subject: id.into(),
        label: None,
        paused: false,
    }
}
