//! What the pages say, in each language.

use super::{Action, Page, Source};

/// A language the pages speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Spanish,
}

fn spoken(tag: &str) -> Option<Language> {
    match tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "en" => Some(Language::English),
        "es" => Some(Language::Spanish),
        _ => None,
    }
}

/// Whether there are words in a language.
pub(super) fn is_spoken(tag: &str) -> bool {
    spoken(tag).is_some()
}

/// The first of the locales that is spoken, else English.
pub(super) fn language(locale: &str, default: &str) -> Language {
    spoken(locale).or_else(|| spoken(default)).unwrap_or(Language::English)
}

/// Short texts that more than one page shows.
pub(super) struct Say {
    pub(super) reconnect: &'static str,
    pub(super) dismiss: &'static str,
    pub(super) resend: &'static str,
    pub(super) retry: &'static str,
    pub(super) open_app: &'static str,
    pub(super) unsubscribe: &'static str,
    pub(super) resume: &'static str,
    pub(super) in_app: &'static str,
    pub(super) wait: &'static str,
    pub(super) works: &'static str,
    pub(super) gone: &'static str,
    pub(super) on_purpose: &'static str,
    pub(super) came_back: &'static str,
    pub(super) go_on: &'static str,
}

const ENGLISH: Say = Say {
    reconnect: "Reconnect",
    dismiss: "I disconnected this on purpose",
    resend: "Mail me a new link",
    retry: "Try again",
    open_app: "Open the app",
    unsubscribe: "Stop these mails",
    resume: "Write to me again",
    in_app: "Please sign in to this one again in the app.",
    wait: "You have already started this one. If you finished signing in, it can take a few minutes.",
    works: "This one works again.",
    gone: "This one was removed. There is nothing to do.",
    on_purpose: "You told us that you disconnected this one on purpose.",
    came_back: "Came back without finishing? In the browser you started with, you can go on for a few minutes.",
    go_on: "Go on",
};

const SPANISH: Say = Say {
    reconnect: "Volver a conectar",
    dismiss: "La desconecté a propósito",
    resend: "Enviarme un enlace nuevo",
    retry: "Intentar de nuevo",
    open_app: "Abrir la aplicación",
    unsubscribe: "No recibir más estos correos",
    resume: "Volver a escribirme",
    in_app: "Vuelve a iniciar sesión en esta desde la aplicación.",
    wait: "Esta ya la empezaste. Si terminaste de iniciar sesión, puede tardar unos minutos.",
    works: "Esta ya funciona de nuevo.",
    gone: "Esta se eliminó. No hay nada que hacer.",
    on_purpose: "Nos dijiste que esta la desconectaste a propósito.",
    came_back: "¿Volviste sin terminar? En el navegador con el que empezaste puedes continuar durante unos minutos.",
    go_on: "Continuar",
};

/// All that one page says.
pub(super) struct Words {
    pub(super) lang: &'static str,
    pub(super) say: Say,
    pub(super) title: &'static str,
    pub(super) lines: Vec<String>,
}

impl Words {
    pub(super) fn of(page: &Page, language: Language) -> Self {
        let (lang, say, (title, lines)) = match language {
            Language::English => ("en", ENGLISH, english(page)),
            Language::Spanish => ("es", SPANISH, spanish(page)),
        };
        Self { lang, say, title, lines }
    }
}

fn waiting(sources: &[Source]) -> usize {
    sources.iter().filter(|source| matches!(source.action, Action::Reconnect | Action::App(_))).count()
}

/// Whether there is something to do about any of them still.
fn can_reconnect(sources: &[Source]) -> bool {
    sources.iter().any(|source| matches!(source.action, Action::AfterAll | Action::App(_) | Action::GoOn))
}

/// Whether no button here leads to a sign-in page.
fn in_app(sources: &[Source]) -> bool {
    waiting(sources) > 0 && !sources.iter().any(|source| source.action == Action::Reconnect)
}

