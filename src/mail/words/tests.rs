use super::*;

#[test]
fn a_word_for_a_status_is_found_where_it_does_not_speak_of_the_link() {
    for (text, word) in [
        ("Your connection has expired.", "expired"),
        ("Your access lapsed", "lapsed"),
        ("Status: EXPIRED", "EXPIRED"),
        ("DISCONNECTED_BY_SOURCE", "DISCONNECTED"),
        ("connection_expired", "expired"),
        ("a disconnection", "disconnection"),
        // Another thing than the link, in the sentence or by "it".
        ("Open this link, for your connection has expired", "expired"),
        ("The link to your account: it has expired", "expired"),
        ("Connection expired, link below", "expired"),
        ("Your sign-in expired, use this link", "expired"),
        ("Your Epic MyChart has just expired, so open this link", "expired"),
        ("Usa el enlace, pues tu sesión ha expirado", "expirado"),
        ("Open the link. Your connection lapsed", "lapsed"),
        ("Your connection needs you. It has expired.", "expired"),
        // A link expires, but nobody disconnects it.
        ("The link is below. It was Disconnected", "Disconnected"),
        ("The link was disconnected", "disconnected"),
        // The gateway's own word.
        ("The link is EXPIRED", "EXPIRED"),
        ("Open the link. EXPIRED", "EXPIRED"),
        // Another paragraph speaks of another thing.
        ("Your link\n\nHas expired", "expired"),
        ("Open this link: https://acme.test/x?status=expired", "expired"),
        ("https://link.acme.test/expired", "expired"),
        // What cannot be seen parts no word.
        ("dis\u{AD}connected", "disconnected"),
        ("ex\u{200B}pired", "expired"),
        ("Tu conexión ha caducado", "caducado"),
        ("Se desconectó", "desconectó"),
        ("Se desconecto\u{301}", "desconectó"),
        ("Ha vencido", "vencido"),
        ("Tus accesos expiraron; usa el enlace", "expiraron"),
        ("Aviso de desconexión", "desconexión"),
    ] {
        assert_eq!(status(text).as_deref(), Some(word), "{text}");
    }
}

#[test]
fn a_link_a_page_or_a_mail_may_have_expired() {
    for text in [
        "If the link has expired, ask for another.",
        "The expired link can be renewed.",
        "If expired, ask for another link.",
        "The link to sign in has expired",
        "If your link has expired, ask for another",
        "Use your expired link once more",
        "If the link in your inbox has expired",
        "If your old page or your link is already expired",
        "Si tu enlace ya ha caducado",
        "LINK EXPIRED?",
        "Acme: LINK EXPIRED?",
        "This invitation has expired",
        "This page has expired",
        "This mail has expired",
        "This button has expired",
        "This link works for 7 days. If it has expired, its page sends you another.",
        "This link works for 7 days; please keep it to yourself. If it has expired, ask again.",
        "The expired link to your connection can be renewed",
        "https://acme.test/help/expired-links",
        "Works until it expires; stay connected",
        "Si el enlace ha caducado, pide otro",
        "Si el vínculo ha caducado",
        "Si el vi\u{301}nculo ha caducado",
        "Si la liga ha expirado",
        "Este enlace funciona 7 días. Si ha caducado, pide otro.",
        "Una vez vencido el plazo, pide otro",
    ] {
        assert_eq!(status(text), None, "{text}");
    }
}

#[test]
fn html_is_read_as_its_reader_and_its_source_show_it() {
    for (html, word) in [
        ("<p>It <b>expired</b></p>", Some("expired")),
        ("ex<b>pired</b>", Some("expired")),
        ("&#101;xpired", Some("expired")),
        ("dis&shy;connected", Some("disconnected")),
        ("Tu conexi&oacute;n se desconect&oacute;", Some("desconectó")),
        ("<p>Link</p><p>Your access expired</p>", Some("expired")),
        ("<td>Link</td><td>Expired</td>", Some("Expired")),
        ("<p class=\"disconnected\">Hello</p>", Some("disconnected")),
        ("<img alt=\"Your connection expired\">", Some("expired")),
        ("<a href=\"https://acme.test/x?status=EXPIRED\">Open the link</a>", Some("EXPIRED")),
        ("<a href=\"https://acme.test/x?a=1&amp;status=expired\">Open the link</a>", Some("expired")),
        ("<!-- EXPIRED -->", Some("EXPIRED")),
        ("<!--[if mso]><p>Link</p><p title=\"expired\"><![endif]-->", Some("expired")),
        ("<style>.expired { color: red }</style>", Some("expired")),
        ("<p>If the <a href=\"x\">link</a> has expired</p>", None),
        ("<p>The link<br>has expired</p>", None),
        ("<p>the link has&nbsp;expired</p>", None),
        ("<p>The link &amp; its page have expired</p>", None),
        ("<a href=\"https://acme.test/help/expired-links\">Help</a>", None),
        ("<p title=\"If the link has expired\">Hello</p>", None),
    ] {
        assert_eq!(status_in_html(html).as_deref(), word, "{html}");
    }
}

#[test]
fn a_text_of_spaces_and_of_what_nobody_sees_is_blank() {
    for (text, blank) in
        [("", true), (" \n\u{A0}", true), ("\u{34F}\u{200C}\u{FEFF}", true), ("🔔", false), ("a", false)]
    {
        assert_eq!(is_blank(text), blank, "{text:?}");
    }
}
