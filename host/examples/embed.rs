//! The least that an engine writes: a tenant, an action, its result. Without `AUTH0_DOMAIN` and `AUTH0_TOKEN` in
//! the environment it talks to the offline tenant.
use auth0_emulator::{Emulator, Seed};
use auth0_host::{Credentials, Host, Settings};
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let demo = Emulator::builder().seed(Seed::demo()).start().await?;
    let secret = Credentials::client_secret(demo.client_id(), demo.client_secret());
    let settings = match std::env::var("AUTH0_DOMAIN") {
        Ok(own) => Settings::new(own.parse()?).credentials(Credentials::token(std::env::var("AUTH0_TOKEN")?)),
        _ => Settings::new(demo.domain().parse()?).base_url(demo.base_url().parse()?).credentials(secret),
    };
    let tenant = Host::new()?.tenant(settings).await?;
    let users = tenant.run("list-users", serde_json::json!({"limit": 2})).await?;
    println!("{users}");
    Ok(())
}
