use axum::Router;

use crate::site::Site;

/// The pages for signing in and out, as routes.
pub(crate) fn of<S: Clone + Send + Sync + 'static>(site: &Site) -> Router<S> {
    let paths = site.shared.paths.all(&site.shared.providers);
    paths.iter().fold(Router::new(), |router, path| router.route_service(path, site.service()))
}
