use bevy::prelude::*;
use bevy_httpoll::prelude::*;

fn main() {
    App::new()
        // Before AssetPlugin, which is in DefaultPlugins.
        .add_plugins((HttpollAssetPlugin::default(), DefaultPlugins, HttpollPlugin::default()))
        .add_systems(Startup, load)
        .add_systems(Update, show)
        .run();
}

#[derive(Resource)]
struct Level(Handle<LevelText>);

fn load(assets: Res<AssetServer>, mut commands: Commands) {
    commands.insert_resource(Level(assets.load("https://cdn.example/levels/1.txt")));
}

fn show(level: Res<Level>, texts: Res<Assets<LevelText>>, mut shown: Local<bool>) {
    if let Some(text) = texts.get(&level.0).filter(|_| !*shown) {
        println!("the level: {}", text.0);
        *shown = true;
    }
}
