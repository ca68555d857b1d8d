//! Notes that the shop's people leave on an order.

use reqwest::StatusCode;
use wanryo::domain::access::Role;

use crate::app::TestApp;
use crate::browser::Browser;
use crate::office::form_key;
use crate::roles::sign_in;
use crate::support::{TestDatabase, on_both_databases};

/// The order's page, as the server writes its address.
const ORDER: &str = "/orders/ORD-1";

/// What the order's page hides in the form, so that sending it twice counts once.
fn key(page: &str) -> String {
    let (_, rest) = page.split_once("/note\"").unwrap();
    let (_, rest) = rest.split_once("name=\"key\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

async fn leave(staff: &mut Browser<'_>, note: &str) -> String {
    let key = key(&staff.read("/orders/ORD-1").await);
    let form = [("note", note), ("key", key.as_str())];
    staff.leads("/orders/ORD-1/note", &form).await
}

on_both_databases! {
    async fn a_note_is_kept_once_with_who_wrote_it_and_moves_nothing(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        let before = app.order("ORD-1").await;
        let mut staff = Browser::of(&app, &sign_in(&app, Role::Staff).await);
        let mut viewer = Browser::of(&app, &sign_in(&app, Role::Viewer).await);
        assert!(!viewer.read("/orders/ORD-1").await.contains("id=\"notes\""), "nothing to read, and no right to write");

        let key = key(&staff.read("/orders/ORD-1").await);
        let note = "전화함 <b>내일</b> 다시\r\n\u{0}둘째 줄";
        for _ in 0..2 {
            assert_eq!(staff.leads("/orders/ORD-1/note", &[("note", note), ("key", &key)]).await, format!("{ORDER}?done=noted"));
        }
        // The browser's way back brings the same form, and somebody writes something else in it.
        assert_eq!(staff.leads("/orders/ORD-1/note", &[("note", "돌아와서 씀"), ("key", &key)]).await, format!("{ORDER}?done=noted"));
        assert_eq!(leave(&mut staff, "또 전화함").await, format!("{ORDER}?done=noted"));

        let page = viewer.read("/orders/ORD-1?lang=en").await;
        assert_eq!(page.matches("전화함 &lt;b&gt;내일&lt;/b&gt; 다시\n둘째 줄").count(), 1, "{page}");
        assert!(page.find("또 전화함") < page.find("전화함 &lt;b&gt;"), "newest first");
        assert_eq!(page.matches("data-kind=\"note\"").count(), 3, "each stands among what happened");
        assert!(page.contains("staff@example.com") && !page.contains("/note\""));
        let after = app.read_order("ORD-1").await;
        assert_eq!((&after["status"], &after["updated_at"]), (&before["status"], &before["updated_at"]));
        assert!(page.contains("돌아와서 씀"), "{page}");
        assert_eq!(db.read("SELECT written_by FROM notes").await.len(), 3);
    }

    async fn what_is_no_note_is_said_beside_the_field_and_nothing_is_kept(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let mut staff = Browser::of(&app, &sign_in(&app, Role::Staff).await);

        let long = "가".repeat(501);
        for (note, shown) in [("", ""), (" \r\n\u{0}", " \r\n\u{0}"), (&long, &long), (&format!("\n<b>{long}"), &format!("\n\n&lt;b&gt;{long}"))] {
            let key = form_key();
            let answer = staff.post("/orders/ORD-1/note?lang=en", &[("note", note), ("key", &key)]).await;
            assert_eq!((answer.status, answer.headers["cache-control"].to_str().unwrap()), (StatusCode::UNPROCESSABLE_ENTITY, "no-store"));
            assert!(answer.headers["content-security-policy"].to_str().unwrap().contains("style-src 'self' 'nonce-"), "a page like any other");
            let (_, field) = answer.text.split_once("<textarea id=\"note\"").unwrap();
            let (tag, rest) = field.split_once('>').unwrap();
            assert!(tag.contains("aria-invalid=\"true\"") && tag.contains("note-fault") && tag.contains("autofocus"), "{tag}");
            assert_eq!(rest.split_once("</textarea>").unwrap().0, shown, "nothing of it is lost");
            assert!(rest.contains(">Please write 1 to 500 characters.<"), "{rest}");
            assert!(!answer.text.contains(&key), "another form");
        }
        for key in ["", "0123456789abcdef", "gggggggggggggggggggggggggggggggg"] {
            assert_eq!(staff.leads("/orders/ORD-1/note", &[("note", "x"), ("key", key)]).await, format!("{ORDER}?error=unavailable"));
        }
        staff.leads("/orders/NOBODY/note", &[("note", "x"), ("key", "00000000000000000000000000000000")]).await;
        assert_eq!(db.read("SELECT written_by FROM notes").await, Vec::<String>::new());
    }

    async fn an_order_has_so_many_notes_and_not_one_more(db: TestDatabase) {
        let app = TestApp::start(&db).await;
        app.order("ORD-1").await;
        let mut staff = Browser::of(&app, &sign_in(&app, Role::Staff).await);
        for note in 0..50 {
            assert_eq!(leave(&mut staff, &note.to_string()).await, format!("{ORDER}?done=noted"));
        }
        let answer = staff.post("/orders/ORD-1/note", &[("note", "one too many"), ("key", &form_key())]).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(answer.text.contains(">one too many</textarea>") && answer.text.contains("50개까지 남길 수"), "{}", answer.text);
        assert!(!staff.read("/orders/ORD-1").await.contains("one too many"));
    }
}
