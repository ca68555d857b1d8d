//! People with sessions, shops with keys.

use wanryo::domain::access::Role;
use wanryo::domain::history::Actor;
use wanryo::domain::one_time_code::CodeSecret;
use wanryo::ports::store::{
    AccessStore, KeyRoom, NewApiKey, NewUser, Opening, SecondFactor, User, UserChange, UserChanged,
};

use super::fixtures::at;
use crate::support::{TestDatabase, on_both_databases};

/// Who changes everything here.
const BY: Actor = Actor::Command;

on_both_databases! {
    async fn a_new_password_ends_the_sessions_of_its_person_alone(test: TestDatabase) {
        let database = test.open().await;
        for email in ["kim@example.com", "lee@example.com"] {
            database.put_user(email, "$argon2id$old", None, at(0)).await.unwrap();
        }
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        let lee = database.find_user("lee@example.com").await.unwrap().unwrap();
        assert_eq!((kim.email.as_str(), kim.password_hash.as_str()), ("kim@example.com", "$argon2id$old"));
        database.put_session(&[1; 32], &kim, Opening::SignIn, at(0), at(1000)).await.unwrap();
        database.put_session(&[2; 32], &lee, Opening::SignIn, at(0), at(1000)).await.unwrap();

        database.put_user("kim@example.com", "$argon2id$new", None, at(1)).await.unwrap();

        let renewed = database.find_user("kim@example.com").await.unwrap().unwrap();
        assert_eq!((renewed.id, renewed.password_hash.as_str()), (kim.id, "$argon2id$new"));
        assert_eq!(database.find_session(&[1; 32], at(2), at(0)).await.unwrap(), None);
        assert_eq!(database.find_session(&[2; 32], at(2), at(0)).await.unwrap(), Some(lee));
        assert_eq!(database.find_user("KIM@example.com").await.unwrap(), None);
    }

    async fn a_session_ends_by_age_by_idleness_and_by_sign_out(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", None, at(0)).await.unwrap();
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        database.put_session(&[1; 32], &kim, Opening::SignIn, at(0), at(1000)).await.unwrap();
        database.put_session(&[2; 32], &kim, Opening::SignIn, at(0), at(2000)).await.unwrap();
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
        let put = async |name: &str, hash: u8| {
            let new = NewApiKey { name: name.to_owned(), hash: [hash; 32], hint: "wr_abc".to_owned() };
            database.put_api_key(&new, KeyRoom { of_name: 2, in_all: 5 }, &BY, at(i64::from(hash))).await.unwrap()
        };
        assert!(put("쇼핑몰", 7).await && put("other", 8).await);

        assert_eq!(database.find_api_key(&[7; 32], at(100)).await.unwrap().unwrap().name, "쇼핑몰");
        assert_eq!(database.find_api_key(&[9; 32], at(100)).await.unwrap(), None);
        assert!(put("쇼핑몰", 7).await && put("쇼핑몰", 9).await, "the same key again, and the next one");
        assert!(!put("쇼핑몰", 10).await && put("third", 10).await, "two of one name");
        assert!(database.find_api_key(&[9; 32], at(100)).await.unwrap().is_some());

        let used = async || {
            let kept = database.api_keys(10).await.unwrap();
            kept.into_iter().map(|key| (key.id, key.name, key.hint, key.last_used_at)).collect::<Vec<_>>()
        };
        let row = |digit: &str, name: &str, used: Option<i64>| (digit.repeat(8), name.to_owned(), Some("wr_abc".to_owned()), used.map(at));
        assert_eq!(used().await, [row("0a", "third", None), row("09", "쇼핑몰", Some(100)), row("08", "other", None), row("07", "쇼핑몰", Some(100))]);
        database.find_api_key(&[7; 32], at(100 + 3_599)).await.unwrap();
        assert_eq!(used().await[3].3, Some(at(100)), "noted once an hour");
        database.find_api_key(&[7; 32], at(100 + 3_600)).await.unwrap();
        assert_eq!(used().await[3].3, Some(at(3_700)));

        assert!(database.delete_api_key("0707070707070707", &BY, at(1)).await.unwrap());
        assert!(!database.delete_api_key("0707070707070707", &BY, at(1)).await.unwrap() && !database.delete_api_key("x", &BY, at(1)).await.unwrap());
        assert_eq!(database.find_api_key(&[7; 32], at(100)).await.unwrap(), None);
        assert!(put("쇼핑몰", 11).await, "there is room again");
        assert!(put("fifth", 12).await && !put("sixth", 13).await, "five in all");
        assert!(put("fifth", 12).await, "the same key again");
    }

    async fn an_owner_is_left_whatever_two_owners_do_at_once(test: TestDatabase) {
        let database = test.open().await;
        for email in ["kim@example.com", "lee@example.com"] {
            database.put_user(email, "hash", None, at(0)).await.unwrap();
        }
        database.put_user("park@example.com", "hash", Some(Role::Viewer), at(0)).await.unwrap();
        let id = async |email: &str| database.find_user(email).await.unwrap().map(|user| user.id);
        let (kim, lee) = (id("kim@example.com").await.unwrap(), id("lee@example.com").await.unwrap());
        let owners = async || {
            let users = database.users(at(0), 10).await.unwrap();
            users.into_iter().filter(|user| user.role == Role::Owner && user.disabled_at.is_none()).count()
        };

        for round in 0..20 {
            let (one, other) = (UserChange::Role(Role::Staff), UserChange::Disable);
            let (first, second) = tokio::join!(database.change_user(kim, &one, &BY, at(1)), database.change_user(lee, &other, &BY, at(1)));
            let mut answers = [first.unwrap(), second.unwrap()];
            answers.sort_by_key(|answer| *answer == UserChanged::LastOwner);
            assert_eq!(answers, [UserChanged::Done, UserChanged::LastOwner], "{round}");
            assert_eq!(owners().await, 1, "{round}");
            database.change_user(kim, &UserChange::Role(Role::Owner), &BY, at(2)).await.unwrap();
            database.change_user(lee, &UserChange::Enable, &BY, at(2)).await.unwrap();
        }
        assert_eq!(database.put_user("kim@example.com", "new", Some(Role::Viewer), at(3)).await.unwrap(), UserChanged::Done);
        assert_eq!(database.put_user("lee@example.com", "new", Some(Role::Viewer), at(3)).await.unwrap(), UserChanged::LastOwner);
        assert_eq!(database.find_user("lee@example.com").await.unwrap().unwrap().password_hash, "hash", "nothing was written");
        assert_eq!(database.change_user(999, &UserChange::SignOut, &BY, at(3)).await.unwrap(), UserChanged::NotFound);
    }

    async fn nothing_begins_with_a_password_that_was_replaced(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", None, at(0)).await.unwrap();
        database.put_user("lee@example.com", "hash", None, at(0)).await.unwrap();
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        assert!(database.put_half_sign_in(&[1; 32], &kim, at(100)).await.unwrap());
        assert!(database.delete_half_sign_in(&[1; 32]).await.unwrap());
        assert!(!database.delete_half_sign_in(&[1; 32]).await.unwrap(), "used once");

        let change = |hash: &str, before: &str| UserChange::Password { hash: hash.to_owned(), before: Some(before.to_owned()), until: None };
        assert_eq!(database.change_user(kim.id, &change("new", "hash"), &BY, at(1)).await.unwrap(), UserChanged::Done);
        assert!(!database.put_session(&[2; 32], &kim, Opening::SignIn, at(1), at(1000)).await.unwrap());
        assert!(!database.put_half_sign_in(&[3; 32], &kim, at(100)).await.unwrap());
        assert!(database.find_session(&[2; 32], at(1), at(0)).await.unwrap().is_none());
        assert!(database.find_half_sign_in(&[3; 32], at(1)).await.unwrap().is_none());
        assert_eq!(database.change_user(kim.id, &change("a thief's", "hash"), &BY, at(2)).await.unwrap(), UserChanged::NotFound);

        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        assert_eq!(kim.password_hash, "new");
        assert!(database.put_session(&[4; 32], &kim, Opening::SignIn, at(1), at(1000)).await.unwrap());
        database.change_user(kim.id, &UserChange::Disable, &BY, at(3)).await.unwrap();
        assert!(!database.put_session(&[5; 32], &kim, Opening::SignIn, at(3), at(1000)).await.unwrap());
        assert!(!database.put_half_sign_in(&[6; 32], &kim, at(100)).await.unwrap());
    }

    async fn an_owner_who_never_came_is_not_the_last_one(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", None, at(0)).await.unwrap();
        let new = NewUser { email: "lee@example.com".to_owned(), password_hash: "hash".to_owned(), role: Role::Owner, password_until: Some(at(50)) };
        assert!(database.add_user(&new, &BY, at(0)).await.unwrap());
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        let lee = database.find_user("lee@example.com").await.unwrap().unwrap();
        let leave = UserChange::Role(Role::Staff);
        assert_eq!(database.change_user(kim.id, &leave, &BY, at(1)).await.unwrap(), UserChanged::LastOwner);
        let own = UserChange::Password { hash: "own".to_owned(), before: None, until: None };
        assert_eq!(database.change_user(lee.id, &own, &BY, at(2)).await.unwrap(), UserChanged::Done);
        assert_eq!(database.change_user(kim.id, &leave, &BY, at(3)).await.unwrap(), UserChanged::Done);
    }

    async fn two_who_make_a_key_at_the_same_time_make_no_third(test: TestDatabase) {
        let database = test.open().await;
        for round in 0..10_u8 {
            let key = |number: u8| NewApiKey { name: format!("shop {round}"), hash: [10 * round + number; 32], hint: "wr_".to_owned() };
            let keys = [key(0), key(1), key(2), key(3)];
            let [one, two, three, four] = keys.each_ref().map(|key| database.put_api_key(key, KeyRoom { of_name: 2, in_all: 100 }, &BY, at(1)));
            let (one, two, three, four) = tokio::join!(one, two, three, four);
            let made = [one, two, three, four];
            assert_eq!(made.into_iter().filter(|made| *made.as_ref().unwrap()).count(), 2, "{round}");
        }
    }

    async fn who_is_disabled_is_out_at_once_and_not_found(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", None, at(0)).await.unwrap();
        let new = NewUser { email: "lee@example.com".to_owned(), password_hash: "hash".to_owned(), role: Role::Staff, password_until: Some(at(50)) };
        assert!(database.add_user(&new, &BY, at(0)).await.unwrap());
        assert!(!database.add_user(&new, &BY, at(0)).await.unwrap(), "there already");
        let lee = database.find_user("lee@example.com").await.unwrap().unwrap();
        assert_eq!((lee.role, lee.password_until), (Role::Staff, Some(at(50))));
        let lee_now = async || database.find_user("lee@example.com").await.unwrap();
        let open = async |hash: u8| database.put_session(&[hash; 32], &lee_now().await.unwrap(), Opening::SignIn, at(0), at(1000)).await.unwrap();
        let is_open = async |hash: u8| database.find_session(&[hash; 32], at(1), at(0)).await.unwrap().is_some();

        for (number, change) in [UserChange::SignOut, UserChange::Password { hash: "new".to_owned(), before: None, until: None }, UserChange::Disable].iter().enumerate() {
            let hash = u8::try_from(number).unwrap();
            assert!(open(hash).await && is_open(hash).await);
            database.change_user(lee.id, &UserChange::Role(Role::Viewer), &BY, at(1)).await.unwrap();
            assert!(is_open(hash).await, "another role ends nothing");
            assert_eq!(database.change_user(lee.id, change, &BY, at(1)).await.unwrap(), UserChanged::Done);
            assert!(!is_open(hash).await, "{change:?}");
        }
        assert_eq!(database.find_user("lee@example.com").await.unwrap(), None);
        assert!(!database.put_session(&[9; 32], &lee, Opening::SignIn, at(0), at(1000)).await.unwrap());
        assert!(!is_open(9).await, "a session that was begun meanwhile is none");
        let users = database.users(at(1), 10).await.unwrap();
        assert_eq!((users[1].email.as_str(), users[1].disabled_at, users[1].role), ("lee@example.com", Some(at(1)), Role::Viewer));
        assert_eq!((users[0].seen_at, users[1].seen_at, users.len()), (None, None, 2));
        database.change_user(lee.id, &UserChange::Enable, &BY, at(2)).await.unwrap();
        let back = database.find_user("lee@example.com").await.unwrap().unwrap();
        assert_eq!((back.password_hash.as_str(), back.password_until), ("new", None));
        assert!(!is_open(9).await);
    }

    /// The password was looked at while its account had no second factor.
    async fn a_sign_in_that_began_before_the_second_factor_opens_nothing(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", None, at(0)).await.unwrap();
        let kim = async || database.find_user("kim@example.com").await.unwrap().unwrap();
        let before = kim().await;
        let on = UserChange::SecondFactor { secret: CodeSecret::new([7; 20]), step: 5, recovery: vec![[1; 32]] };
        assert_eq!(database.change_user(before.id, &on, &BY, at(1)).await.unwrap(), UserChanged::Done);
        let (with, open) = (kim().await, async |hash: u8, user: &User, opening| database.put_session(&[hash; 32], user, opening, at(2), at(1000)).await.unwrap());

        assert!(!open(1, &before, Opening::SignIn).await);
        assert!(database.find_session(&[1; 32], at(2), at(0)).await.unwrap().is_none());
        assert!(open(2, &with, Opening::SignIn).await, "who gave a code");
        assert!(open(3, &before, Opening::Again).await, "who turned it on");
        assert_eq!(database.change_user(before.id, &UserChange::DropSecondFactor, &BY, at(3)).await.unwrap(), UserChanged::Done);
        assert!(!open(4, &with, Opening::SignIn).await, "the factor is another now");
    }

    async fn a_code_is_used_once_by_whoever_brings_it_first(test: TestDatabase) {
        let database = test.open().await;
        database.put_user("kim@example.com", "hash", None, at(0)).await.unwrap();
        let kim = database.find_user("kim@example.com").await.unwrap().unwrap();
        assert_eq!(kim.second_factor, None);
        assert!(!database.use_code(kim.id, 5).await.unwrap(), "there is no factor");
        let secret = CodeSecret::new([7; 20]);
        let on = UserChange::SecondFactor { secret: secret.clone(), step: 5, recovery: vec![[1; 32], [2; 32]] };
        database.put_session(&[3; 32], &kim, Opening::SignIn, at(0), at(1000)).await.unwrap();
        database.put_half_sign_in(&[4; 32], &kim, at(100)).await.unwrap();
        assert!(database.find_half_sign_in(&[4; 32], at(99)).await.unwrap().is_some());
        assert!(database.find_half_sign_in(&[4; 32], at(100)).await.unwrap().is_none(), "over");
        assert_eq!(database.change_user(kim.id, &on, &BY, at(1)).await.unwrap(), UserChanged::Done);
        assert!(database.find_session(&[3; 32], at(1), at(0)).await.unwrap().is_none());
        assert!(database.find_half_sign_in(&[4; 32], at(1)).await.unwrap().is_none());
        let factor = async || database.find_user("kim@example.com").await.unwrap().unwrap().second_factor.unwrap();
        assert_eq!(factor().await, SecondFactor { secret, used_step: Some(5), recovery_left: 2 });

        assert!(!database.use_code(kim.id, 5).await.unwrap());
        for step in 6..16 {
            let (one, other) = tokio::join!(database.use_code(kim.id, step), database.use_code(kim.id, step));
            assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1, "{step}");
        }
        let (one, other) = tokio::join!(database.use_recovery_code(kim.id, &[1; 32], at(1)), database.use_recovery_code(kim.id, &[1; 32], at(1)));
        assert_eq!(u8::from(one.unwrap()) + u8::from(other.unwrap()), 1);
        assert!(!database.use_recovery_code(kim.id + 1, &[2; 32], at(1)).await.unwrap(), "another's");
        assert_eq!((factor().await.used_step, factor().await.recovery_left), (Some(15), 1));
        database.put_half_sign_in(&[5; 32], &kim, at(100)).await.unwrap();
        database.purge_sessions(at(100)).await.unwrap();
        assert!(database.find_half_sign_in(&[5; 32], at(50)).await.unwrap().is_none(), "purged");
        database.change_user(kim.id, &UserChange::DropSecondFactor, &BY, at(2)).await.unwrap();
        assert_eq!(database.find_user("kim@example.com").await.unwrap().unwrap().second_factor, None);
        assert!(!database.use_recovery_code(kim.id, &[2; 32], at(1)).await.unwrap());
    }
}