type Text = (&'static str, Vec<String>);

fn text(title: &'static str, lines: &[&str]) -> Text {
    (title, lines.iter().map(|line| (*line).to_owned()).collect())
}

fn english(page: &Page) -> Text {
    match page {
        Page::Ready { sources } if in_app(sources) => text(
            "Let’s get you reconnected",
            &[
                "What is listed here uses a user name and password, which you can only enter safely in the app.",
            ],
        ),
        Page::Ready { sources } if waiting(sources) > 1 => text(
            "Let’s get you reconnected",
            &[
                "These connections need you to sign in again. Take them one at a time; each opens the source’s own \
               sign-in page.",
            ],
        ),
        Page::Ready { .. } => text(
            "Let’s get you reconnected",
            &[
                "This connection needs you to sign in again. The button opens the source’s own sign-in page. It \
               usually takes a minute or two.",
            ],
        ),
        Page::Used { .. } => text(
            "This link was already used",
            &[
                "Already finished signing in? Then there is nothing to do. It can take a few minutes until \
                 everything flows again.",
                "If you did not finish, ask for a new link. It goes to the address we have for you.",
            ],
        ),
        Page::Expired => text(
            "This link has expired",
            &[
                "For your safety, links work for a limited time. Ask for a new one; it goes to the address we have \
               for you.",
            ],
        ),
        Page::Recovered => {
            text("All done, you are connected", &["Everything works again. You can close this page."])
        }
        Page::Dismissed { sources } if can_reconnect(sources) => text(
            "Thank you for telling us",
            &[
                "We leave it as it is and write no more about it.",
                "Was it not you, or have you changed your mind? You can still reconnect here.",
            ],
        ),
        Page::Dismissed { .. } => text(
            "Thank you for telling us",
            &["We leave it as it is and write no more about it. You can reconnect whenever you like."],
        ),
        Page::Unknown => text(
            "We don’t know this link",
            &[
                "It may have been cut off on its way, or be from an older mail.",
                "Please open the newest mail you have from us and use the link in it.",
            ],
        ),
        Page::GatewayDown { retry_minutes: 0 | 1 } => text(
            "That did not work just now",
            &[
                "The sign-in page cannot be reached. This is not your doing, and your link stays good. Please try \
               again in about a minute.",
            ],
        ),
        Page::GatewayDown { retry_minutes } => (
            "That did not work just now",
            vec![format!(
                "The sign-in page cannot be reached. This is not your doing, and your link stays good. Please try \
                 again in about {retry_minutes} minutes."
            )],
        ),
        Page::Unreadable => text(
            "That did not arrive whole",
            &["Nothing was changed. Please open the link in your mail once more and press the button again."],
        ),
        Page::TooMany => text(
            "One moment, please",
            &[
                "There were many requests in a short time. Please wait a minute and try again; your link stays good.",
            ],
        ),
        Page::NeedsApp { .. } => text(
            "Please continue in the app",
            &["This connection uses a user name and password, which you can only enter safely in the app."],
        ),
        Page::ResendDone => text(
            "Please look at your mail",
            &[
                "If something still needs you, a new link is on its way to the address we have for you.",
                "It can take a few minutes. Look in the spam folder too.",
            ],
        ),
        Page::Done { success: true } => text(
            "Thank you, that’s all",
            &["You can close this page. It can take a few minutes until everything flows again."],
        ),
        Page::Done { success: false } => text(
            "The sign-in was not finished",
            &["Nothing was changed. To try again, open the link in your mail once more."],
        ),
        Page::Unsubscribe => text(
            "Stop these mails?",
            &[
                "We will no longer write to you when a connection needs your attention. Your connections stay as they \
               are.",
            ],
        ),
        Page::Unsubscribed { .. } => {
            text("You will get no more of these mails", &["It is done. You can close this page."])
        }
        Page::Resubscribed => text(
            "We will write to you again",
            &["When a connection needs your attention, you get a mail. You can close this page."],
        ),
        Page::Failed => text(
            "Something went wrong",
            &["This is our mistake, not yours. Please try again in a few minutes; your link stays good."],
        ),
    }
}

fn spanish(page: &Page) -> Text {
    match page {
        Page::Ready { sources } if in_app(sources) => text(
            "Vamos a reconectarte",
            &[
                "Lo que aparece aquí usa un nombre de usuario y una contraseña, que solo puedes introducir de forma \
                 segura en la aplicación.",
            ],
        ),
        Page::Ready { sources } if waiting(sources) > 1 => text(
            "Vamos a reconectarte",
            &[
                "Estas conexiones necesitan que vuelvas a iniciar sesión. Hazlo de una en una; cada botón abre la \
               página de inicio de sesión correspondiente.",
            ],
        ),
        Page::Ready { .. } => text(
            "Vamos a reconectarte",
            &[
                "Esta conexión necesita que vuelvas a iniciar sesión. El botón abre la página de inicio de sesión \
               correspondiente. Suele tardar uno o dos minutos.",
            ],
        ),
        Page::Used { .. } => text(
            "Este enlace ya se usó",
            &[
                "¿Ya terminaste de iniciar sesión? Entonces no tienes que hacer nada. Puede tardar unos minutos \
                 hasta que todo funcione de nuevo.",
                "Si no terminaste, pide un enlace nuevo. Llegará a la dirección que tenemos registrada.",
            ],
        ),
        Page::Expired => text(
            "Este enlace ha caducado",
            &[
                "Por tu seguridad, los enlaces funcionan durante un tiempo limitado. Pide uno nuevo; llegará a la \
               dirección que tenemos registrada.",
            ],
        ),
        Page::Recovered => {
            text("Listo, la conexión funciona", &["Todo funciona de nuevo. Puedes cerrar esta página."])
        }
        Page::Dismissed { sources } if can_reconnect(sources) => text(
            "Gracias por decírnoslo",
            &[
                "Lo dejamos como está y no te escribiremos más sobre ello.",
                "¿No fuiste tú o cambiaste de idea? Todavía puedes volver a conectar aquí.",
            ],
        ),
        Page::Dismissed { .. } => text(
            "Gracias por decírnoslo",
            &[
                "Lo dejamos como está y no te escribiremos más sobre ello. Puedes volver a conectar cuando quieras.",
            ],
        ),
        Page::Unknown => text(
            "No conocemos este enlace",
            &[
                "Puede que se haya cortado por el camino o que sea de un correo anterior.",
                "Abre el correo más reciente que tengas de nosotros y usa su enlace.",
            ],
        ),
        Page::GatewayDown { retry_minutes: 0 | 1 } => text(
            "No ha funcionado esta vez",
            &[
                "No se puede abrir la página de inicio de sesión. No es culpa tuya y tu enlace sigue siendo válido. \
               Inténtalo de nuevo en un minuto.",
            ],
        ),
        Page::GatewayDown { retry_minutes } => (
            "No ha funcionado esta vez",
            vec![format!(
                "No se puede abrir la página de inicio de sesión. No es culpa tuya y tu enlace sigue siendo válido. \
                 Inténtalo de nuevo en unos {retry_minutes} minutos."
            )],
        ),
        Page::Unreadable => text(
            "No llegó completo",
            &["No se cambió nada. Abre otra vez el enlace de tu correo y pulsa el botón de nuevo."],
        ),
        Page::TooMany => text(
            "Un momento, por favor",
            &[
                "Hubo muchas solicitudes en poco tiempo. Espera un minuto e inténtalo de nuevo; tu enlace sigue siendo \
               válido.",
            ],
        ),
        Page::NeedsApp { .. } => text(
            "Continúa en la aplicación",
            &[
                "Esta conexión usa un nombre de usuario y una contraseña, que solo puedes introducir de forma segura \
               en la aplicación.",
            ],
        ),
        Page::ResendDone => text(
            "Revisa tu correo",
            &[
                "Si algo todavía te necesita, un enlace nuevo va en camino a la dirección que tenemos registrada.",
                "Puede tardar unos minutos. Mira también en la carpeta de correo no deseado.",
            ],
        ),
        Page::Done { success: true } => text(
            "Gracias, eso es todo",
            &["Puedes cerrar esta página. Puede tardar unos minutos hasta que todo funcione de nuevo."],
        ),
        Page::Done { success: false } => text(
            "El inicio de sesión no se completó",
            &["No se cambió nada. Para intentarlo de nuevo, abre otra vez el enlace de tu correo."],
        ),
        Page::Unsubscribe => text(
            "¿No recibir más estos correos?",
            &[
                "Ya no te escribiremos cuando una conexión necesite tu atención. Tus conexiones quedan como están.",
            ],
        ),
        Page::Unsubscribed { .. } => {
            text("No recibirás más estos correos", &["Está hecho. Puedes cerrar esta página."])
        }
        Page::Resubscribed => text(
            "Te volveremos a escribir",
            &["Recibirás un correo cuando una conexión necesite tu atención. Puedes cerrar esta página."],
        ),
        Page::Failed => text(
            "Algo salió mal",
            &[
                "Es un error nuestro, no tuyo. Inténtalo de nuevo en unos minutos; tu enlace sigue siendo válido.",
            ],
        ),
    }
}
