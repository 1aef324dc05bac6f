//! What an app posts.

use axum::body::{Body, to_bytes};
use gatepass::Secret;
use http::{Request, StatusCode, header};

use super::answer::Refused;

/// Codes and refresh tokens have a few kilobytes at most.
const MOST: usize = 64 * 1024;

/// The parameters that are understood. Others are ignored (RFC 6749 section 3.2).
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) code: Option<Secret>,
    pub(super) refresh_token: Option<Secret>,
    pub(super) code_verifier: Option<Secret>,
    pub(super) redirect_uri: Option<Secret>,
}

impl Form {
    /// # Errors
    /// What is wrong with the request.
    pub(super) async fn read(request: Request<Body>) -> Result<Self, Refused> {
        let (parts, body) = request.into_parts();
        let content_type = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            let why = "send a form: Content-Type application/x-www-form-urlencoded";
            return Err(Refused::invalid_request(why).status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let text = to_bytes(body, MOST).await;
        Self::parse(&text.map_err(|_| Refused::invalid_request("send the whole form, of 64 KiB at most"))?)
    }

    fn parse(text: &[u8]) -> Result<Self, Refused> {
        let mut form = Self::default();
        for (name, value) in form_urlencoded::parse(text) {
            let field = match &*name {
                "code" => &mut form.code,
                "refresh_token" => &mut form.refresh_token,
                "code_verifier" => &mut form.code_verifier,
                "redirect_uri" => &mut form.redirect_uri,
                _ => continue,
            };
            if field.replace(Secret::new(value)).is_some() {
                return Err(Refused::invalid_request("send each parameter once"));
            }
        }
        // An empty parameter counts as omitted (RFC 6749 section 3.2).
        for field in [&mut form.code, &mut form.refresh_token, &mut form.code_verifier, &mut form.redirect_uri] {
            field.take_if(|value| value.is_empty());
        }
        Ok(form)
    }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn status(refused: &Refused) -> u16 {
        Response::status(&refused.answer()).as_u16()
    }

    async fn read(content_type: &str, body: String) -> Result<Form, u16> {
        let request = Request::post("/swap").header("content-type", content_type).body(Body::from(body)).unwrap();
        Form::read(request).await.map_err(|refused| status(&refused))
    }

    #[test]
    fn rfc6749_5_parameters_come_once_and_empty_ones_not_at_all() {
        let form = Form::parse(b"code=a%2Bb+c&grant_type=x&grant_type=y&redirect_uri=&client_secret=z").unwrap();
        assert_eq!(form.code.unwrap().expose(), "a+b c");
        assert!(form.redirect_uri.is_none() && form.refresh_token.is_none());
        for repeated in
            ["code=a&code=a", "code=&code=a", "refresh_token=a&x=1&refresh_token=", "redirect_uri=a&redirect_uri=b"]
        {
            assert_eq!(
                Form::parse(repeated.as_bytes()).map_err(|refused| status(&refused)).unwrap_err(),
                400,
                "{repeated}"
            );
        }
    }

    #[tokio::test]
    async fn only_forms_are_read_and_only_so_much_of_them() {
        let form = "Application/X-WWW-Form-URLencoded ; charset=utf-8";
        assert!(read(form, "code=a".to_owned()).await.is_ok());
        assert!(read(form, format!("code={}", "a".repeat(64 * 1024 - 5))).await.is_ok());
        assert_eq!(read(form, format!("code={}", "a".repeat(64 * 1024 - 4))).await.unwrap_err(), 400);
        for other in ["application/json", "", "text/plain", "application/x-www-form-urlencoded-not"] {
            assert_eq!(read(other, "code=a".to_owned()).await.unwrap_err(), 415, "{other}");
        }
        assert_eq!(
            Form::read(Request::post("/").body(Body::from("code=a")).unwrap())
                .await
                .map_err(|refused| status(&refused))
                .unwrap_err(),
            415
        );
    }

    #[test]
    fn what_an_app_sends_does_not_show() {
        let form = Form::parse(b"code=s3cr3t&refresh_token=s3cr3t&code_verifier=s3cr3t").unwrap();
        assert!(!format!("{form:?}").contains("s3cr3t"));
    }
}
