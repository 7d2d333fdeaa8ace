"""Faces drawn by a program: a person, an expression with an intensity, and the conditions of a photograph.

An expression is a set of facial actions (after Ekman and Friesen's Facial Action Coding System, 1978): brows, lids, nose, mouth corners,
lips and jaw move by an amount that grows with the intensity. People differ in shape, proportions, skin, hair and how strongly they act.
A drawn face is a check of code, never data about people.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np

from fer_helpers.datasets.table import EXPRESSIONS

SHIFT = 4  # OpenCV draws at sixteenths of a pixel
GRID = 48  # side of the grid on which shading is computed


@dataclass(frozen=True)
class Actions:
    """Facial actions, 0 at rest; the numbers are those of the action units they stand for."""

    inner_brow: float = 0.0  # raised (AU 1)
    outer_brow: float = 0.0  # raised (AU 2)
    frown: float = 0.0  # brows lowered and drawn together (AU 4)
    lids: float = 0.0  # opened (AU 5), below 0 narrowed (AU 6 and 7)
    nose: float = 0.0  # wrinkled, upper lip raised (AU 9 and 10)
    left_corner: float = 0.0  # mouth corner pulled up (AU 12), below 0 down (AU 15)
    right_corner: float = 0.0
    stretch: float = 0.0  # mouth wider (AU 20), below 0 rounder
    press: float = 0.0  # lips pressed (AU 24)
    jaw: float = 0.0  # dropped (AU 25 to 27)


FULL_ACTIONS = {
    "neutral": Actions(),
    "happy": Actions(lids=-0.35, left_corner=1.0, right_corner=1.0, stretch=0.5, jaw=0.25),
    "sad": Actions(
        inner_brow=0.9, outer_brow=-0.5, frown=0.2, lids=-0.35, left_corner=-0.9, right_corner=-0.9, stretch=-0.1
    ),
    "surprise": Actions(inner_brow=1.0, outer_brow=1.0, lids=0.9, stretch=-0.5, jaw=1.0),
    "fear": Actions(
        inner_brow=1.0, outer_brow=0.2, frown=0.4, lids=0.9, left_corner=-0.4, right_corner=-0.4, stretch=0.7, jaw=0.4
    ),
    "disgust": Actions(frown=0.5, lids=-0.5, nose=1.0, left_corner=-0.5, right_corner=-0.5, stretch=0.1, jaw=0.1),
    "anger": Actions(
        inner_brow=-0.4, outer_brow=0.3, frown=1.0, lids=0.15, left_corner=-0.3, right_corner=-0.3, press=1.0
    ),
    "contempt": Actions(outer_brow=0.2, lids=-0.2, left_corner=0.9, right_corner=-0.1, press=0.3),
}


@dataclass(frozen=True)
class Identity:
    """One person: lengths as shares of half the height of the face, colours RGB from 0 to 255."""

    width: float
    chin: float
    eye_height: float
    eye_distance: float
    eye_size: float
    brow_height: float
    brow_thickness: float
    nose_length: float
    nose_width: float
    mouth_height: float
    mouth_width: float
    lip_thickness: float
    hairline: float
    long_hair: bool
    expressiveness: float
    skin: tuple[float, float, float]
    hair: tuple[float, float, float]
    iris: tuple[float, float, float]


def draw_identity(random: np.random.Generator) -> Identity:
    """A person drawn at random."""
    tone = random.uniform(0, 1)
    skin = np.array([245, 212, 188]) * (1 - tone) + np.array([112, 74, 52]) * tone + random.normal(0, 5, 3)
    hair = np.array([[32, 24, 20], [70, 44, 28], [120, 80, 44], [176, 140, 84], [140, 136, 132]])[
        random.choice(5, p=[0.4, 0.25, 0.15, 0.12, 0.08])
    ]
    iris = np.array([[60, 38, 22], [92, 118, 150], [84, 104, 62]])[random.choice(3, p=[0.7, 0.2, 0.1])]
    return Identity(
        width=random.uniform(0.70, 0.84),
        chin=random.uniform(0.45, 0.75),
        eye_height=random.uniform(-0.16, -0.08),
        eye_distance=random.uniform(0.31, 0.37),
        eye_size=random.uniform(0.125, 0.155),
        brow_height=random.uniform(0.19, 0.25),
        brow_thickness=random.uniform(0.04, 0.075),
        nose_length=random.uniform(0.38, 0.48),
        nose_width=random.uniform(0.11, 0.17),
        mouth_height=random.uniform(0.50, 0.58),
        mouth_width=random.uniform(0.25, 0.33),
        lip_thickness=random.uniform(0.04, 0.075),
        hairline=random.uniform(-0.72, -0.52),
        long_hair=bool(random.random() < 0.4),
        expressiveness=random.uniform(0.85, 1.05),
        skin=tuple(np.clip(skin, 30, 255)),
        hair=tuple(np.clip(hair + random.normal(0, 6, 3), 8, 240)),
        iris=tuple(iris.astype(float)),
    )


def actions_of(expression: str, intensity: float, random: np.random.Generator, noise: float = 0.08) -> Actions:
    """The actions of an expression, scaled by its intensity, each a little off as in real faces."""
    full = FULL_ACTIONS[expression]
    return replace(
        full, **{part.name: intensity * getattr(full, part.name) + random.normal(0, noise) for part in fields(full)}
    )


class Canvas:
    """A square picture with the origin in the middle of the face and half the face's height as unit.

    Args:
        side: pixels.
        scale: pixels of one unit.
        centre: where the middle of the face lies, in pixels (x, y).
        tilt: of the head in degrees.
    """

    def __init__(self, side: int, scale: float, centre: tuple[float, float], tilt: float):
        self.pixels = np.zeros((side, side, 3), "uint8")  # OpenCV smooths the edges of what it draws in bytes only
        angle = np.deg2rad(tilt)
        self.scale, self.centre = scale, np.array(centre)
        self.turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def place(self, points) -> np.ndarray:
        """Points (n, 2) of the face in pixels."""
        return np.asarray(points, float) @ self.turn.T * self.scale + self.centre

    def _fixed(self, points) -> np.ndarray:
        return np.round(self.place(points) * 2**SHIFT).astype("int32")

    def fill(self, points, colour) -> None:
        """Fill a polygon given by points of the face."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], _bytes(colour), cv2.LINE_AA, SHIFT)

    def stroke(self, points, colour, thickness: float) -> None:
        """Draw a line through points of the face, its thickness in units of the face."""
        width = max(1, round(thickness * self.scale))
        cv2.polylines(self.pixels, [self._fixed(points)], False, _bytes(colour), width, cv2.LINE_AA, SHIFT)

    def shade(self, spots: list[tuple[float, float, float, float, float]], light: tuple[float, float]) -> None:
        """Darken or brighten soft spots, (x, y, half-width, half-height, share) each, and light the face from a side."""
        side = self.pixels.shape[0]
        axis = (np.arange(GRID) + 0.5) * side / GRID
        grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
        x, y = (((grid - self.centre) / self.scale) @ self.turn).T
        factor = 1 + light[0] * np.clip(x, -1, 1) + light[1] * np.clip(y, -1, 1)
        for spot_x, spot_y, half_width, half_height, share in spots:
            factor += share * np.exp(-0.5 * (((x - spot_x) / half_width) ** 2 + ((y - spot_y) / half_height) ** 2))
        factor = cv2.resize(factor.reshape(GRID, GRID).astype("float32"), (side, side), interpolation=cv2.INTER_LINEAR)
        self.pixels[:] = np.clip(self.pixels * factor[..., None], 0, 255)


