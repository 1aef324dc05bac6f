//! Whatever a program is called.

use gatepass::{AuthorizationServer, ClientAuth, endpoint::Client, store::MemoryStore};
use gatepass_native::App;
use proptest::prelude::*;

use crate::{
    browser::Person,
    program::{Program, http, server},
};

fn named(name: &str) -> Program {
    named_at(name, AuthorizationServer::issuer("https://auth.example.com"))
}

fn named_at(name: &str, server: AuthorizationServer) -> Program {
    App::new(name, Client::new(http(), server, ClientAuth::none("app")).unwrap())
}

proptest! {
    #[test]
    fn a_name_is_a_folder_or_one_line_that_says_what_to_do(name in any::<String>()) {
        if let Err(error) = named(&name).cell() {
            let text = error.to_string();
            prop_assert!(error.is_misconfigured() && text.contains("App::store"), "{}", text);
            prop_assert!(!text.contains(|c: char| c.is_control() || c == '\u{2028}' || c == '\u{202e}'), "{:?}", text);
        }
        prop_assert!(named(&name).store(MemoryStore::new()).cell().is_ok());
        let _ = format!("{:?}", named(&name));
    }
}

#[tokio::test]
async fn the_page_shows_an_odd_name_as_text() {
    let (server, person) = (server().await, Person::willing());
    let at = AuthorizationServer::issuer(server.issuer());
    let app = named_at("<script>alert(1)</script>/../\u{202e}x", at)
        .without_browser()
        .pasted(false)
        .steps(person.watches())
        .store(MemoryStore::new());
    app.sign_in().await.unwrap();
    let page = person.page(1).await;
    assert!(page.status == 200 && !page.text.contains("<script>alert"), "{}", page.text);
}
