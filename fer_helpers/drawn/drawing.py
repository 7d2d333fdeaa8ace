"""Faces drawn by a program: a person, an expression with an intensity, and the conditions of a photograph.

An expression is a set of facial actions (after Ekman and Friesen's Facial Action Coding System, 1978) that grow with
its intensity. People differ in proportions, skin, hair and how strongly they act. A drawn face checks code; it is no
data on people. Lengths are in half heights of the face, from its middle; colours are RGB from 0 to 255.
"""

from types import SimpleNamespace

import cv2
import numpy as np

# Facial actions at full intensity, with their units: brows raised at the inner and the outer end (1, 2) and drawn
# together (4), lids opened (5) or narrowed (below 0: 6, 7), nose wrinkled (9, 10), left and right mouth corner up
# (12) or down (below 0: 15), lips stretched (20) or rounded (below 0), pressed (24), jaw dropped (25 to 27).
# fmt: off
ACTION_NAMES = ("inner", "outer", "frown", "lids", "nose", "left", "right", "stretch", "press", "jaw")
ACTIONS = {
    "neutral":  (0.0,   0.0,  0.0,  0.0,  0.0,  0.0,  0.0,  0.0, 0.0, 0.0),
    "happy":    (0.0,   0.0,  0.0, -0.35, 0.0,  1.0,  1.0,  0.5, 0.0, 0.25),
    "sad":      (0.9,  -0.5,  0.2, -0.35, 0.0, -0.9, -0.9, -0.1, 0.0, 0.0),
    "surprise": (1.0,   1.0,  0.0,  0.9,  0.0,  0.0,  0.0, -0.5, 0.0, 1.0),
    "fear":     (1.0,   0.2,  0.4,  0.9,  0.0, -0.4, -0.4,  0.7, 0.0, 0.4),
    "disgust":  (0.0,   0.0,  0.5, -0.5,  1.0, -0.5, -0.5,  0.1, 0.0, 0.1),
    "anger":    (-0.4,  0.3,  1.0,  0.15, 0.0, -0.3, -0.3,  0.0, 1.0, 0.0),
    "contempt": (0.0,   0.2,  0.0, -0.2,  0.0,  0.9, -0.1,  0.0, 0.3, 0.0),
}
ACTION_NOISE = 0.06
LENGTHS = {  # from, to among people
    "width": (0.70, 0.84), "chin": (0.45, 0.75), "hairline": (-0.97, -0.70), "expressiveness": (0.85, 1.05),
    "eye_height": (-0.16, -0.08), "eye_distance": (0.31, 0.37), "eye_size": (0.125, 0.155), "brow_height": (0.19, 0.25),
    "brow_thickness": (0.04, 0.075), "nose_length": (0.38, 0.48), "nose_width": (0.11, 0.17),
    "mouth_height": (0.50, 0.58), "mouth_width": (0.25, 0.33), "lip_thickness": (0.04, 0.075),
}
# fmt: on
SKINS = np.array([[245, 212, 188], [112, 74, 52]])  # the lightest and the darkest
HAIRS = np.array([[32, 24, 20], [70, 44, 28], [120, 80, 44], [176, 140, 84], [140, 136, 132]])
FRAMINGS = {"crop": (0.53, 0.5), "portrait": (0.27, 0.44)}  # half the face's height and where its middle is, in sides
SHIFT = 4  # OpenCV draws at sixteenths of a pixel


def draw_identity(random: np.random.Generator) -> SimpleNamespace:
    """A person drawn at random: `LENGTHS`, and the colours of skin and hair."""
    tone = random.uniform()
    return SimpleNamespace(
        **{part: random.uniform(*limits) for part, limits in LENGTHS.items()},
        skin=np.clip(SKINS[0] * (1 - tone) + SKINS[1] * tone + random.normal(0, 5, 3), 30, 255),
        hair=np.clip(random.choice(HAIRS, p=[0.4, 0.25, 0.15, 0.12, 0.08]) + random.normal(0, 6, 3), 8, 240),
    )


def draw_face(
    identity: SimpleNamespace,
    expression: str,
    intensity: float,
    size: int,
    random: np.random.Generator,
    channels: int = 3,
    framing: str = "crop",
) -> tuple[np.ndarray, tuple[float, ...]]:
    """A picture, uint8 (size, size, channels), and the box of the face in it, (x, y, width, height) in pixels.

    The expression is one of `ACTIONS`, its intensity from 0 (neutral) to 1; the face fills a `crop`, as in FER-2013,
    and is in a `portrait` with head and shoulders. From `random` come pose, light, background, noise and the actions'
    small errors, the same whatever the expression.
    """
    side = max(96, size)
    share, middle = FRAMINGS[framing]
    scale = side * share * random.uniform(0.96, 1.04)
    centre = side * (np.array([0.5, middle]) + random.normal(0, 0.012, 2))
    canvas = Canvas(side, scale, centre, np.clip(random.normal(0, 3), -12, 12), random)
    strength = intensity * identity.expressiveness * np.array(ACTIONS[expression])
    actions = SimpleNamespace(**dict(zip(ACTION_NAMES, strength + random.normal(0, ACTION_NOISE, 10), strict=True)))
    for draw in (_head, _eyes_and_brows, _nose_and_mouth):
        draw(canvas, identity, actions)
    box = np.array([*(centre - 0.9 * scale), 1.9 * scale, 1.9 * scale]) * size / side
    return canvas.photograph(size, channels), tuple(box.round(1).tolist())


