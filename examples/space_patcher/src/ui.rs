//! The look: colours, text, panels, buttons, bars, and the places of the panels in the window.

use bevy::prelude::*;
use bevy::ui::UiGlobalTransform;
use bevy::window::PrimaryWindow;

use crate::actions::Action;

pub const SPACE: Color = Color::srgb_u8(9, 11, 22);
/// The window is cleared to this, so panels need no background of their own.
const PANEL: Color = Color::srgb_u8(17, 21, 38);
const EDGE: Color = Color::srgb_u8(38, 46, 78);
const TRACK: Color = Color::srgb_u8(30, 37, 64);
pub const TEXT: Color = Color::srgb_u8(222, 229, 250);
pub const DIM: Color = Color::srgb_u8(132, 144, 184);
pub const TEAL: Color = Color::srgb_u8(79, 209, 197);
pub const BLUE: Color = Color::srgb_u8(110, 168, 255);
pub const AMBER: Color = Color::srgb_u8(246, 193, 119);
pub const RED: Color = Color::srgb_u8(242, 97, 122);
pub const GREEN: Color = Color::srgb_u8(123, 216, 143);

/// The window's size; the layout follows if the player changes it.
pub const WIDTH: u32 = 960;
pub const HEIGHT: u32 = 540;

/// The width of the column of panels.
const COLUMN: f32 = 340.0;

/// Where the panels are.
#[derive(Resource)]
pub struct Slots {
    /// The part of the window that the sprites are seen in.
    pub view: Entity,
    pub caption: Entity,
    pub graph: Entity,
    pub faults: Entity,
    pub patch: Entity,
    pub gallery: Entity,
    pub leaderboard: Entity,
    pub chat: Entity,
}

/// On a button: whether what it stands for is on.
#[derive(Component)]
pub struct Toggle {
    pub is_on: bool,
    /// Its colour while it is on.
    color: Color,
}

/// On the moving part of a bar: how far it is, from 0 to 1.
#[derive(Component, Default)]
pub struct Bar(pub f32);

pub fn plugin(app: &mut App) {
    app.insert_resource(ClearColor(PANEL))
        .add_systems(Startup, build)
        .add_systems(PostUpdate, (paint_buttons, move_bars));
}

/// Makes the camera and the empty panels.
pub fn build(mut commands: Commands) {
    commands.spawn((Camera2d, Msaa::Off));
    let root = commands
        .spawn(Node {
            width: percent(100),
            height: percent(100),
            ..default()
        })
        .id();
    let left = column(&mut commands, root, px(0), 1.0);
    let right = column(&mut commands, root, px(COLUMN), 0.0);

    let view = Node {
        flex_grow: 1.0,
        align_items: AlignItems::End,
        justify_content: JustifyContent::SpaceBetween,
        padding: UiRect::axes(px(12), px(8)),
        ..default()
    };
    let view = commands.spawn((view, ChildOf(left))).id();
    commands.spawn((
        Node {
            position_type: PositionType::Absolute,
            left: px(12),
            top: px(8),
            ..default()
        },
        ChildOf(view),
        children![text("SPACE PATCHER", 20.0, TEXT)],
    ));
    let graph = panel(&mut commands, left, "frame times", 0.0);
    let faults = commands.spawn((row(), ChildOf(graph))).id();
    let slots = Slots {
        view,
        caption: view,
        graph,
        faults,
        patch: panel(&mut commands, right, "patch, by a manifest", 0.0),
        gallery: panel(&mut commands, right, "pictures, by the asset server", 0.0),
        leaderboard: panel(&mut commands, right, "leaderboard, polled", 0.0),
        chat: panel(&mut commands, right, "chat, over a WebSocket", 1.0),
    };
    commands.insert_resource(slots);
}

fn column(commands: &mut Commands, root: Entity, width: Val, grow: f32) -> Entity {
    let node = Node {
        flex_basis: width,
        min_width: px(0),
        flex_grow: grow,
        flex_shrink: 0.0,
        flex_direction: FlexDirection::Column,
        // Nothing that is too wide may move the other column.
        overflow: Overflow::clip(),
        ..default()
    };
    commands.spawn((node, ChildOf(root))).id()
}

