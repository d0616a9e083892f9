//! `config print` and `keys generate`.

use crate::harness::{CLIENT_KEY, Home, Running};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

#[tokio::test]
async fn the_printed_configuration_masks_secrets_and_can_be_loaded_again_with_them() {
    let mut home = Home::bare();
    home.set("admin.token", "an-admin-token").variable("RECONNECTD__EMAIL__SMTP__PASSWORD", "0123456");
    home.variable("RECONNECTD__EMAIL__SMTP__USERNAME", "reconnectd");
    let printed = home.run(&["config", "print"]).await.well().stdout;
    for secret in [CLIENT_KEY, "an-admin-token", "0123456"] {
        assert!(!printed.contains(secret), "{secret} is in\n{printed}");
    }
    assert_eq!(printed.matches("\"***\"").count(), 3, "{printed}");

    home.write("reconnectd.toml", &printed);
    home.run(&["config", "print"]).await.badly(2, &["gateway.client_key", "config print", "admin.token"]);
    home.variable("RECONNECTD__GATEWAY__CLIENT_KEY", CLIENT_KEY)
        .variable("RECONNECTD__ADMIN__TOKEN", "an-admin-token");
    let again = home.run(&["config", "print"]).await.well().stdout;
    assert_eq!(again, printed);
    let json = home.json(&["config", "print"]).await;
    assert_eq!(json[0]["gateway"]["client_key"], "***");
    assert_eq!(json[0]["sweep"]["schedule"], "* * * * * *");
}

#[tokio::test]
async fn a_key_ring_is_readable_by_its_owner_only_and_never_overwritten() {
    let home = Home::bare();
    let ring = home.path("reconnectd.keys");
    let made = home.run(&["keys", "generate"]).await.well();
    assert!(made.stdout.contains(&ring.display().to_string()), "{}", made.stdout);
    assert_eq!(fs::metadata(&ring).unwrap().permissions().mode() & 0o777, 0o600);
    let keys = fs::read_to_string(&ring).unwrap();
    let secret = keys.lines().last().unwrap().split_once(' ').unwrap().1;
    assert!(!made.stdout.contains(secret), "the key itself is not printed");
    home.run(&["keys", "generate"]).await.badly(1, &["exists already"]);
    assert_eq!(fs::read_to_string(&ring).unwrap(), keys);
}

#[tokio::test]
async fn an_empty_variable_names_no_file_and_one_without_effect_is_reported() {
    let mut home = Home::bare();
    home.variable("RECONNECTD_CONFIG", "").variable("RECONNECTD_EMAIL__PER_MINUTE", "5");
    let mut program = home.program();
    program.args(["config", "print"]);
    let printed = Running::start(program).ended().await.well();
    assert!(printed.stderr.contains("RECONNECTD__EMAIL__PER_MINUTE"), "{}", printed.stderr);
    assert!(!printed.stdout.contains("per_minute = 5"), "{}", printed.stdout);
}

#[tokio::test]
async fn the_configurations_for_kubernetes_are_valid_and_reachable_from_other_machines() {
    for (overlay, secrets) in [
        ("sqlite", vec!["client_key", "smtp_password"]),
        ("postgres", vec!["client_key", "smtp_password", "database_url"]),
    ] {
        let home = Home::bare();
        let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/kubernetes").join(overlay);
        let text = fs::read_to_string(overlay.join("reconnectd.toml")).unwrap();
        let folder = home.path("secrets");
        fs::create_dir(&folder).unwrap();
        for name in secrets {
            let text =
                if name == "database_url" { "postgres://reconnectd:hush@db.example.org/r" } else { "secret" };
            fs::write(folder.join(name), text).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let text = text.replace("/run/secrets/reconnectd", &folder.display().to_string());
        home.write("reconnectd.toml", &text);
        let printed = home.json(&["config", "print"]).await.remove(0);
        for section in ["links", "admin"] {
            assert!(printed[section]["listen"].as_str().unwrap().starts_with("[::]:"), "{section}");
        }
    }
}
