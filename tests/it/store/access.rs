//! People with sessions, shops with keys.

use wanryo::ports::store::AccessStore;

use super::fixtures::at;
use crate::support::{TestDatabase, on_both_databases};

on_both_databases! {
    async fn a_new_password_ends_the_sessions_of_its_person_alone(test: TestDatabase) {
        let database = test.open().await;
        for email in ["kim@example.com", "lee@example.com"] {
            database.put_user(email, "$argon2id$old", at(0)).await.unwrap();
        }
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        let lee = database.find_user("lee@example.com").await.unwrap().unwrap();
        assert_eq!((kim.email.as_str(), kim.password_hash.as_str()), ("kim@example.com", "$argon2id$old"));
        database.put_session(&[1; 32], kim.id, at(0), at(1000)).await.unwrap();
        database.put_session(&[2; 32], lee.id, at(0), at(1000)).await.unwrap();

        database.put_user("kim@example.com", "$argon2id$new", at(1)).await.unwrap();

        let renewed = database.find_user("kim@example.com").await.unwrap().unwrap();
        assert_eq!((renewed.id, renewed.password_hash.as_str()), (kim.id, "$argon2id$new"));
        assert_eq!(database.find_session(&[1; 32], at(2), at(0)).await.unwrap(), None);
        assert_eq!(database.find_session(&[2; 32], at(2), at(0)).await.unwrap(), Some(lee));
        assert_eq!(database.find_user("KIM@example.com").await.unwrap(), None);
    }

    async fn a_session_ends_by_age_by_idleness_and_by_sign_out(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", at(0)).await.unwrap();
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        database.put_session(&[1; 32], kim.id, at(0), at(1000)).await.unwrap();
        database.put_session(&[2; 32], kim.id, at(0), at(2000)).await.unwrap();
        // Idle for more than 100 seconds.
        let find = async |hash: u8, now: i64| database.find_session(&[hash; 32], at(now), at(now - 100)).await.unwrap().is_some();

        assert!(find(1, 0).await);
        assert!(find(1, 100).await, "seen at its beginning");
        assert!(find(1, 200).await, "seen a hundred seconds ago");
        assert!(find(1, 230).await, "not noted: less than a minute");
        assert!(!find(1, 301).await, "idle since 200");
        assert!(!find(2, 101).await, "never seen again");

        assert!(database.find_session(&[1; 32], at(999), at(0)).await.unwrap().is_some());
        assert!(database.find_session(&[1; 32], at(1000), at(0)).await.unwrap().is_none(), "over");
        database.purge_sessions(at(1000)).await.unwrap();
        assert!(database.find_session(&[1; 32], at(500), at(0)).await.unwrap().is_none(), "purged");
        assert!(database.find_session(&[2; 32], at(500), at(0)).await.unwrap().is_some());
        database.delete_session(&[2; 32]).await.unwrap();
        assert!(database.find_session(&[2; 32], at(500), at(0)).await.unwrap().is_none(), "signed out");
    }

    async fn an_api_key_is_found_by_its_hash_alone(test: TestDatabase) {
        let database = test.open().await;
        database.put_api_key("쇼핑몰", &[7; 32], at(0)).await.unwrap();
        database.put_api_key("other", &[8; 32], at(0)).await.unwrap();

        assert_eq!(database.find_api_key(&[7; 32]).await.unwrap().unwrap().name, "쇼핑몰");
        assert_eq!(database.find_api_key(&[9; 32]).await.unwrap(), None);
        database.put_api_key("renamed", &[7; 32], at(1)).await.unwrap();
        assert_eq!(database.find_api_key(&[7; 32]).await.unwrap().unwrap().name, "renamed");
    }
}