/// A panel with a heading. `grow` is 1 for those that take what is left of the column.
fn panel(commands: &mut Commands, column: Entity, heading: &str, grow: f32) -> Entity {
    commands
        .spawn((
            Node {
                flex_direction: FlexDirection::Column,
                flex_grow: grow,
                row_gap: px(4),
                padding: UiRect::new(px(12), px(12), px(6), px(7)),
                ..default()
            },
            ChildOf(column),
            children![line(), text(heading, 11.0, DIM)],
        ))
        .id()
}

/// The upper edge of a panel.
fn line() -> impl Bundle {
    (
        Node {
            position_type: PositionType::Absolute,
            left: px(0),
            right: px(0),
            top: px(0),
            height: px(1),
            ..default()
        },
        BackgroundColor(EDGE),
    )
}

/// Things side by side.
pub fn row() -> Node {
    Node {
        column_gap: px(6),
        align_items: AlignItems::Center,
        ..default()
    }
}

pub fn text(content: impl Into<String>, size: f32, color: Color) -> impl Bundle {
    (
        Text::new(content),
        TextFont::from_font_size(size),
        TextColor(color),
        TextLayout::no_wrap(),
    )
}

/// A button for an action, which `actions` carries out. It is drawn in `color` while it is on.
pub fn button(action: Action, label: &str, color: Color) -> impl Bundle {
    (
        action,
        Toggle {
            is_on: false,
            color,
        },
        Node {
            padding: UiRect::axes(px(8), px(3)),
            border: UiRect::all(px(1)),
            border_radius: BorderRadius::all(px(5)),
            ..default()
        },
        BackgroundColor(TRACK),
        BorderColor::all(EDGE),
        children![text(label, 12.0, TEXT)],
    )
}

/// The track of a progress bar. Its moving part, with `mark`, has [`Bar`].
pub fn bar(mark: impl Bundle, color: Color) -> impl Bundle {
    (
        Node {
            flex_grow: 1.0,
            height: px(10),
            border_radius: BorderRadius::all(px(5)),
            overflow: Overflow::clip(),
            ..default()
        },
        BackgroundColor(TRACK),
        children![(
            mark,
            Bar::default(),
            Node {
                width: percent(0),
                height: percent(100),
                border_radius: BorderRadius::all(px(5)),
                ..default()
            },
            BackgroundColor(color),
        )],
    )
}

/// Shortens a line to what fits.
pub fn shorten(line: &str, letters: usize) -> String {
    match line.char_indices().nth(letters) {
        Some((end, _)) => format!("{}..", &line[..end]),
        None => line.to_owned(),
    }
}

/// The last letters of a line.
pub fn end_of(line: &str, letters: usize) -> &str {
    let hidden = line.chars().count().saturating_sub(letters);
    let start = line
        .char_indices()
        .nth(hidden)
        .map_or(line.len(), |it| it.0);
    &line[start..]
}

fn paint_buttons(
    window: Single<&Window, With<PrimaryWindow>>,
    mut buttons: Query<(
        &Toggle,
        &ComputedNode,
        &UiGlobalTransform,
        &mut BackgroundColor,
        &mut BorderColor,
    )>,
) {
    let cursor = window.physical_cursor_position();
    for (toggle, node, transform, mut background, mut border) in &mut buttons {
        let is_under = cursor.is_some_and(|at| node.contains_point(*transform, at));
        let (fill, edge) = match (toggle.is_on, is_under) {
            (true, _) => (TRACK.mix(&toggle.color, 0.55), toggle.color),
            (false, true) => (TRACK.mix(&TEXT, 0.12), DIM),
            (false, false) => (TRACK, EDGE),
        };
        background.set_if_neq(BackgroundColor(fill));
        border.set_if_neq(BorderColor::all(edge));
    }
}

fn move_bars(mut bars: Query<(&Bar, &mut Node), Changed<Bar>>) {
    for (bar, mut node) in &mut bars {
        node.width = percent(bar.0.clamp(0.0, 1.0) * 100.0);
    }
}
