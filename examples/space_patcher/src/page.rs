//! What is different in a web page: the server is the one that the page came from, and faults are sent to it.

use bevy::prelude::*;
use bevy_httpoll::prelude::*;
use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::faults::Faults;
use crate::site::Site;

pub fn plugin(app: &mut App) {
    if let Some(origin) = property(&js_sys::global(), "location")
        .and_then(|location| property(&location, "origin"))
        .and_then(|origin| origin.as_string())
    {
        app.insert_resource(Site(origin));
    }
    app.add_systems(Update, report_faults);
    let query = property(&js_sys::global(), "location")
        .and_then(|location| property(&location, "search"))
        .and_then(|search| search.as_string());
    if query.is_some_and(|query| query.contains("demo")) {
        app.add_plugins(crate::demo::plugin);
    }
}

fn property(object: &JsValue, name: &str) -> Option<JsValue> {
    Reflect::get(object, &JsValue::from_str(name)).ok()
}

/// The server is another process, so a request tells it which faults are on.
fn report_faults(faults: Res<Faults>, site: Option<Res<Site>>, mut http: Http) {
    if let Some(site) = site
        && faults.is_changed()
    {
        http.post(site.url("faults"))
            .json(&*faults)
            .on_error(|on: On<HttpError>| {
                warn!("the server does not know the faults: {}", on.error)
            });
    }
}
