"""Many runs from one file: `python -m qmap.sweep FILE`.

- `plan`: from the file to a list of jobs, everything checked
- `job`: one run, its command line and where it has got to
- `pool`: jobs as processes on this machine; `cluster`: on the machines of a Ray cluster
- `driver`: starts jobs, starts them again, stops them
- `progress`, `table`: what is said meanwhile; `summary`: what came out
"""
