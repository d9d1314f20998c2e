use bevy::prelude::*;
use bevy::window::RequestRedraw;
use bevy_httpoll::prelude::*;

fn stay_awake_for_http(app: &mut App) {
    app.add_systems(Last, keep_awake.after(HttpollSystems::Flush));
}

fn keep_awake(http: Res<HttpAgent>, mut redraw: MessageWriter<RequestRedraw>) {
    if http.needs_frames() {
        redraw.write(RequestRedraw);
    }
}
