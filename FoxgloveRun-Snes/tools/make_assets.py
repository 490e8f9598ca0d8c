"""Turn the levels and pictures, which are text, into what the assembler includes.

Usage: python3 make_assets.py GAME_FOLDER OUTPUT_FOLDER

Needs only the standard library. The same text always gives the same bytes.
"""

import sys
from pathlib import Path

from level_maps import METATILES, Level, read_level
from pictures import (
    chars_of,
    flat_tiles,
    read_picture_file,
    sheet_of,
    sky_table,
    two_bit_chars,
)

# SPARE is what the code leaves of bank 0.
BANKS = {"BANK1": 0x8000, "BANK2": 0x8000, "BANK3": 0x8000, "SPARE": 0x4800}
LEVELS = ("1_1", "1_2", "2_1", "2_2")
THEMES = ("meadow", "forest", "dusk", "night")

# Video RAM addresses, in words, as in registers.inc; PALETTES is the assembler's own mark.
TILES, BACKGROUND, FONT = 0x0000, 0x1000, 0x3000
LEVEL_MAP, SPRITES, FAR_MAP = 0x3800, 0x4000, 0x5000
PALETTES = 0x8000

# Palettes of 16 colors: 0 holds the text, 8 and up are the sprites'.
TERRAIN, COMMON, FAR, LOGO, SPRITE = 2, 3, 4, 5, 8

FOX = ("STAND", "BLINK", "RUN_1", "RUN_2", "RUN_3", "RUN_4", "JUMP", "FALL", "CLIMB", "HURT")
# Small sprites that fit beside the fox's last two pictures; the others are below.
BESIDE_FOX = 8
SMALL = {
    "snail": ("SNAIL_1", "SNAIL_2", "SNAIL_SQUASHED"),
    "beetle": ("BEETLE_1", "BEETLE_2", "BEETLE_SQUASHED"),
    "things": (
        *("THING_COIN_1", "THING_COIN_2", "THING_COIN_3", "THING_SPARKLE_1", "THING_SPARKLE_2"),
        *("THING_POINTS", "THING_FLAG_1", "THING_FLAG_2"),
    ),
    "moth": ("MOTH_1", "MOTH_2", "MOTH_SQUASHED"),
}
IN_FRONT = 0x2000


class Assets:
    """Binary files, each in a bank of the ROM with room for it, and lines of assembler text."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.room = dict(BANKS)
        self.sizes: dict[str, int] = {}
        self.banks: dict[str, list[str]] = {bank: [] for bank in BANKS}
        self.lines: list[str] = []

    def add(self, name: str, data: bytes) -> None:
        """Write a file, or stop if it fits no bank."""
        bank = next((each for each, room in self.room.items() if room >= len(data)), None)
        if bank is None:
            sys.exit(f"the ROM is full: no bank has {len(data)} bytes left for {name}")
        self.room[bank] -= len(data)
        self.sizes[name] = len(data)
        (self.folder / f"{name}.bin").write_bytes(data)
        self.banks[bank].append(f'{name}: .incbin "{name}.bin"')

    def uploads(self, name: str, *parts: tuple[int, str]) -> None:
        """Write a list of uploads for upload_all: (address in video RAM, name of a file)."""
        self.lines.append(f"{name}:")
        for address, part in parts:
            self.lines.append(
                f"        .word ${address:04X}, .loword({part}), ^{part}, {self.sizes[part]}"
            )
        self.lines.append("        .word $FFFF")

    def write(self) -> None:
        """Write assets.inc."""
        lines = ['.segment "RODATA"', *self.lines]
        for bank, entries in self.banks.items():
            lines += [f'.segment "{bank}"', *entries]
        (self.folder / "assets.inc").write_text("\n".join(lines) + "\n")


def add_sprites(assets: Assets, art: Path) -> dict[int, list[int]]:
    """Add the graphics of all sprites; return their palettes."""
    palette, blocks = read_picture_file(art / "fox.txt")
    palettes = {SPRITE: palette}
    chars = {}
    for number, name in enumerate(FOX):
        first = number // 4 * 64 + number % 4 * 4
        chars |= chars_of(blocks[name.lower()], first)
        assets.lines.append(f"FOX_{name} = ${IN_FRONT + first:04X}")
    number = 0
    for index, (file, names) in enumerate(SMALL.items(), start=1):
        palettes[SPRITE + index], blocks = read_picture_file(art / f"{file}.txt")
        for name in names:
            if number < BESIDE_FOX:
                first = 128 + 8 + number // 4 * 32 + number % 4 * 2
            else:
                first = 192 + (number - BESIDE_FOX) // 8 * 32 + (number - BESIDE_FOX) % 8 * 2
            chars |= chars_of(blocks[name.lower().removeprefix("thing_")], first)
            assets.lines.append(f"{name} = ${IN_FRONT + index * 0x200 + first:04X}")
            number += 1
    assets.add("sprite_tiles", b"".join(chars.get(n, bytes(32)) for n in range(256)))
    return palettes


def palette_image(palettes: dict[int, list[int]]) -> bytes:
    """Return all 256 colors as the console wants them. The first one is the sky's own affair."""
    colors = [0] * 256
    for number, palette in palettes.items():
        colors[number * 16 : number * 16 + len(palette)] = palette
    return b"".join(color.to_bytes(2, "little") for color in colors)


