"""Packaging of Q-map: `pip install .`, or `pip install -e .[test]` to work on it."""

from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
PAGE = ["starlette>=0.46", "uvicorn>=0.35", "websockets>=15"]


def game_files(folder: str, patterns: list[str]) -> tuple[str, list[str]]:
    """Return a game's folder in the installed environment and the files that go there."""
    files = sorted(path for pattern in patterns for path in (HERE / folder).glob(pattern))
    return f"share/qmap/{folder}", [path.relative_to(HERE).as_posix() for path in files]


setup(
    name="qmap",
    version="1.0.0",
    description="Q-map: goal-oriented exploration with all-goals Q-learning on image-like worlds",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    packages=find_packages(include=["qmap", "qmap.*"]),
    package_data={
        "qmap.envs": ["levels/*.png"],
        "qmap.page": ["static/*"],
        "qmap.shipped": ["*/config.json", "*/tensorflow/*.ckpt"],
    },
    data_files=[
        # Neither a commercial ROM nor states recorded from one are listed here.
        game_files("SuperMarioAllStars-Snes", ["*.json", "rom.sha", "*.md"]),
        game_files("FoxgloveRun-Snes", ["*.json", "rom.sha", "*.md", "rom.sfc", "*.state"]),
    ],
    python_requires=">=3.10,<3.14",
    install_requires=[
        "tensorflow>=2.16",
        "keras>=3",
        "gymnasium>=1.1",
        "ale-py>=0.11",
        "stable-retro>=1.0",
        "numpy",
        "opencv-python-headless",
        "matplotlib",
        "pandas",
        "imageio",
        "imageio-ffmpeg",
        "scipy>=1.15",
        "tqdm",
        "pygame",
        "pillow>=10.1",
        "filelock",
        'tomli; python_version < "3.11"',
    ],
    extras_require={
        "ppo": ["sb3-contrib"],
        "ray": ["ray>=2.50"],
        "page": PAGE,
        "test": [
            "pytest",
            "pytest-timeout",
            "pytest-xdist",
            "hypothesis",
            "psutil",
            "ruff",
            "selenium",
            "httpx",
            *PAGE,
        ],
    },
)
