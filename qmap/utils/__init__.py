"""What is not about learning. Nothing in here imports anything from outside of this package.

- the user: `command_line`, `errors`, `tolerance`, `interrupt`, `progress`, `quiet`
- the disk: `files`, `image_file`, `csv_logger`, `checkpoint`, `snapshots`, `run_folder`, `owner`
  (the process that works in it)
- logs: `run_logs`, `growing_log`; their figures: `panels`, `curves`, drawn by `plot`, `plot_runs`
- pictures: `drawing` (colors, text), `picture` (a step), `video`, `window` (live), `frame` (one
  picture of a video), `newest_picture` (of a training), `level_pictures`, `visits`, `visit_map`
"""