class Canvas:
    """A square picture of `side` pixels with a background; points of a face are turned, scaled and moved into it."""

    def __init__(self, side: int, scale: float, centre: np.ndarray, degrees: float, random: np.random.Generator):
        self.scale, self.centre, self.random = scale, centre, random
        self.turn = cv2.getRotationMatrix2D((0, 0), -degrees, 1)[:, :2]
        self.light = random.uniform((-0.12, -0.08), (0.12, 0.02))
        patches = random.uniform(*sorted(random.uniform(40, 215, 2)), (4, 4, 1)) + random.normal(0, 10, (4, 4, 3))
        smooth = cv2.resize(patches.astype("float32"), (side, side), interpolation=cv2.INTER_CUBIC)
        self.pixels = np.clip(smooth, 0, 255).astype("uint8")  # OpenCV smooths the edges of what it draws in bytes only

    def fill(self, points, colour) -> None:
        """Fill a polygon given by points (n, 2) of the face."""
        cv2.fillPoly(self.pixels, [self._placed(points)], np.clip(colour, 0, 255).tolist(), cv2.LINE_AA, SHIFT)

    def stroke(self, points, colour, thickness: float) -> None:
        """Draw a line through points (n, 2) of the face."""
        points, width = self._placed(points), max(1, round(thickness * self.scale))
        cv2.polylines(self.pixels, [points], False, np.clip(colour, 0, 255).tolist(), width, cv2.LINE_AA, SHIFT)

    def _placed(self, points) -> np.ndarray:
        placed = np.asarray(points, float) @ self.turn.T * self.scale + self.centre
        return np.round(placed * 2**SHIFT).astype("int32")

    def shade(self, spots: np.ndarray) -> None:
        """Change the light in soft spots, (x, y, half width, half height, share) each, and from side to side."""
        side, coarse = len(self.pixels), 32  # shading is smooth: a coarse grid is enough
        axis = (np.arange(coarse) + 0.5) * side / coarse
        grid = (np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2) - self.centre) / self.scale @ self.turn
        x, y, half_width, half_height, share = spots.T[..., None]
        distance = ((grid[:, 0] - x) / half_width) ** 2 + ((grid[:, 1] - y) / half_height) ** 2
        factor = 1 + np.clip(grid, -1, 1) @ self.light + (share * np.exp(-0.5 * distance)).sum(axis=0)
        factor = cv2.resize(factor.reshape(coarse, coarse).astype("float32"), (side, side))
        self.pixels[:] = np.clip(self.pixels * factor[..., None], 0, 255)

    def photograph(self, size: int, channels: int) -> np.ndarray:
        """The picture with the size, contrast, blur and noise of a photograph."""
        random = self.random
        small = cv2.resize(self.pixels, (size, size), interpolation=cv2.INTER_AREA).astype("float32")
        small = (small - 128) * random.uniform(0.85, 1.05) + 128 + random.uniform(-10, 10)
        small = cv2.GaussianBlur(small, (0, 0), random.uniform(0.2, 0.6) * max(1.0, size / 96))
        small = small if channels == 3 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)[..., None]
        return np.clip(np.round(small + random.normal(0, random.uniform(1, 3), small.shape)), 0, 255).astype("uint8")


def ellipse(x, y, half_width, half_height, start=0, end=360, points=28) -> np.ndarray:
    """Points (n, 2) on an ellipse, angles in degrees, clockwise from the right."""
    angle = np.deg2rad(np.linspace(start, end, points))
    return np.stack([x + half_width * np.cos(angle), y + half_height * np.sin(angle)], axis=1)


def curve(start, middle, end) -> np.ndarray:
    """Points (12, 2) on a quadratic Bezier curve that bends towards `middle`."""
    t = np.linspace(0, 1, 12)[:, None]
    return (1 - t) ** 2 * np.array(start) + 2 * t * (1 - t) * np.array(middle) + t**2 * np.array(end)


