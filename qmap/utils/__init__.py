"""What is not about learning. Nothing in here imports anything from outside of this package.

- the user: `command_line`, `errors`, `tolerance`, `interrupt`, `progress`, `quiet`
- the disk: `files`, `image_file`, `csv_logger`, `checkpoint`, `snapshots`, `run_folder`
- pictures: `drawing` (colors, text), `picture` (a step), `video`, `window` (live), `frame` (one
  picture of a video), `level_pictures`, `visits`, `visit_map`, `plot`
"""
