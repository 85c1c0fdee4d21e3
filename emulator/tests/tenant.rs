//! The rest of the tenant: logs, applications, connections, settings, mail, TLS.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that panics is a test that fails")]

mod support;

use std::sync::Arc;

use auth0_emulator::{Emulator, Seed};
use base64::Engine as _;
use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use support::{Answer, Bench, demo};

#[tokio::test]
async fn a_created_user_leaves_two_rows_without_the_password() {
    let bench = demo().await;
    let body = json!({"connection": "Username-Password-Authentication", "email": "ana@acme.example", "password": "Passw0rd!x"});
    let user = bench.api("POST", "/users", Some(body)).await.json;
    let rows = bench.get("/logs?per_page=3&fields=type,description,details,user_id").await.json;
    let types: Vec<&str> = rows.as_array().unwrap().iter().map(|row| row["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["sapi", "svr", "ss"]);
    let sapi = &rows[0];
    assert_eq!(sapi["description"], "Create a User");
    assert_eq!(sapi["details"]["request"]["path"], "/api/v2/users");
    assert_eq!(sapi["details"]["request"]["method"], "post");
    assert_eq!(sapi["details"]["request"]["body"]["password"], "*****");
    assert!(!rows.to_string().contains("Passw0rd"));
    let path = format!("/users/{}/logs", user["user_id"].as_str().unwrap().replace('|', "%7C"));
    assert_eq!(bench.get(&path).await.json[0]["type"], "svr");
}

#[tokio::test]
async fn the_log_reads_by_checkpoint_without_gap_or_repeat() {
    let bench = demo().await;
    let all: Vec<String> =
        bench.control.logs().iter().map(|row| row["log_id"].as_str().unwrap().to_owned()).collect();
    assert!(all.is_sorted() && all.iter().all(|id| id.len() == 56), "{all:?}");
    let mut seen = vec![all[0].clone()];
    let mut path = format!("/logs?from={}&take=2&q=ignored:yes", all[0]);
    path.truncate(path.find("&q=").unwrap());
    loop {
        let answer = bench.get(&path).await;
        let rows = answer.json.as_array().unwrap().clone();
        let link = answer.headers["link"].to_str().unwrap().to_owned();
        let next = link.strip_prefix('<').unwrap().split('>').next().unwrap();
        assert!(link.ends_with("; rel=\"next\"") && next.starts_with(bench.tenant.base_url()), "{link}");
        if rows.is_empty() {
            assert!(next.ends_with(&path), "nothing new: the same page again");
            break;
        }
        seen.extend(rows.iter().map(|row| row["log_id"].as_str().unwrap().to_owned()));
        path = next.split("/api/v2").nth(1).unwrap().to_owned();
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn the_log_searches_whole_values_and_refuses_unknown_fields() {
    let bench = demo().await;
    let answer = bench.get("/logs?q=type:sapi%20AND%20description:%22Rotate%20a%20client%20secret%22").await;
    assert_eq!(answer.json.as_array().unwrap().len(), 1);
    let desk = bench.client_named("Acme Support Desk");
    assert_eq!(answer.json[0]["details"]["request"]["path"], format!("/api/v2/clients/{desk}/rotate-secret"));
    assert_eq!(bench.get("/logs?q=description:Rotate").await.json, json!([]));
    let answer = bench.get("/logs?q=user_email:x").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_query_string"));
    let answer = bench.get("/logs?page=10&per_page=100").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (400, "invalid_paging"));
    let answer = bench.get("/logs?include_totals=true&per_page=2").await;
    assert_eq!((&answer.json["total"], &answer.json["length"]), (&json!(2), &json!(2)));
    // Not today's: that of the newest row may be yesterday by now.
    let newest = bench.control.logs().pop().unwrap();
    let day = newest["date"].as_str().unwrap().split('T').next().unwrap();
    let answer = bench.get(&format!("/logs?q=date:%5B{day}%20TO%20*%5D&per_page=100")).await;
    assert!(answer.json.as_array().unwrap().iter().all(|row| row["date"].as_str().unwrap() >= day));
    let id = answer.json[0]["log_id"].as_str().unwrap();
    assert_eq!(bench.get(&format!("/logs/{id}")).await.json["log_id"], id);
    assert_eq!(bench.get("/logs/900").await.status, 404);
}

#[tokio::test]
async fn rotating_a_secret_makes_the_old_one_useless() {
    let bench = demo().await;
    let billing = bench.client_named("Acme Billing");
    let secret =
        |bench: &Bench| bench.control.client(&billing).unwrap()["client_secret"].as_str().unwrap().to_owned();
    let old = secret(&bench);
    let answer = bench.api("POST", &format!("/clients/{billing}/rotate-secret"), None).await;
    assert_eq!(answer.status, 200);
    let new = answer.json["client_secret"].as_str().unwrap().to_owned();
    assert!(new.len() == 64 && new != old && new == secret(&bench));
    for (secret, status) in [(old, 401), (new, 200)] {
        let body = json!({"grant_type": "client_credentials", "client_id": billing, "client_secret": secret, "audience": bench.tenant.audience()});
        let answer = bench.raw(Method::POST, "/oauth/token", &[], Some(body)).await.unwrap();
        assert_eq!(answer.status, status);
    }
    let ledger = bench.client_named("Acme Ledger");
    assert_eq!(bench.api("POST", &format!("/clients/{ledger}/rotate-secret"), None).await.status, 400);
    let keys = bench.get(&format!("/clients/{ledger}/credentials")).await;
    assert!(keys.json[0]["created_at"].is_string() && keys.json[0].get("pem").is_none());
    assert!(!serde_json::to_string(&bench.control.logs()).unwrap().contains(&secret(&bench)));
}

#[tokio::test]
async fn scopes_decide_what_an_application_shows() {
    let mut bench = demo().await;
    let billing = bench.client_named("Acme Billing");
    let path = format!("/clients/{billing}");
    assert!(bench.get(&path).await.json["client_secret"].is_string());
    assert_eq!(bench.control.logs().last().unwrap()["type"], "mgmt_api_read");
    for (scopes, settings) in [(&["read:clients"][..], true), (&["read:client_summary"][..], false)] {
        bench.control.set_scopes(scopes);
        bench.token = bench.fresh_token().await;
        let answer = bench.get(&path).await;
        assert!(answer.json.get("client_secret").is_none());
        assert_eq!(answer.json.get("grant_types").is_some(), settings);
        assert_eq!(answer.json["name"], "Acme Billing");
        assert_eq!(bench.get(&format!("{path}?fields=client_secret")).await.code(), "insufficient_scope");
    }
    let list = bench.get("/clients?fields=client_id&is_global=false&include_totals=true").await;
    assert_eq!(list.json["total"], 7);
    assert_eq!(list.json["clients"][0].as_object().unwrap().len(), 2, "client_id and tenant");
}

#[tokio::test]
async fn client_metadata_merges_and_keeps_its_limits() {
    let bench = demo().await;
    let path = format!("/clients/{}", bench.client_named("Acme Reports"));
    let patch =
        |metadata: Value| bench.api("PATCH", &path, Some(json!({"client_metadata": metadata}))).map_json();
    assert_eq!(patch(json!({"a": "1", "b": "2"})).await["client_metadata"], json!({"a": "1", "b": "2"}));
    assert_eq!(patch(json!({"a": null, "c": "3"})).await["client_metadata"], json!({"b": "2", "c": "3"}));
    assert_eq!(patch(json!({"n": 1})).await["errorCode"], "invalid_body");
    let many: serde_json::Map<_, _> = (0..11).map(|n| (format!("k{n}"), json!("v"))).collect();
    assert_eq!(patch(many.into()).await["errorCode"], "invalid_body");
    let made = bench.api("POST", "/clients", Some(json!({"name": "Fresh"}))).await;
    assert_eq!(
        (made.status.as_u16(), &made.json["jwt_configuration"]["lifetime_in_seconds"]),
        (201, &json!(36000))
    );
    let gone = format!("/clients/{}", made.json["client_id"].as_str().unwrap());
    for _ in 0..2 {
        assert_eq!(bench.api("DELETE", &gone, None).await.status, 204);
    }
    assert_eq!(bench.get(&gone).await.code(), "inexistent_client");
}

trait MapJson {
    async fn map_json(self) -> Value;
}

impl<F: Future<Output = Answer>> MapJson for F {
    async fn map_json(self) -> Value {
        self.await.json
    }
}

#[tokio::test]
async fn connections_list_in_both_paging_styles() {
    let bench = demo().await;
    let list = bench.get("/connections?take=1").await;
    assert_eq!(list.json["connections"][0]["name"], "Username-Password-Authentication");
    let next = list.json["next"].as_str().unwrap();
    let list = bench.get(&format!("/connections?take=1&from={next}")).await;
    assert_eq!(list.json["connections"][0]["strategy"], "google-oauth2");
    assert!(list.json.get("next").is_none());
    let list = bench.get("/connections?strategy=auth0&fields=id,name").await;
    let id = list.json[0]["id"].as_str().unwrap();
    assert_eq!(list.json[0].as_object().unwrap().len(), 2);
    let clients = bench.get(&format!("/connections/{id}/clients")).await;
    assert_eq!(clients.json["clients"].as_array().unwrap().len(), 7);
    let made = bench.api("POST", "/connections", Some(json!({"name": "people", "strategy": "auth0"}))).await;
    assert_eq!(made.status, 201);
    let again = bench.api("POST", "/connections", Some(json!({"name": "people", "strategy": "auth0"}))).await;
    assert_eq!(again.status, 409);
    let path = format!("/connections/{}", made.json["id"].as_str().unwrap());
    assert_eq!(bench.api("DELETE", &path, None).await.status, 202);
    assert_eq!(bench.get(&path).await.code(), "inexistent_connection");
}

#[tokio::test]
async fn settings_provider_and_templates_answer_like_auth0() {
    let bench = demo().await;
    assert_eq!(
        bench.get("/tenants/settings?fields=friendly_name").await.json,
        json!({"friendly_name": "Acme"})
    );
    assert_eq!(bench.get("/emails/provider").await.json, json!({"name": "sendgrid", "enabled": true}));
    let full =
        "/emails/provider?fields=name,enabled,credentials,settings,default_from_address&include_fields=true";
    let answer = bench.get(full).await;
    assert_eq!(answer.json["credentials"], json!({}));
    assert_eq!(answer.json["default_from_address"], "Acme People <people@acme.example>");
    let mailgun = json!({"name": "mailgun", "credentials": {"api_key": "k", "domain": "mg.acme.example", "region": "eu"}});
    assert_eq!(bench.api("POST", "/emails/provider", Some(mailgun.clone())).await.status, 409);
    let answer = bench.api("PATCH", "/emails/provider", Some(mailgun)).await;
    assert_eq!(answer.json["credentials"], json!({"domain": "mg.acme.example", "region": "eu"}));
    for _ in 0..2 {
        assert_eq!(bench.api("DELETE", "/emails/provider", None).await.status, 204);
    }
    assert_eq!(bench.get("/emails/provider").await.code(), "inexistent_email_provider");
    assert_eq!(bench.get("/email-templates/welcome_email").await.code(), "inexistent_email_template");
    let template = json!({"template": "welcome_email", "body": "hi", "from": "a@acme.example", "subject": "Hi", "syntax": "liquid", "enabled": true});
    assert_eq!(bench.api("POST", "/email-templates", Some(template.clone())).await.status, 200);
    assert_eq!(bench.api("POST", "/email-templates", Some(template)).await.status, 409);
}

#[tokio::test]
async fn each_mail_provider_accepts_its_own_way_of_asking() {
    let bench = demo().await;
    let (base, key) = (bench.tenant.mail_base_url().to_owned(), bench.tenant.mail_api_key().to_owned());
    let bearer = format!("Bearer {key}");
    let post = |path: &str, auth: &str, body: Value| {
        let (url, auth, bench) = (format!("{base}{path}"), auth.to_owned(), &bench);
        async move { bench.raw(Method::POST, &url, &[("authorization", &auth)], Some(body)).await.unwrap() }
    };
    let sendgrid = json!({
        "personalizations": [{"to": [{"email": "a@b.co"}]}], "from": {"email": "x@acme.example", "name": "Acme"},
        "subject": "Hi", "content": [{"type": "text/html", "value": "<p>Hi</p>"}],
    });
    assert_eq!(post("/v3/mail/send", &bearer, sendgrid.clone()).await.status, 202);
    let refused = post("/v3/mail/send", "Bearer wrong", sendgrid).await;
    assert_eq!(refused.status, 401);
    assert!(refused.json["errors"][0]["message"].is_string());
    assert_eq!(post("/v3/mail/send", &bearer, json!({})).await.status, 400);
    let message = json!({"from_email": "x@acme.example", "to": [{"email": "a@b.co"}], "subject": "Hi", "html": "<p>Hi</p>"});
    let answer = post("/api/1.0/messages/send.json", "", json!({"key": key, "message": message})).await;
    assert_eq!(answer.json[0]["status"], "sent");
    let answer = post("/api/1.0/messages/send", "", json!({"key": "no", "message": message})).await;
    assert_eq!((answer.status.as_u16(), &answer.json["name"]), (401, &json!("Invalid_Key")));
    let rejected =
        json!({"from_email": "x@acme.example", "to": [{"email": "rejected@b.co"}], "subject": "Hi"});
    let answer = post("/api/1.0/messages/send", "", json!({"key": key, "message": rejected})).await;
    assert_eq!(answer.json[0]["status"], "rejected");
    let sparkpost = json!({"recipients": [{"address": {"email": "a@b.co"}}], "content": {"from": "Acme <x@acme.example>", "subject": "Hi", "html": "<p>Hi</p>"}});
    let answer = post("/api/v1/transmissions", &key, sparkpost).await;
    assert_eq!(answer.json["results"]["total_accepted_recipients"], 1);
    let resend =
        json!({"from": "Acme <x@acme.example>", "to": ["a@b.co"], "subject": "Hi", "html": "<p>Hi</p>"});
    assert!(post("/emails", &bearer, resend).await.json["id"].is_string());
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("api:{key}")));
    let urlencoded = (
        "application/x-www-form-urlencoded",
        "from=Acme+%3Cx%40acme.example%3E&to=a%40b.co&subject=Hi&html=%3Cp%3EHi%3C%2Fp%3E".to_owned(),
    );
    let part = |name: &str, value: &str| {
        format!("--B\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let multipart = (
        "multipart/form-data; boundary=B",
        part("from", "Acme <x@acme.example>")
            + &part("to", "a@b.co")
            + &part("subject", "Hi")
            + &part("html", "<p>Hi</p>")
            + "--B--\r\n",
    );
    for (kind, body) in [urlencoded, multipart] {
        let request = Request::post(format!("{base}/v3/mg.acme.example/messages"))
            .header("authorization", &basic)
            .header("content-type", kind)
            .body(Full::from(body))
            .unwrap();
        let answer = bench.send(request).await.unwrap();
        assert_eq!(answer.json["message"], "Queued. Thank you.", "{}", answer.text);
    }
    let outbox = bench.control.outbox();
    let providers: Vec<&str> = outbox.iter().map(|mail| mail.provider.as_str()).collect();
    assert_eq!(providers, ["sendgrid", "mandrill", "sparkpost", "resend", "mailgun", "mailgun"]);
    for mail in &outbox {
        assert_eq!((mail.from.as_str(), mail.to.as_slice()), ("x@acme.example", &["a@b.co".to_owned()][..]));
        assert_eq!((mail.subject.as_str(), mail.html.as_deref()), ("Hi", Some("<p>Hi</p>")));
    }
    assert_eq!(outbox[5].domain.as_deref(), Some("mg.acme.example"));
    assert_eq!(bench.control.counters().mails_accepted, 6);
    assert!(
        !serde_json::to_string(&bench.control.requests()).unwrap().contains(&key),
        "the record holds no key"
    );
}

#[tokio::test]
async fn sparkpost_shows_what_a_reader_would_see() {
    let bench = demo().await;
    let escaped = "{{opening_double_curly()}}name{{closing_double_curly()}}";
    let mail = json!({"recipients": [{"address": {"email": "a@b.co"}}],
        "content": {"from": "x@acme.example", "subject": escaped, "html": escaped, "text": escaped}});
    let url = format!("{}/api/v1/transmissions", bench.tenant.mail_base_url());
    let key = bench.tenant.mail_api_key().to_owned();
    assert_eq!(
        bench.raw(Method::POST, &url, &[("authorization", &key)], Some(mail)).await.unwrap().status,
        200
    );
    let mail = bench.control.outbox().remove(0);
    assert_eq!(mail.subject, "{{name}}");
    assert_eq!((mail.html.as_deref(), mail.text.as_deref()), (Some("{{name}}"), Some("{{name}}")));
}

#[tokio::test]
async fn a_read_of_applications_is_logged_if_and_only_if_it_returned_a_secret() {
    let bench = demo().await;
    let id = bench.tenant.client_id();
    for (path, logged) in [
        ("/clients".to_owned(), true),
        ("/clients?include_totals=true".to_owned(), true),
        ("/clients?take=5".to_owned(), true),
        ("/clients?fields=client_secret&include_fields=true".to_owned(), true),
        ("/clients?fields=client_id,name&include_fields=true".to_owned(), false),
        ("/clients?fields=client_secret&include_fields=false&include_totals=true".to_owned(), false),
        ("/clients?fields=client_id,name&take=5".to_owned(), false),
        ("/clients?page=9".to_owned(), false),
        (format!("/clients/{id}"), true),
        (format!("/clients/{id}?fields=name"), false),
    ] {
        let rows = || {
            let logs = bench.control.logs();
            logs.iter().filter(|row| row["type"] == "mgmt_api_read").count()
        };
        let before = rows();
        let answer = bench.get(&path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(answer.text.contains("\"client_secret\":"), logged, "{path}");
        assert_eq!(rows() - before, usize::from(logged), "{path}");
    }
}

#[tokio::test]
async fn a_tenant_does_not_start_with_a_role_that_nobody_defined() {
    let mut seed = Seed::demo();
    seed.users[1].roles.push("No Such Role".to_owned());
    let error = Emulator::builder().seed(seed).start().await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("users[1].roles") && cause.contains("`No Such Role`"), "{cause}");
}

#[tokio::test]
async fn ids_repeat_from_run_to_run_while_secrets_do_not() {
    let (one, other) = (demo().await, demo().await);
    assert_eq!(one.control.roles(), other.control.roles());
    assert_eq!(one.id("mira.olsen@acme.example"), other.id("mira.olsen@acme.example"));
    assert_eq!(one.tenant.client_id(), other.tenant.client_id());
    assert_ne!(one.tenant.client_secret(), other.tenant.client_secret());
}

#[tokio::test]
async fn organizations_live_and_die_with_404_at_the_second_delete() {
    let bench = demo().await;
    let made = bench.api("POST", "/organizations", Some(json!({"name": "north"}))).await;
    assert_eq!(made.status, 201);
    assert_eq!(
        bench.api("POST", "/organizations", Some(json!({"name": "north"}))).await.code(),
        "organization_conflict"
    );
    let path = format!("/organizations/{}", made.json["id"].as_str().unwrap());
    assert_eq!(bench.get("/organizations/name/north").await.json["id"], made.json["id"]);
    assert_eq!(bench.api("DELETE", &path, None).await.status, 204);
    assert_eq!(bench.api("DELETE", &path, None).await.status, 404);
}

#[tokio::test]
async fn tls_speaks_http2_and_http1_under_its_own_ca() {
    let tenant = Emulator::builder().seed(Seed::demo()).tls(true).start().await.unwrap();
    assert!(tenant.base_url().starts_with("https://localhost:"));
    for protocol in ["h2", "http/1.1"] {
        let (version, answer) = discover(&tenant, protocol).await;
        assert_eq!(version, if protocol == "h2" { http::Version::HTTP_2 } else { http::Version::HTTP_11 });
        assert_eq!(answer["issuer"], format!("https://{}/", tenant.domain()));
    }
    let versions: Vec<String> =
        tenant.control().requests().into_iter().map(|request| request.version).collect();
    assert_eq!(versions, ["HTTP/2.0", "HTTP/1.1"]);
}

async fn discover(tenant: &Emulator, protocol: &str) -> (http::Version, Value) {
    use rustls::pki_types::pem::PemObject as _;
    let ca = rustls::pki_types::CertificateDer::from_pem_slice(tenant.ca_pem().unwrap().as_bytes()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let port = tenant.base_url().rsplit(':').next().unwrap();
    let stream = tokio::net::TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    let uri = format!("{}/.well-known/openid-configuration", tenant.base_url());
    let request = Request::get(uri).header("host", "localhost").body(Full::<Bytes>::default());
    let io = TokioIo::new(stream);
    let response = if protocol == "h2" {
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get(format!("{}/.well-known/openid-configuration", tenant.base_url()));
        sender.send_request(request.body(Full::<Bytes>::default()).unwrap()).await.unwrap()
    } else {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
        tokio::spawn(connection);
        sender.send_request(request.unwrap()).await.unwrap()
    };
    let version = response.version();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (version, serde_json::from_slice(&bytes).unwrap())
}