def _head(canvas, person, act) -> None:
    skin, hair, width = person.skin, person.hair, person.width
    canvas.fill([(-1.7, 2.6), (-1.35, 1.45), (-0.4, 1.15), (0.4, 1.15), (1.35, 1.45), (1.7, 2.6)], hair * 0.5 + 60)
    canvas.fill(ellipse(0, -0.25, width + 0.1, 0.95), hair)
    canvas.fill([(-0.36, 0.7), (0.36, 0.7), (0.42, 1.5), (-0.42, 1.5)], skin * 0.78)  # neck
    outline = ellipse(0, 0, width, 1.0, points=60)
    lower = np.clip(outline[:, 1], 0, None)
    outline[:, 0] *= 1 - (1 - person.chin) * 0.35 * lower**2
    outline[:, 1] += 0.12 * max(0.0, act.jaw) * lower
    canvas.fill(outline, skin)
    fringe = ellipse(0, -0.1, width + 0.06, 1.02, 200, 340)
    canvas.fill(np.vstack([fringe, curve(fringe[-1], (0, person.hairline), fringe[0])]), hair)
    # A face for a detector too: dark sockets and contour, bright cheeks; bright bridge and forehead, dark chin.
    eye_x, eye_y = person.eye_distance, person.eye_height
    pairs = np.array([(eye_x, eye_y, 0.19, 0.11, -0.26), (0.4, 0.28, 0.18, 0.14, 0.1), (0.77, 0.3, 0.16, 0.7, -0.22)])
    middle = [(0, eye_y + 0.12, 0.05, 0.22, 0.12), (0, -0.52, 0.40, 0.18, 0.08), (0, 1.08, 0.5, 0.12, -0.25)]
    canvas.shade(np.vstack([middle, pairs, pairs * (-1, 1, 1, 1, 1)]))


def _eyes_and_brows(canvas, person, act) -> None:
    y, width, skin = person.eye_height, person.eye_size, person.skin
    opening = width * np.clip(0.46 + 0.42 * act.lids, 0.08, 0.95)
    brow_y = y - person.brow_height
    inner_y = brow_y + 0.02 - 0.20 * act.inner + 0.18 * act.frown + 0.04 * act.nose
    arch_y = brow_y - 0.05 - 0.05 * (act.inner + act.outer) + 0.09 * act.frown
    outer_y = brow_y + 0.05 - 0.18 * act.outer + 0.03 * act.frown
    for side in (-1, 1):
        x = side * person.eye_distance
        upper = curve((x - width, y), (x, y - 2 * opening), (x + width, y))
        lower = curve((x + width, y), (x, y + 1.5 * opening), (x - width, y))
        canvas.fill(np.vstack([upper, lower]), (210, 208, 204))
        iris = ellipse(x, y - 0.1 * opening, width * 0.46, width * 0.46)
        iris[:, 1] = np.clip(iris[:, 1], y - opening, y + 0.75 * opening)
        canvas.fill(iris, (40, 28, 20))
        canvas.stroke(upper, skin * 0.28, 0.030)
        brow = curve((side * (0.15 - 0.05 * act.frown), inner_y), (x, arch_y), (x + side * 0.19, outer_y))
        canvas.stroke(brow, person.hair * 0.45, person.brow_thickness)


def _nose_and_mouth(canvas, person, act) -> None:
    skin, lip, jaw, width = person.skin, person.skin * (0.62, 0.40, 0.40), max(0.0, act.jaw), person.nose_width
    y = person.eye_height + person.nose_length - 0.05 * act.nose
    canvas.stroke(curve((-width, y - 0.04), (0, y + 0.09), (width, y - 0.04)), skin * 0.5, 0.03)
    for side, corner in ((-1, act.left), (1, act.right)):
        if max(act.nose, corner) > 0.3:  # a fold from the wing of the nose round the corner of the mouth
            end = (side * (person.mouth_width + 0.12), person.mouth_height - 0.02)
            fold = curve((side * (width + 0.04), y - 0.03), (side * (width + 0.2), y + 0.06), end)
            canvas.stroke(fold, skin * 0.68, 0.02)
    y = person.mouth_height + 0.06 * jaw
    half = person.mouth_width * (1 + 0.50 * act.stretch + 0.12 * max(act.left, act.right, 0))
    thick = person.lip_thickness * np.clip(1 - 0.65 * act.press, 0.25, 1.2)
    left, right = (-half, y - 0.19 * act.left), (half, y - 0.19 * act.right)
    middle = y + 0.05 * (act.left + act.right)
    top, bottom = middle - 0.24 * jaw - 0.09 * act.nose, middle + 0.52 * jaw
    upper, lower = curve(left, (0, top), right), curve(right, (0, bottom), left)
    canvas.fill(np.vstack([curve(left, (0, top - 2 * thick), right), upper[::-1]]), lip)
    canvas.fill(np.vstack([lower[::-1], curve(right, (0, bottom + 2.4 * thick), left)]), lip * 1.08)
    if bottom - top <= 0.03:
        canvas.stroke(upper, skin * 0.35, 0.022)
        return
    canvas.fill(np.vstack([upper, lower]), (52, 22, 24))
    if act.stretch > 0 or act.nose > 0.3:
        teeth = curve(left, (0, top + min(0.12, 0.8 * (bottom - top))), right)
        canvas.fill(np.vstack([upper, teeth[::-1]]), (222, 218, 208))
