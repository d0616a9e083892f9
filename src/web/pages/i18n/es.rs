//! Spanish.

use super::situation::{Situation, is_offered};
use super::strings::{Notes, Strings, Text};
use crate::web::pages::page::{Page, ResendOption};

pub(super) const STRINGS: Strings = Strings {
    reconnect: "Volver a conectar",
    resume: "Continuar",
    dismiss: "La desconecté a propósito",
    resend: "Enviarme un enlace nuevo",
    retry: "Intentar de nuevo",
    open_app: "Abrir la aplicación",
    unsubscribe: "Cancelar suscripción",
    resubscribe: "Volver a suscribirme",
    resubscribe_and_resend: "Volver a suscribirme y recibir un enlace nuevo",
    confirm: "Sí, activarla",
    keep_off: "No, dejarla desactivada",
    notes: Notes {
        needs_app: "Vuelve a conectar esta desde la aplicación.",
        resume: "¿No terminaste de iniciar sesión? Puedes continuar aquí durante unos minutos, en el mismo navegador.",
        used: "Ya empezaste con esta. Si terminaste de iniciar sesión, puede tardar unos minutos. Si no, pide un enlace \
               nuevo.",
        superseded: "Esta conexión necesita tu atención otra vez. Pide un enlace nuevo.",
        missing: "Ahora mismo no podemos ver esta. Inténtalo más tarde.",
        recovered: "Esta ya funciona de nuevo.",
        removed: "Esta se eliminó. No tienes que hacer nada.",
        dismissed: "Nos dijiste que esta la desconectaste a propósito.",
        unsubscribed: "Cancelaste tu suscripción, así que no podemos enviarte un enlace nuevo.",
    },
};

pub(super) fn page_text(page: &Page) -> Text {
    match page {
        Page::Ready { buttons, .. } => ready_text(&Situation::of(buttons)),
        Page::Used { resend, .. } => with_resend(
            "Este enlace ya se usó",
            "Si terminaste de iniciar sesión, no tienes que hacer nada. Tus datos pueden tardar unos minutos en \
             actualizarse.",
            "Si no terminaste, pide un enlace nuevo. Lo enviaremos a la dirección que tenemos registrada.",
            *resend,
        ),
        Page::Expired { resend } => with_resend(
            "Este enlace ha caducado",
            "Para proteger tu cuenta, los enlaces funcionan durante un tiempo limitado.",
            "Pide uno nuevo. Lo enviaremos a la dirección que tenemos registrada.",
            *resend,
        ),
        Page::Replaced => with_resend(
            "Este enlace se reemplazó",
            "Ya no funciona, para proteger tu cuenta.",
            "Pide uno nuevo. Lo enviaremos a la dirección que tenemos registrada ahora.",
            ResendOption::Offered,
        ),
        Page::Missing => Text::new(
            "Ahora mismo no podemos ver esta conexión",
            &[
                "Por ahora no tienes que hacer nada. Tu enlace sigue funcionando: vuelve a abrir esta página dentro de unas \
               horas.",
            ],
        ),
        Page::Removed => Text::new(
            "No queda nada por hacer",
            &["La conexión de este enlace se eliminó. Puedes cerrar esta página."],
        ),
        Page::Recovered => Text::new(
            "Tu conexión funciona de nuevo",
            &["No tienes que hacer nada. Puedes cerrar esta página."],
        ),
        Page::Dismissed { buttons } if buttons.iter().any(is_offered) => Text::new(
            "Entendido",
            &["No te escribiremos más sobre esto.", "¿Cambiaste de idea? Todavía puedes volver a conectar."],
        ),
        Page::Dismissed { .. } => {
            Text::new("Entendido", &["No te escribiremos más sobre esto. Puedes cerrar esta página."])
        }
        Page::LinkNotFound => Text::new(
            "No reconocemos este enlace",
            &[
                "Abre el enlace de tu correo más reciente. Algunos programas de correo cortan los enlaces en dos; copiarlo \
               completo puede ayudar.",
            ],
        ),
        Page::GatewayDown { retry_minutes } => {
            let wait = match retry_minutes {
                0 | 1 => "un minuto".to_owned(),
                minutes => format!("unos {minutes} minutos"),
            };
            let line =
                format!("No es culpa tuya, y tu enlace sigue funcionando. Inténtalo de nuevo en {wait}.");
            Text::new("Ahora mismo no se puede abrir la página de inicio de sesión", &[&line])
        }
        Page::RepairUnavailable => Text::new(
            "Ahora mismo no se puede arreglar",
            &[
                "Primero tenemos que resolver algo de nuestra parte. Por ahora no tienes que hacer nada, y tu enlace sigue \
               funcionando.",
            ],
        ),
        Page::BadRequest => Text::new(
            "Algo salió mal con esa solicitud",
            &["No se cambió nada. Abre el enlace de tu correo e inténtalo de nuevo."],
        ),
        Page::TooManyRequests => Text::new(
            "Espera un momento",
            &[
                "Recibimos demasiadas solicitudes a la vez. Inténtalo de nuevo en un minuto. Tu enlace sigue funcionando.",
            ],
        ),
        Page::Busy => Text::new(
            "Inténtalo de nuevo en un momento",
            &["Ahora hay mucha actividad y no pudimos terminar. Tu enlace sigue funcionando."],
        ),
        Page::NeedsApp => Text::new(
            "Vuelve a conectar desde la aplicación",
            &[
                "Esta conexión usa un nombre de usuario y una contraseña. Solo puedes introducirlos de forma segura en la \
               aplicación.",
            ],
        ),
        Page::ConfirmDirect { .. } => Text::new(
            "¿Volver a compartir tus datos?",
            &[
                "Desactivaste esta conexión. Actívala solo si quieres que volvamos a recibir tus datos de allí.",
            ],
        ),
        Page::ResendRequested => Text::new(
            "Revisa tu correo",
            &[
                "Enviamos un enlace nuevo a la dirección que tenemos de ti.",
                "Puede tardar hasta diez minutos. Si no llega, mira en la carpeta de correo no deseado.",
            ],
        ),
        Page::EmailOnItsWay => Text::new(
            "Hay un correo en camino",
            &[
                "Ya te enviamos un enlace. Puede tardar unos minutos. Si no llega, mira en la carpeta de correo no deseado.",
            ],
        ),
        Page::ResendUnavailable => Text::new(
            "Ahora no podemos enviar otro correo",
            &[
                "Busca nuestro último correo, también en la carpeta de correo no deseado. Es posible que su enlace aún \
               funcione.",
            ],
        ),
        Page::OauthReturn { success: true } => Text::new(
            "Gracias, lo estamos comprobando",
            &["Tus datos pueden tardar unos minutos en actualizarse. Puedes cerrar esta página."],
        ),
        Page::OauthReturn { success: false } => Text::new(
            "Todavía no hay conexión",
            &[
                "El inicio de sesión no se completó, así que no se cambió nada. Para intentarlo otra vez, abre el enlace de \
               tu correo.",
            ],
        ),
        Page::Unsubscribe => Text::new(
            "¿Cancelar la suscripción a estos correos?",
            &["Ya no te avisaremos cuando una conexión deje de funcionar. Tus conexiones quedan como están."],
        ),
        Page::Unsubscribed { .. } => Text::new(
            "Cancelaste tu suscripción",
            &["Ya no recibirás estos correos. No podremos avisarte cuando una conexión deje de funcionar."],
        ),
        Page::Resubscribed => Text::new(
            "Volviste a suscribirte",
            &["Te escribiremos cuando una conexión te necesite. Puedes cerrar esta página."],
        ),
        Page::Failed => Text::new(
            "Algo salió mal",
            &[
                "Es un error nuestro, no tuyo. Inténtalo de nuevo en unos minutos. Tu enlace sigue funcionando.",
            ],
        ),
    }
}

