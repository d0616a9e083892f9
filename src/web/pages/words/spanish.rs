//! Spanish.

use super::{Say, Text, can_reconnect, in_app, offered, renews, text, waiting};
use crate::web::pages::page::{Page, ResendOption};

pub(super) const SAY: Say = Say {
    reconnect: "Volver a conectar",
    dismiss: "La desconecté a propósito",
    resend: "Enviarme un enlace nuevo",
    retry: "Intentar de nuevo",
    open_app: "Abrir la aplicación",
    unsubscribe: "No recibir más estos correos",
    resume: "Volver a escribirme",
    in_app: "Vuelve a iniciar sesión en esta desde la aplicación.",
    wait: "Esta ya se empezó. Si terminaste de iniciar sesión, puede tardar unos minutos; si no, pide un enlace nuevo.",
    ask_anew: "Esta te necesita otra vez. Pide un enlace nuevo.",
    stopped: "Nos pediste que no te enviáramos más correos, así que un enlace nuevo no te llegaría.",
    resume_mail: "Volver a escribirme y enviarme un enlace nuevo",
    try_later: "Ahora mismo no podemos ver esta. Inténtalo de nuevo más tarde.",
    works: "Esta ya funciona de nuevo.",
    gone: "Esta se eliminó. No hay nada que hacer.",
    on_purpose: "Nos dijiste que esta la desconectaste a propósito.",
    came_back: "¿Volviste sin terminar? En el navegador con el que empezaste puedes continuar durante unos minutos.",
    go_on: "Continuar",
};

pub(super) fn text_of(page: &Page) -> Text {
    match page {
        Page::Ready { buttons, .. } if in_app(buttons) => text(
            "Vamos a reconectarte",
            &[
                "Lo que aparece aquí usa un nombre de usuario y una contraseña, que solo puedes introducir de forma \
                 segura en la aplicación.",
            ],
        ),
        Page::Ready { buttons, .. } if waiting(buttons) == 0 => {
            text("Así están tus conexiones", &["En cada una se dice qué se puede hacer."])
        }
        Page::Ready { buttons, .. } if renews(buttons) => text(
            "Vamos a reconectarte",
            &["El botón renueva lo que aparece aquí. No hace falta iniciar sesión."],
        ),
        Page::Ready { buttons, .. } if offered(buttons) > 1 => text(
            "Vamos a reconectarte",
            &[
                "Estas conexiones te necesitan. Hazlo de una en una; donde haya que iniciar sesión, se abre su propia página.",
            ],
        ),
        Page::Ready { .. } => text(
            "Vamos a reconectarte",
            &[
                "Esta conexión necesita que vuelvas a iniciar sesión. El botón abre la página de inicio de sesión \
               correspondiente. Suele tardar uno o dos minutos.",
            ],
        ),
        Page::Used { resend, .. } => {
            let done = "¿Ya terminaste de iniciar sesión? Entonces no tienes que hacer nada. Puede tardar unos minutos \
                        hasta que todo funcione de nuevo.";
            let ask =
                "Si no terminaste, pide un enlace nuevo. Llegará a la dirección que tenemos registrada.";
            let lines: &[&str] = if *resend == ResendOption::Offered { &[done, ask] } else { &[done] };
            text("Este enlace ya se usó", lines)
        }
        Page::Expired { resend } => {
            let why = "Por tu seguridad, los enlaces funcionan durante un tiempo limitado, y solo hasta que la conexión \
                       vuelve a funcionar.";
            let ask = "Pide uno nuevo; llegará a la dirección que tenemos registrada.";
            let lines: &[&str] = if *resend == ResendOption::Offered { &[why, ask] } else { &[why] };
            text("Este enlace ha caducado", lines)
        }
        Page::Missing => text(
            "Inténtalo de nuevo más tarde",
            &[
                "Ahora mismo no podemos ver esta conexión. Por ahora no tienes que hacer nada y tu enlace sigue siendo \
                 válido.",
                "Vuelve a abrir esta página dentro de unas horas.",
            ],
        ),
        Page::Removed => text(
            "Aquí no queda nada por hacer",
            &["Se eliminó aquello para lo que era este enlace. Puedes cerrar esta página."],
        ),
        Page::Recovered => {
            text("Listo, la conexión funciona", &["Todo funciona de nuevo. Puedes cerrar esta página."])
        }
        Page::Dismissed { buttons } if can_reconnect(buttons) => text(
            "Gracias por decírnoslo",
            &[
                "Lo dejamos como está y no te escribiremos más sobre ello.",
                "¿No fuiste tú o cambiaste de idea? Todavía puedes volver a conectar aquí.",
            ],
        ),
        Page::Dismissed { .. } => text(
            "Gracias por decírnoslo",
            &["Lo dejamos como está y no te escribiremos más sobre ello. Puedes cerrar esta página."],
        ),
        Page::LinkNotFound => text(
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
        Page::RepairUnavailable => text(
            "Ahora mismo no se puede reparar",
            &[
                "Primero tenemos que resolver algo de nuestra parte. Por ahora no tienes que hacer nada y tu enlace sigue \
                 siendo válido.",
            ],
        ),
        Page::BadRequest => text(
            "No llegó completo",
            &["No se cambió nada. Abre otra vez el enlace de tu correo y pulsa el botón de nuevo."],
        ),
        Page::TooManyRequests => text(
            "Un momento, por favor",
            &[
                "Hubo muchas solicitudes en poco tiempo. Espera un minuto e inténtalo de nuevo; tu enlace sigue siendo \
               válido.",
            ],
        ),
        Page::NeedsApp => text(
            "Continúa en la aplicación",
            &[
                "Esta conexión usa un nombre de usuario y una contraseña, que solo puedes introducir de forma segura \
               en la aplicación.",
            ],
        ),
        Page::ResendRequested => text(
            "Revisa tu correo",
            &[
                "Si algo todavía te necesita, un enlace nuevo va en camino a la dirección que tenemos registrada.",
                "Puede tardar hasta diez minutos. Si para entonces no ha llegado, mira en la carpeta de correo no deseado, o \
                 abre el enlace otra vez y vuelve a pedirlo.",
            ],
        ),
        Page::OauthReturn { success: true } => text(
            "Gracias, eso es todo",
            &["Puedes cerrar esta página. Puede tardar unos minutos hasta que todo funcione de nuevo."],
        ),
        Page::OauthReturn { success: false } => text(
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
