//! The token endpoint, introspection, and signing in.

use proviso_testkit::bench::contest::{Contestant, contest};
use proviso_testkit::bench::floor::{bare_argon2, group_commit};
use proviso_testkit::bench::hello::Hello;
use proviso_testkit::bench::load::Shot;
use proviso_testkit::bench::table::Unit;
use proviso_testkit::browser::Browser;
use proviso_testkit::http_client::form_encode;
use proviso_testkit::process::Server;
use proviso_testkit::smart_app::{basic, client_secret};

use crate::Bench;
use crate::served::{Connection, READING, embedded, process_of};

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const AT_A_TIME: usize = 16;
const HELLO: &str = "hello on the same HTTP stack";
const COMMIT: &str = "bare group commit, 16 waiting";
const ARGON2: &str = "bare argon2id, one at a time";

pub(crate) async fn measure_tokens(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let server = embedded(bench).await?;
    let connection = Connection::of(&server.origin, "maria", READING).await?;
    let introspection = introspection(bench, &server, &connection)?;
    let hello = Hello::start(1024).await?;
    bench.cores.place(hello.id)?;
    let greeting = Shot::post(&hello.url, &[FORM], introspection.body.clone(), 200);
    let floor = bench.folder().join("floor.db");
    let (path, origin, process) = (&floor, server.origin.as_str(), [process_of(&server)?]);
    let hellos = || {
        Contestant::http(HELLO, vec![greeting.clone()], AT_A_TIME, &[hello.id]).cpu_against(HELLO)
    };
    let issued = vec![
        Contestant::own(COMMIT, move |time| Box::pin(group_commit(path, AT_A_TIME, time))),
        // A refresh token may be presented again for a minute (a lost answer is no theft), so a
        // fresh one is made for each pass and each answer issues a new access token.
        Contestant::prepared(
            "access token issued by refresh",
            move || {
                Box::pin(async move {
                    let fresh = Connection::of(origin, "james", READING).await?;
                    Ok(vec![refresh(origin, fresh.tokens.refresh())])
                })
            },
            AT_A_TIME,
            &process,
        )
        .cpu_against(HELLO),
        hellos(),
    ];
    let asked = vec![
        hellos(),
        Contestant::http("introspection", vec![introspection], AT_A_TIME, &process)
            .cpu_against(HELLO),
    ];
    // Apart, so that a restless disk does not hide what needs none.
    let notes = ["each token waits for its durable entry, as the floor's rows do".to_owned()];
    let title = "access tokens issued by refresh, 16 at a time";
    let issued = contest(title, Unit::PerSecond, &notes, bench.pace, issued).await?;
    let title = "introspection, 16 at a time";
    let asked = contest(title, Unit::PerSecond, &[], bench.pace, asked).await?;
    server.interrupt().await?;
    Ok(vec![issued.raw, asked.raw])
}

fn introspection(bench: &Bench, server: &Server, connection: &Connection) -> anyhow::Result<Shot> {
    let file = bench.folder().join("embedded/data").join(proviso::demo::CLIENTS_FILE);
    let clients = serde_json::from_slice(&std::fs::read(file)?)?;
    let secret = client_secret(&clients, "bill-helper")
        .ok_or_else(|| anyhow::anyhow!("no secret of bill-helper"))?;
    let proof = basic("bill-helper", &secret);
    let headers = [FORM, ("authorization", proof.as_str())];
    let body = form_encode(&[("token", connection.tokens.access())]);
    Ok(Shot::post(server.url("/oauth/introspect"), &headers, body, 200))
}

fn refresh(origin: &str, token: &str) -> Shot {
    let body = form_encode(&[
        ("grant_type", "refresh_token"),
        ("client_id", "glucose-coach"),
        ("refresh_token", token),
    ]);
    Shot::post(format!("{origin}/oauth/token"), &[FORM], body, 200)
}

pub(crate) async fn measure_logins(bench: &Bench) -> anyhow::Result<Vec<serde_json::Value>> {
    let server = embedded(bench).await?;
    let browser = Browser::open(&server.url("/login")).await?;
    let form = browser.form_with("password")?;
    let csrf = form.controls.iter().find(|control| control.name() == "csrf");
    let csrf = csrf.map_or("", |control| control.value()).to_owned();
    let cookies: Vec<String> =
        browser.cookies().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let cookies = cookies.join("; ");
    let headers = [FORM, ("cookie", cookies.as_str()), ("origin", server.origin.as_str())];
    let fields = [("csrf", csrf.as_str()), ("username", "maria"), ("password", "proviso-demo")];
    // 303 is what somebody with a good password gets, on the way to their first page.
    let login = Shot::post(server.url("/login"), &headers, form_encode(&fields), 303);
    let process = [process_of(&server)?];
    let contestants = vec![
        Contestant::calls(ARGON2, bare_argon2).cpu_against(ARGON2),
        Contestant::http("signing in, 2 at a time", vec![login], 2, &process)
            .cpu_against(ARGON2)
            .without_tail(),
    ];
    let title = "signing in: one password check, a session, a durable entry";
    let told = contest(title, Unit::PerSecond, &[], bench.pace, contestants).await?;
    server.interrupt().await?;
    Ok(vec![told.raw])
}