fn ready_text(situation: &Situation) -> Text {
    match situation {
        Situation::InApp => Text::new(
            "Vuelve a conectar desde la aplicación",
            &[
                "De aquí no están llegando datos nuevos. Para iniciar sesión hacen falta un nombre de usuario y una \
               contraseña, que solo puedes introducir de forma segura en la aplicación.",
            ],
        ),
        Situation::NothingWaits => Text::new("Tus conexiones", &["Mira qué puedes hacer con cada una."]),
        Situation::SignIn(name) => Text::new(
            "Volver a conectar",
            &[
                "Ha dejado de enviar datos nuevos. Iniciarás sesión en su propio sitio web; nunca vemos tu contraseña. Tarda \
               unos dos minutos.",
            ],
        )
        .with_heading(format!("Vuelve a conectar {name}")),
        Situation::Direct(name) => Text::new(
            "Volver a conectar",
            &["Ha dejado de enviar datos nuevos. No hace falta iniciar sesión."],
        )
        .with_heading(format!("Vuelve a conectar {name}")),
        Situation::OneLeft => Text::new(
            "Tus conexiones",
            &[
                "Una de ellas te necesita. Si hay que iniciar sesión, lo harás en su propio sitio web; nunca vemos tu \
               contraseña.",
            ],
        ),
        Situation::SeveralDirect => Text::new(
            "Tus conexiones",
            &["Estas han dejado de enviar datos nuevos. Vuelve a conectarlas de una en una. No hace falta iniciar sesión."],
        ),
        Situation::Several => Text::new(
            "Tus conexiones",
            &[
                "Algunas han dejado de enviar datos nuevos. Vuelve a conectarlas de una en una. Si hay que iniciar sesión, lo \
               harás en su propio sitio web; nunca vemos tu contraseña.",
            ],
        ),
    }
}

fn with_resend(title: &'static str, line: &str, resend_line: &str, resend: ResendOption) -> Text {
    match resend {
        ResendOption::Offered => Text::new(title, &[line, resend_line]),
        ResendOption::NotNeeded | ResendOption::Resubscribe => Text::new(title, &[line]),
    }
}
