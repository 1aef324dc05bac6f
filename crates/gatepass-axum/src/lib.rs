//! gatepass for web servers.

mod asked;
mod builder;
mod extract;
mod failed;
mod flow;
mod layer;
mod on_behalf;
mod openid;
mod pages;
mod paths;
mod provider;
mod require_login;
mod return_to;
mod routes;
mod same_origin;
mod service;
mod session;
mod sign_in_needed;
mod sign_out;
mod site;
mod user;
mod visit;

pub use {gatepass, tower_sessions};

pub use self::{
    builder::{Arrival, Builder, Refused},
    extract::Rejection,
    failed::Failed,
    layer::{InSite, SiteLayer},
    on_behalf::OnBehalf,
    provider::Provider,
    require_login::{RequireLogin, RequireLoginLayer},
    service::SignInService,
    sign_in_needed::SignInNeeded,
    site::Site,
    user::User,
};