def _bytes(colour) -> tuple[int, ...]:
    return tuple(int(value) for value in np.clip(colour, 0, 255))


def ellipse(
    x: float, y: float, half_width: float, half_height: float, start: float = 0, end: float = 360, points: int = 28
) -> np.ndarray:
    """Points on an ellipse, angles in degrees, clockwise from the right."""
    angle = np.deg2rad(np.linspace(start, end, points))
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)


def curve(start, middle, end, points: int = 12) -> np.ndarray:
    """Points on a quadratic Bezier curve that passes near `middle`."""
    t = np.linspace(0, 1, points)[:, None]
    return (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(middle) + t**2 * np.array(end)


def draw_face(
    identity: Identity,
    expression: str,
    intensity: float,
    size: int,
    random: np.random.Generator,
    channels: int = 3,
    framing: str = "crop",
) -> np.ndarray:
    """A picture of a person with an expression.

    Args:
        identity: who.
        expression: one of `EXPRESSIONS`.
        intensity: 0 (neutral) to 1 (full).
        size: side in pixels.
        random: of pose, light, noise, background and the actions' small errors.
        channels: 1 for grey, 3 for RGB.
        framing: `crop` (the face fills the picture, as in FER-2013) or `portrait` (head and shoulders).

    Returns:
        uint8 array (size, size, channels).

    Raises:
        ValueError: no such expression or framing.
    """
    if expression not in EXPRESSIONS:
        raise ValueError(f"no expression is called {expression!r}: there are {', '.join(EXPRESSIONS)}")
    if framing not in ("crop", "portrait"):
        raise ValueError(f"framing is crop or portrait, not {framing!r}")
    side = max(144, size) if framing == "crop" else max(256, size)
    share, middle = (random.uniform(0.51, 0.55), 0.5) if framing == "crop" else (random.uniform(0.24, 0.29), 0.44)
    tilt = random.normal(0, 3)
    centre = side * (np.array([0.5, middle]) + random.normal(0, 0.012, 2))
    canvas = Canvas(side, side * share, tuple(centre), float(np.clip(tilt, -14, 14)))
    actions = actions_of(expression, intensity * identity.expressiveness, random)
    _background(canvas, random)
    _head(canvas, identity, actions)
    _shading(canvas, identity, actions, random)
    for sign in (-1, 1):
        _eye(canvas, identity, actions, sign)
        _brow(canvas, identity, actions, sign)
    _nose(canvas, identity, actions)
    _mouth(canvas, identity, actions)
    _fringe(canvas, identity)
    return _photograph(canvas.pixels, size, channels, random)


def _background(canvas: Canvas, random: np.random.Generator) -> None:
    low, high = sorted(random.uniform(40, 215, 2))
    patches = random.uniform(low, high, (4, 4, 1)) + random.normal(0, 10, (4, 4, 3))
    side = canvas.pixels.shape[0]
    canvas.pixels[:] = np.clip(
        cv2.resize(patches.astype("float32"), (side, side), interpolation=cv2.INTER_CUBIC), 0, 255
    )


def _outline(identity: Identity, jaw: float) -> np.ndarray:
    """The contour of the face: an ellipse whose lower half narrows to the chin."""
    points = ellipse(0, 0, identity.width, 1.0, points=60)
    lower = np.clip(points[:, 1], 0, None)
    points[:, 0] *= 1 - (1 - identity.chin) * 0.35 * lower**2
    points[:, 1] += 0.12 * jaw * lower
    return points


def _head(canvas: Canvas, identity: Identity, actions: Actions) -> None:
    hair = np.array(identity.hair)
    skin = np.array(identity.skin)
    canvas.fill(
        [(-1.7, 2.6), (-1.35, 1.45), (-0.4, 1.15), (0.4, 1.15), (1.35, 1.45), (1.7, 2.6)], hair * 0.5 + 60
    )  # shoulders
    if identity.long_hair:
        canvas.fill(ellipse(0, 0.15, identity.width + 0.24, 1.3), hair)
    canvas.fill(ellipse(0, -0.25, identity.width + 0.1, 0.95), hair)
    canvas.fill([(-0.36, 0.7), (0.36, 0.7), (0.42, 1.5), (-0.42, 1.5)], skin * 0.78)  # neck
    for sign in (-1, 1):
        canvas.fill(ellipse(sign * identity.width, 0.02, 0.09, 0.2), skin * 0.88)  # ears
    canvas.fill(_outline(identity, max(0.0, actions.jaw)), skin)


def _shading(canvas: Canvas, identity: Identity, actions: Actions, random: np.random.Generator) -> None:
    """What makes a face for a detector too: dark sockets, bright bridge, cheeks and forehead, a darker contour."""
    eye_y, eye_x = identity.eye_height, identity.eye_distance
    nose_y = eye_y + identity.nose_length
    spots = [
        (-eye_x, eye_y - 0.02, 0.19, 0.11, -0.26),
        (eye_x, eye_y - 0.02, 0.19, 0.11, -0.26),
        (0, eye_y + 0.12, 0.05, 0.22, 0.12),
        (-0.40, 0.28, 0.18, 0.14, 0.10),
        (0.40, 0.28, 0.18, 0.14, 0.10),
        (0, -0.52, 0.40, 0.18, 0.08),
        (0, nose_y + 0.07, identity.nose_width, 0.04, -0.20),
        (0, identity.mouth_height + 0.17 + 0.12 * actions.jaw, 0.16, 0.05, -0.12),
        (-identity.width, 0.3, 0.16, 0.7, -0.22),
        (identity.width, 0.3, 0.16, 0.7, -0.22),
        (0, 1.08, 0.5, 0.12, -0.25),
        (0, eye_y - 0.02, 0.06, 0.08, -0.18 * max(0, actions.frown)),
    ]
    canvas.shade(spots, (random.uniform(-0.12, 0.12), random.uniform(-0.08, 0.02)))


def _eye(canvas: Canvas, identity: Identity, actions: Actions, sign: int) -> None:
    x, y, width = sign * identity.eye_distance, identity.eye_height, identity.eye_size
    opening = width * np.clip(0.46 + 0.42 * actions.lids, 0.08, 0.95)
    squint = 0.25 * opening if actions.lids < 0 else 0.0
    upper = curve((x - width, y), (x, y - 2 * opening + squint), (x + width, y))
    lower = curve((x + width, y), (x, y + 1.5 * opening - squint), (x - width, y))
    white, dark = np.array([228, 226, 222]) * 0.92, np.array(identity.skin) * 0.28
    canvas.fill(np.vstack([upper, lower]), white)
    radius = width * 0.46
    iris = ellipse(x, y - 0.1 * opening, radius, radius)
    iris[:, 1] = np.clip(iris[:, 1], y - opening, y + 0.75 * opening)
    canvas.fill(iris, identity.iris)
    canvas.fill(ellipse(x, y - 0.1 * opening, radius * 0.45, min(radius * 0.45, opening * 0.7)), (12, 10, 10))
    canvas.stroke(upper, dark, 0.030)
    canvas.stroke(lower, np.array(identity.skin) * 0.6, 0.014)


def _brow(canvas: Canvas, identity: Identity, actions: Actions, sign: int) -> None:
    y = identity.eye_height - identity.brow_height
    inner_x = 0.15 - 0.05 * actions.frown
    inner_y = y + 0.02 - 0.20 * actions.inner_brow + 0.18 * actions.frown + 0.04 * actions.nose
    outer_y = y + 0.05 - 0.18 * actions.outer_brow + 0.03 * actions.frown
    arch_y = y - 0.05 - 0.10 * (actions.inner_brow + actions.outer_brow) / 2 + 0.09 * actions.frown
    inner, outer = (sign * inner_x, inner_y), (sign * (identity.eye_distance + 0.19), outer_y)
    line = curve(inner, (sign * identity.eye_distance, arch_y), outer)
    canvas.stroke(line, np.array(identity.hair) * 0.45, identity.brow_thickness)
    if actions.frown > 0.35:
        canvas.stroke([(sign * 0.05, y - 0.02), (sign * 0.06, y + 0.13)], np.array(identity.skin) * 0.66, 0.02)


def _nose(canvas: Canvas, identity: Identity, actions: Actions) -> None:
    skin, width = np.array(identity.skin), identity.nose_width
    y = identity.eye_height + identity.nose_length - 0.05 * actions.nose
    canvas.stroke(curve((-width, y - 0.04), (0, y + 0.09), (width, y - 0.04)), skin * 0.62, 0.022)
    for sign in (-1, 1):
        canvas.fill(ellipse(sign * width * 0.5, y + 0.015, 0.036, 0.022), skin * 0.32)
        if actions.nose > 0.3:
            for offset in (0.0, 0.07):
                start = (sign * 0.04, identity.eye_height + 0.07 + offset)
                canvas.stroke([start, (sign * 0.12, start[1] - 0.05)], skin * 0.62, 0.018)
        fold = max(actions.nose, actions.left_corner if sign < 0 else actions.right_corner)
        if fold > 0.3:  # from the wing of the nose round the corner of the mouth
            corner = (sign * (identity.mouth_width + 0.12), identity.mouth_height - 0.02)
            canvas.stroke(
                curve((sign * (width + 0.04), y - 0.03), (sign * (width + 0.2), y + 0.06), corner), skin * 0.68, 0.02
            )


def _mouth(canvas: Canvas, identity: Identity, actions: Actions) -> None:
    jaw, skin = max(0.0, actions.jaw), np.array(identity.skin)
    lip = skin * np.array([0.62, 0.40, 0.40])
    y = identity.mouth_height + 0.06 * jaw
    half = identity.mouth_width * (
        1 + 0.50 * actions.stretch + 0.12 * max(actions.left_corner, actions.right_corner, 0)
    )
    thick = identity.lip_thickness * np.clip(1 - 0.65 * actions.press, 0.25, 1.2)
    left = (-half, y - 0.19 * actions.left_corner)
    right = (half, y - 0.19 * actions.right_corner)
    smile = (actions.left_corner + actions.right_corner) / 2
    middle_y = y + 0.10 * smile
    opening = 0.40 * jaw
    top, bottom = middle_y - opening * 0.6 - 0.09 * actions.nose, middle_y + opening * 1.3
    upper_outer, upper_inner = curve(left, (0, top - 2 * thick), right), curve(left, (0, top), right)
    lower_inner, lower_outer = curve(right, (0, bottom), left), curve(right, (0, bottom + 2.4 * thick), left)
    canvas.fill(np.vstack([upper_outer, upper_inner[::-1]]), lip)
    canvas.fill(np.vstack([lower_inner[::-1], lower_outer]), lip * 1.08)
    if bottom - top > 0.03:
        canvas.fill(np.vstack([upper_inner, lower_inner]), (52, 22, 24))
        teeth = curve(left, (0, top + min(0.12, 0.8 * (bottom - top))), right)
        if actions.stretch > 0 or actions.nose > 0.3:
            canvas.fill(np.vstack([upper_inner, teeth[::-1]]), (222, 218, 208))
    else:
        canvas.stroke(upper_inner, skin * 0.35, 0.022)


def _fringe(canvas: Canvas, identity: Identity) -> None:
    top = ellipse(0, -0.1, identity.width + 0.06, 1.02, 200, 340)
    line = curve(top[-1], (0, identity.hairline * 1.35), top[0])
    canvas.fill(np.vstack([top, line]), identity.hair)


def _photograph(pixels: np.ndarray, size: int, channels: int, random: np.random.Generator) -> np.ndarray:
    """Size, contrast, blur and noise of a photograph."""
    small = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA).astype("float32")
    small = (small - 128) * random.uniform(0.85, 1.05) + 128 + random.uniform(-10, 10)
    small = cv2.GaussianBlur(small, (0, 0), random.uniform(0.2, 0.6) * max(1.0, size / 96))
    if channels == 1:
        small = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[..., None]
    noisy = small + random.normal(0, random.uniform(1, 3), small.shape)
    return np.clip(np.round(noisy), 0, 255).astype("uint8")
