"""A page in the browser: play with trained agents, watch runs that train, compare results.

| file | what it is |
|---|---|
| `__main__.py` | the command line |
| `server.py` | the application: the tabs, the page's own files, the files of the results |
| `guard.py` | who may use it: token, host, origin, and the headers of every answer |
| `results.py` | the one folder that can be reached from outside, and the runs in it |
| `background.py` | what a training on the same machine goes before |
| `channel.py`, `messages.py` | a page's socket, and the check of what comes in through it |
| `play.py`, `watch.py`, `compare.py` | the tabs |
| `run_reader.py` | a run as it is now: its state, logs, videos, maps |
| `run_pictures.py` | its newest picture and its maps of visits, for a browser |
| `figures.py` | the figures of its logs as numbers, for the page to draw |
| `game_process.py`, `game_loop.py` | the process of a game: the server's end, and the game's |
| `commands.py` | what a page may ask of it |
| `game.py`, `drivers.py`, `levels.py` | the game: a checkpoint in its world, and who drives |
| `tries.py`, `way.py`, `picture.py` | what is seen of it |
| `film.py`, `tape.py` | what is recorded of it: a video and a demonstration |
| `static/` | the page: plain HTML, CSS and JavaScript, a module a tab |
"""