def add_screen(assets: Assets, name: str, path: Path, palette: int) -> tuple[list[int], bytes]:
    """Add a picture of a whole screen as tiles and map; return its palette and its sky."""
    colors, blocks = read_picture_file(path)
    tiles, words = flat_tiles(blocks["picture"], palette)
    if len(tiles) > 512:
        sys.exit(f"{path} has {len(tiles)} different tiles of 8 x 8 pixels; 512 at most")
    assets.add(f"{name}_tiles", b"".join(tiles))
    assets.add(f"{name}_map", b"".join(word.to_bytes(2, "little") for word in words))
    return colors, sky_table(path)


def add_themes(assets: Assets, art: Path, shared: dict[int, list[int]]) -> None:
    """Add tiles, background, sky and palettes of each theme, and the title's."""
    common_palette, common = read_picture_file(art / "tiles_common.txt")
    for theme in THEMES:
        terrain_palette, terrain = read_picture_file(art / f"tiles_{theme}.txt")
        pictures = common | terrain
        missing = [tile.name for tile in METATILES if tile.name not in pictures]
        if missing:
            sys.exit(f"art/tiles_{theme}.txt has no {', '.join(missing)}")
        assets.add(f"{theme}_tiles", sheet_of([pictures[tile.name] for tile in METATILES]))
        path = art / f"background_{theme}.txt"
        far_palette, sky = add_screen(assets, f"{theme}_far", path, FAR)
        assets.add(f"{theme}_sky", sky)
        palettes = shared | {TERRAIN: terrain_palette, COMMON: common_palette, FAR: far_palette}
        assets.add(f"{theme}_palettes", palette_image(palettes))
        assets.uploads(
            f"{theme}_uploads",
            (TILES, f"{theme}_tiles"),
            (BACKGROUND, f"{theme}_far_tiles"),
            (FAR_MAP, f"{theme}_far_map"),
            (PALETTES, f"{theme}_palettes"),
        )
    for table, text in (
        ("theme_uploads", ".loword({}_uploads)"),
        ("theme_skies", ".loword({}_sky)"),
        ("theme_sky_banks", "^{}_sky"),
    ):
        assets.lines.append(f"{table}: .word " + ", ".join(text.format(name) for name in THEMES))

    turning = [common[f"coin_{n}"] for n in (1, 2, 3, 2)]
    data = b""
    for rows in turning:
        chars = chars_of(rows, 0)
        data += b"".join(chars[n] for n in (0, 1, 16, 17))
    assets.add("coin_turning", data)

    logo_palette, sky = add_screen(assets, "title", art / "title.txt", LOGO)
    far_palette, _ = read_picture_file(art / "background_meadow.txt")
    assets.add("title_sky", sky)
    assets.add("title_palettes", palette_image(shared | {LOGO: logo_palette, FAR: far_palette}))
    assets.uploads(
        "title_uploads",
        (TILES, "title_tiles"),
        (LEVEL_MAP, "title_map"),
        (BACKGROUND, "meadow_far_tiles"),
        (FAR_MAP, "meadow_far_map"),
        (PALETTES, "title_palettes"),
    )


def add_levels(assets: Assets, folder: Path) -> None:
    """Add the maps, the places of things and the table of levels."""
    names = [tile.name for tile in METATILES]
    assets.lines.append(f"LEVELS = {len(LEVELS)}")
    assets.lines.append(f"WORLDS = {len(LEVELS) // 2}")
    assets.lines.append(f"METATILE_BOX_USED = {names.index('box_used')}")
    coin = names.index("coin")
    assets.lines.append(f"COIN_TILE = {coin // 8 * 32 + coin % 8 * 2}")
    for name in LEVELS:
        level: Level = read_level(folder / f"{name}.txt")
        assets.add(f"map_{name}", level.map)
        assets.lines.append(f"level_{name}:")
        assets.lines.append(
            f"        .word .loword(map_{name}), ^map_{name}, {len(level.map)}, "
            f"{THEMES.index(level.theme)}, {level.start[0]}, {level.start[1]}, "
            f"{level.flag[0]}, {level.flag[1]}, enemies_{name}"
        )
        assets.lines.append(f"enemies_{name}:")
        for enemy in level.enemies:
            assets.lines.append("        .word " + ", ".join(map(str, enemy)))
        assets.lines.append("        .word $FFFF")
    assets.lines.append("levels: .word " + ", ".join(f".loword(level_{n})" for n in LEVELS))
    palettes = {"terrain": TERRAIN, "common": COMMON}
    words = [
        (number // 8 * 32 + number % 8 * 2) | palettes[tile.palette] << 10
        for number, tile in enumerate(METATILES)
    ]
    assets.lines.append("tile_words: .word " + ", ".join(map(str, words)))
    assets.lines.append("tile_kinds: .word " + ", ".join(str(tile.kind) for tile in METATILES))


def main(game: Path, output: Path) -> None:
    """Write all files."""
    assets = Assets(output)
    art = game / "art"
    font_palette, font = read_picture_file(art / "font.txt")
    assets.add("font", two_bit_chars(font))
    shared = {0: font_palette} | add_sprites(assets, art)
    add_themes(assets, art, shared)
    add_levels(assets, game / "levels")
    assets.uploads("common_uploads", (FONT, "font"), (SPRITES, "sprite_tiles"))
    assets.write()
    used = {bank: BANKS[bank] - room for bank, room in assets.room.items()}
    print("bytes used:", ", ".join(f"{bank} {size:,}" for bank, size in used.items()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
