//! A browser, as far as the back office needs one: it keeps every cookie that it is given.

use reqwest::StatusCode;

use crate::app::{Answer, TestApp};

pub(crate) struct Browser<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) cookies: Vec<(String, String)>,
}

impl<'a> Browser<'a> {
    pub(crate) fn new(app: &'a TestApp) -> Self {
        let cookies = Vec::new();
        Self { app, cookies }
    }

    /// With one cookie already.
    pub(crate) fn of(app: &'a TestApp, cookie: &str) -> Self {
        let (name, value) = cookie.split_once('=').unwrap();
        let cookies = vec![(name.to_owned(), value.to_owned())];
        Self { app, cookies }
    }

    pub(crate) fn cookie(&self) -> String {
        let pairs = self.cookies.iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("; ")
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.cookies.iter().any(|(known, _)| known == name)
    }

    pub(crate) async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let request = request
            .header("cookie", self.cookie())
            .header("accept", "text/html")
            .header("sec-fetch-site", "same-origin");
        let answer = self.app.send(request).await;
        for set in answer.headers.get_all("set-cookie") {
            let (pair, _) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    pub(crate) async fn open(&mut self, path: &str) -> Answer {
        let request = self.app.client.get(self.app.url(path));
        self.send(request).await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.app.client.post(self.app.url(path)).form(form);
        self.send(request).await
    }

    /// A page that is there.
    pub(crate) async fn read(&mut self, path: &str) -> String {
        let answer = self.open(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        answer.text
    }

    /// Where a form leads.
    pub(crate) async fn leads(&mut self, path: &str, form: &[(&str, &str)]) -> String {
        let answer = self.post(path, form).await;
        let (status, text) = (answer.status, &answer.text);
        assert_eq!(status, StatusCode::SEE_OTHER, "{path}: {text}");
        answer.headers["location"].to_str().unwrap().to_owned()
    }
}
